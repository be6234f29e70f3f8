"""Identity of a version: a hash of exactly what the user wrote.

The hash is taken over the raw template, the model and the port, as canonical JSON: sorted keys, no white space, absent
fields absent, and ``null`` is absent too (client-side apply drops it, other ways of applying keep it). Nothing is
decoded into typed objects and nothing is defaulted before, so an upgrade of a library can never change a hash and
restart every model. The prefix allows a later scheme to coexist with this one.

What the template's ConfigMaps and Secrets hold is a part of the version too. A version without any has the hash that it
would have if there were no such part.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEME = "seatrial-version-1"
LENGTH = 10
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters and digits that are safe in DNS names, spell no words and are hard to confuse."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A ConfigMap or Secret that a pod template reads; optional when its pods start without it too."""

    kind: str
    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """What a ConfigMap or Secret holds.

    Attributes
    ----------
    kind, name
        The object.
    hash
        Ten characters of ``ALPHABET``, made of kind, name and content.
    exists
        Whether there is such an object.
    """

    kind: str
    name: str
    hash: str
    exists: bool = True


def version_hash(spec: Mapping[str, Any], contents: Iterable[Content] = ()) -> str:
    """Hash what makes a version.

    Parameters
    ----------
    spec
        ``spec`` of the object as the API server returns it.
    contents
        What the ConfigMaps and Secrets that the template reads hold.

    Returns
    -------
    str
        Ten characters of ``ALPHABET``: about 47 bits.
    """
    unit = _written({key: spec.get(key) for key in ("model", "template", "port")})
    held = sorted(content.hash for content in contents)
    return fingerprint([SCHEME, unit, held] if held else [SCHEME, unit])


def fingerprint(value: Any) -> str:  # noqa: ANN401 - JSON
    """Hash JSON into ``LENGTH`` characters of ``ALPHABET``."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    letters = []
    for _ in range(LENGTH):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)


def _written(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out nulls at any depth."""
    if isinstance(value, dict):
        return {key: _written(inner) for key, inner in value.items() if inner is not None}
    return [_written(inner) for inner in value] if isinstance(value, list) else value
