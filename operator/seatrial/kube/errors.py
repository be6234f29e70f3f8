"""The one family of errors that the Kubernetes side raises.

Each kind asks for another reaction, so a caller never looks at a status code:
``Gone`` ends the work, ``Conflict`` asks for a new look at once, ``Refused`` waits for an edit, ``Unavailable`` is
tried again later.
"""

from __future__ import annotations

import json
from typing import Any

_LONGEST_MESSAGE = 600
_NOT_FOUND, _CONFLICT = 404, 409
# Timeout, gone list, too early, too many requests; and 401, which a rotated service account token heals.
_PASSING = frozenset({401, 408, 410, 425, 429})
_SERVER_FAULT = 500
# Server-side apply answers 500 for a manifest that is not of its schema (an unknown field, a wrong type, two entries of
# one key), seen with Kubernetes 1.36: no passing fault at all, and only an edit helps.
_NO_SUCH_SHAPE = "failed to create typed patch object"


class KubeError(Exception):
    """A call to the Kubernetes API that did not do what it was asked.

    Attributes
    ----------
    sentence
        What was tried, on which object, and what the API server said; fit for a condition or an Event.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Gone(KubeError):  # noqa: N818 - a state of the world, and the shared name of it
    """The object, or the namespace it would live in, does not exist any more."""


class Conflict(KubeError):  # noqa: N818 - a state of the world, and the shared name of it
    """The object has changed since it was read: what was decided on the old one must be dropped."""


class Refused(KubeError):  # noqa: N818 - a state of the world, and the shared name of it
    """The API server will not take this, however often it is asked: somebody has to edit something."""


class Unavailable(KubeError):  # noqa: N818 - a state of the world, and the shared name of it
    """The API server could not be reached, or was too busy or too broken to answer in time."""


def from_answer(doing: str, status: int, body: bytes) -> KubeError:
    """Turn an answer of the API server that is no success into the error to raise.

    Parameters
    ----------
    doing
        What was tried, to follow "can't": ``"apply Service ml/scorer-0123456789"``.
    status
        HTTP status code, 300 or above.
    body
        The answer's body: a Kubernetes ``Status`` object, or plain text.
    """
    said = _parse(body)
    sentence = f"Can't {doing}: {_message(said, status, body)}"
    if status == _NOT_FOUND and not said:
        # The API server answers in plain text only when no such kind of object is served at all.
        return Refused(f"Can't {doing}: the cluster does not know this kind of object; install its CRDs.")
    if status == _NOT_FOUND or _namespace_is_going(said):
        return Gone(sentence)
    if status == _CONFLICT:
        return Conflict(sentence)
    if status in _PASSING or (status >= _SERVER_FAULT and _NO_SUCH_SHAPE not in sentence):
        return Unavailable(sentence)
    return Refused(sentence)


def _parse(body: bytes) -> dict[str, Any]:
    """Read a ``Status`` object; empty when the body is none."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _message(said: dict[str, Any], status: int, body: bytes) -> str:
    text = str(said.get("message") or body.decode(errors="replace").strip() or f"HTTP status {status}")
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def _namespace_is_going(said: dict[str, Any]) -> bool:
    """Tell a namespace under deletion (a 403 with this cause) from a missing permission."""
    causes = (said.get("details") or {}).get("causes") or []
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
