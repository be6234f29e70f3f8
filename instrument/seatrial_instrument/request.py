"""The request that is being answered, known to everything that is called on its behalf."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

VERSION_HEADER: Final = "x-model-version"
REQUEST_ID_HEADER: Final = "x-request-id"
WARM_UP_HEADER: Final = "x-seatrial-warm-up"
SHADOW_HEADER: Final = "x-seatrial-shadow"
_SHADOW_HOST: Final = re.compile(r".*-shadow(:\d+)?")
_SAFE_ID: Final = re.compile(r"[\w.:+/=-]{1,128}", re.ASCII)


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


current: ContextVar[Request | None] = ContextVar("seatrial_request", default=None)
"""The request that is being answered; None outside of the middleware."""


def request_of(request_id: str | None, host: str, warm_up: str | bytes | None, shadow: str | bytes | None) -> Request:
    """Describe a request by its headers.

    Parameters
    ----------
    request_id, host, warm_up, shadow
        Values of the headers; a proxy that mirrors a request (Envoy) adds `-shadow` to the host.
    """
    identity = (
        request_id if request_id and _SAFE_ID.fullmatch(request_id) else f"{random.getrandbits(128):032x}"
    )  # a name, no secret
    if warm_up:
        return Request(identity, Kind.WARM_UP)
    is_shadow = shadow or ("-shadow" in host and _SHADOW_HOST.fullmatch(host))
    return Request(identity, Kind.SHADOW if is_shadow else Kind.CLIENT)


def error_type_of(status: int) -> ErrorType:
    """Say what an HTTP status blames: wrong requests (4xx) are the client's, turned-away ones (429) are not."""
    if status < 400:  # noqa: PLR2004 # HTTP's errors begin here
        return ErrorType.NONE
    match status:
        case 429 | 503:
            return ErrorType.REJECTED
        case 504:
            return ErrorType.TIMEOUT
        case _:
            return ErrorType.BACKEND if status >= 500 else ErrorType.CLIENT  # noqa: PLR2004 # HTTP's server errors
