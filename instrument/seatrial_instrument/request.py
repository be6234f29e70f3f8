"""The request that is being answered, known to everything that is called on its behalf."""

from __future__ import annotations

import itertools
import os
import random
import re
import string
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VERSION_HEADER: Final = "x-model-version"
REQUEST_ID_HEADER: Final = "x-request-id"
WARM_UP_HEADER: Final = "x-seatrial-warm-up"
SHADOW_HEADER: Final = "x-seatrial-shadow"
_SHADOW_HOST: Final = re.compile(r".*-shadow(:\d+)?")
_SAFE: Final = string.ascii_letters + string.digits + "_.:+/=-"
_LONGEST: Final = 128
_NO: Final = {"0", "false", b"0", b"false"}


class Kind(StrEnum):
    """What a request is for."""

    CLIENT = "client"
    SHADOW = "shadow"
    WARM_UP = "warm_up"


class ErrorType(StrEnum):
    """Why an answer is not good; the label `error_type`."""

    NONE = ""
    CLIENT = "client"
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    SCHEMA = "schema"
    BACKEND = "backend"


@dataclass(slots=True)
class Request:
    """One request.

    Attributes
    ----------
    id
        As in the header `x-request-id`; made here when the caller sent none.
    kind
        What it is for.
    error_type
        Set by the server when the status code does not tell, such as `ErrorType.SCHEMA` for a feature that this version
        needs and no client sends.
    """

    id: str
    kind: Kind = Kind.CLIENT
    error_type: ErrorType | None = None


class _Ids:
    """Ids for requests that come without one: unlike those of other processes, and counted from there."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin anew, with another name for the process."""
        self._process, self._numbers = f"{random.SystemRandom().getrandbits(96):024x}-", itertools.count()

    def next(self) -> str:
        """Name a request."""
        return self._process + str(next(self._numbers))


_IDS: Final = _Ids()
os.register_at_fork(after_in_child=_IDS.begin)

current: ContextVar[Request | None] = ContextVar("seatrial_request", default=None)
"""The request that is being answered; None outside of the middleware."""


def request_of(request_id: str | None, host: str, warm_up: str | bytes | None, shadow: str | bytes | None) -> Request:
    """Describe a request by its headers.

    Parameters
    ----------
    request_id, host, warm_up, shadow
        Values of the headers; a proxy that mirrors a request (Envoy) adds `-shadow` to the host.
    """
    # Stripped of what is safe, nothing is left of a safe id: a regular expression would say the same, and take longer.
    is_safe = request_id and len(request_id) <= _LONGEST and not request_id.strip(_SAFE)
    identity = request_id if request_id and is_safe else _IDS.next()
    if warm_up and warm_up.lower() not in _NO:
        return Request(identity, Kind.WARM_UP)
    if (shadow and shadow.lower() not in _NO) or ("-shadow" in host and _SHADOW_HOST.fullmatch(host)):
        return Request(identity, Kind.SHADOW)
    return Request(identity)


def error_type_of(status: int | None) -> ErrorType:
    """Say what an HTTP status blames: wrong requests (4xx) are the client's, turned-away ones (429) are not.

    No status at all is a failure.
    """
    if status is None:
        return ErrorType.BACKEND
    if status < 400:  # noqa: PLR2004 # HTTP's errors begin here
        return ErrorType.NONE
    match status:
        case 429 | 503:
            return ErrorType.REJECTED
        case 504:
            return ErrorType.TIMEOUT
        case _:
            return ErrorType.BACKEND if status >= 500 else ErrorType.CLIENT  # noqa: PLR2004 # HTTP's server errors
