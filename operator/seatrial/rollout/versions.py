"""Identity of a version: a hash of exactly what the user wrote.

The hash is taken over the raw template, the model and the port, as canonical JSON: sorted keys, no white space, absent
fields absent, and ``null`` is absent too (client-side apply drops it, other ways of applying keep it). Nothing is
decoded into typed objects and nothing is defaulted before, so an upgrade of a library can never change a hash and
restart every model. The prefix allows a later scheme to coexist with this one.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME = "seatrial-version-1"
LENGTH = 10
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters and digits that are safe in DNS names, spell no words and are hard to confuse."""


def version_hash(spec: Mapping[str, Any]) -> str:
    """Hash the part of a ModelDeployment's raw spec that makes a version.

    Parameters
    ----------
    spec
        ``spec`` of the object as the API server returns it.

    Returns
    -------
    str
        Ten characters of ``ALPHABET``: about 47 bits.
    """
    unit = _written({key: spec.get(key) for key in ("model", "template", "port")})
    text = json.dumps([SCHEME, unit], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
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
