"""An HTTP session for Prometheus: credentials, a deadline for the whole answer, a limit of its size, plain errors."""

from __future__ import annotations

import io
import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import requests
from typing_extensions import override
from urllib3.exceptions import HTTPError

from seatrial.metrics.errors import BadQuery, TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.metrics.connection import Connection

_CONNECT_S: Final = 3.0
_PIECE: Final = 1 << 16
_TAIL: Final = 1 << 12
_SHOWN: Final = 300

_STATUS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "Prometheus at {place} refuses our credentials",
    HTTPStatus.FORBIDDEN: "Prometheus at {place} refuses our credentials",
    HTTPStatus.NOT_FOUND: "there is no Prometheus API at {place}: is a path missing in its URL?",
    HTTPStatus.METHOD_NOT_ALLOWED: "there is no Prometheus API at {place}: is a path missing in its URL?",
    HTTPStatus.TOO_MANY_REQUESTS: "Prometheus at {place} is asked too often",
}

_CAUSES: Final[Mapping[str, str]] = {
    "Connection refused": "nothing listens there",
    "NameResolutionError": "its name is not known",
    "RemoteDisconnected": "it hung up",
    "reset by peer": "it hung up",
    "No route to host": "there is no way to that host",
}


class Session(requests.Session):
    """A session with one Prometheus.

    Parameters
    ----------
    connection
        Whom to trust, and what to show for it.
    timeout_s
        How long a request may take in all, in seconds.
    max_bytes
        Size of the largest answer that is read, in bytes.
    """

    def __init__(self, connection: Connection, timeout_s: float, max_bytes: int) -> None:
        super().__init__()
        self._place = connection.place
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self.verify = str(connection.ca) if connection.ca else True
        self.cert = (str(connection.client[0]), str(connection.client[1])) if connection.client else None
        self.auth = connection.basic
        self.headers.update(dict(connection.headers))

    @override
    def request(  # type: ignore[override]  # takes what prometheus-api-client gives, which is all keywords
        self, method: str, url: str, *, params: Mapping[str, str], **options: Any
    ) -> requests.Response:
        """Send a form and read the whole answer.

        Raises
        ------
        Unavailable, TooLarge, BadQuery
            For every answer that is not Prometheus's full success.
        requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError
            When the exchange breaks; ``told`` has the words for it.
        """
        deadline_s = time.monotonic() + self._timeout_s
        options |= {"timeout": (min(_CONNECT_S, self._timeout_s), self._timeout_s), "allow_redirects": False}
        # In the body: a query over many versions outgrows what proxies take as a URL.
        with super().request(method, url, data=dict(params), stream=True, **options) as response:
            body = self._read(response, deadline_s)
        if response.status_code != HTTPStatus.OK:
            raise _refusal(self._place, response.status_code, body)
        # Between the data and the end, where nothing else can look like it; the library would drop it.
        if b'"warnings":[' in body[-_TAIL:]:
            raise Unavailable(f"Prometheus at {self._place} answers only in part")
        response.raw = io.BytesIO(body)
        return response

    def _read(self, response: requests.Response, deadline_s: float) -> bytes:
        body = bytearray()
        while piece := response.raw.read1(_PIECE, decode_content=True):
            body += piece
            if len(body) > self._max_bytes:
                raise TooLarge(f"Prometheus at {self._place} answers with more than {self._max_bytes >> 20} MiB")
            if time.monotonic() > deadline_s:
                raise Unavailable(late(self._place, self._timeout_s))
        return bytes(body)


def told(place: str, error: Exception) -> str:
    """Say why an exchange broke, in words of our own: those of the libraries quote headers and URLs with passwords."""
    match error:
        case requests.exceptions.SSLError():
            return f"Prometheus at {place} can't be trusted, or doesn't trust us: the TLS handshake failed"
        case requests.exceptions.Timeout():
            return f"Prometheus at {place} does not answer in time"
        case requests.exceptions.ConnectionError() | HTTPError():
            text = repr(error)
            cause = next((words for sign, words in _CAUSES.items() if sign in text), "the connection broke")
            return f"Prometheus at {place} can't be reached: {cause}"
        case requests.exceptions.InvalidJSONError():
            return strange(place)
        case requests.exceptions.RequestException():
            return f"Prometheus at {place} can't be asked: {type(error).__name__}"
        case _:
            return f"the certificates for Prometheus at {place} can't be read"


def strange(place: str) -> str:
    """Say that whatever answers isn't Prometheus."""
    return f"{place} gives answers that are not Prometheus's"


def late(place: str, timeout_s: float) -> str:
    """Say that the deadline has passed."""
    return f"Prometheus at {place} does not answer within {timeout_s:g} s"


def _refusal(place: str, status: int, body: bytes) -> Exception:
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        said = _said(body)
        if "too many samples" in said:
            return TooLarge(f"Prometheus at {place} won't read so many samples in one query")
        return BadQuery(f"Prometheus at {place} refuses the query: {said}")
    if status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_URI_TOO_LONG}:
        return TooLarge(f"{place} finds the query too long (HTTP {status})")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Unavailable(f"{place} redirects (HTTP {status}): give the final URL of Prometheus")
    text = _STATUS.get(status, "Prometheus at {place} fails").format(place=place)
    return Unavailable(f"{text} (HTTP {status})")


def _said(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return "it doesn't say why"
    return str(error)[:_SHOWN]
