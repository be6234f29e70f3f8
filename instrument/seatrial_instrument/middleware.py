"""Middleware for ASGI and WSGI: counts requests, and says in the answer which version gave it and to which request."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from seatrial_instrument.request import (
    REQUEST_ID_HEADER,
    SHADOW_HEADER,
    VERSION_HEADER,
    WARM_UP_HEADER,
    ErrorType,
    Request,
    current,
    error_type_of,
    request_of,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from seatrial_instrument.instrument import Instrument

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    ASGIApplication = Callable[[Message, Receive, Send], Awaitable[None]]
    ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

_OURS: Final = {VERSION_HEADER, REQUEST_ID_HEADER}
_WRITTEN: Final = {name.encode() for name in _OURS}
_LENGTHS: Final = {len(name) for name in _WRITTEN}
_REQUEST_ID, _WARM_UP, _SHADOW = (name.encode() for name in (REQUEST_ID_HEADER, WARM_UP_HEADER, SHADOW_HEADER))

_NONE: Final = ErrorType.NONE
_OK: Final = 200
_MOST_PATHS: Final = 256


class _Middleware:
    """What both kinds share.

    Parameters
    ----------
    instrument
        Counts the requests.
    version
        What the answers call the version, in the header `x-model-version`.
    paths
        Pattern of the paths that are inference, matched from the start; default: every POST. Other requests (health,
        metrics, metadata) are passed on uncounted.
    """

    def __init__(self, instrument: Instrument, version: str, paths: str | None) -> None:
        self._instrument, self._version = instrument, version
        # Remembered by path: between two requests of a busy server a regular expression costs more than all else here.
        self._match = lru_cache(_MOST_PATHS)(re.compile(paths).match) if paths else None

    def _counts(self, method: str, path: str) -> bool:
        return bool(self._match(path)) if self._match else method == "POST"


class ASGIMiddleware(_Middleware):
    """Counts the requests of an ASGI application.

    Parameters
    ----------
    app
        The application.
    instrument, version, paths
        As above: who counts, what the answers call the version, and which paths are inference.
    """

    def __init__(self, app: ASGIApplication, instrument: Instrument, *, version: str, paths: str | None = None) -> None:
        super().__init__(instrument, version, paths)
        self._app = app
        self._version_header = (VERSION_HEADER.encode(), version.encode("latin-1"))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it when its answer is complete."""
        match = self._match
        if scope["type"] != "http" or not (match(scope["path"]) if match else scope["method"] == "POST"):
            await self._app(scope, receive, self._last(send) if scope["type"] == "lifespan" else send)
            return
        began_s = perf_counter()
        # The way of every request: nearly all in one function, as each that is called is fetched from memory anew.
        sent = dict(scope["headers"])
        given = sent.get(_REQUEST_ID, b"").decode("latin-1")
        request = request_of(given, sent.get(b"host", b"").decode("latin-1"), sent.get(_WARM_UP), sent.get(_SHADOW))
        status: int | None = None

        def send_on(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [self._version_header, (_REQUEST_ID, request.id.encode())]
                for header in message.get("headers", ()):
                    if len(header[0]) not in _LENGTHS or header[0].lower() not in _WRITTEN:
                        headers.append(header)  # noqa: PERF401 # a comprehension is another function to call
                message = {**message, "headers": headers}
            return send(message)

        token = current.set(request)
        error: ErrorType | None = None
        try:
            await self._app(scope, receive, send_on)
        except asyncio.CancelledError:
            error = ErrorType.CLIENT  # a server cancels when the client has gone
            raise
        except BaseException:
            status = None  # the answer broke off, whatever it began with
            raise
        finally:
            current.reset(token)
            error = error or request.error_type or (_NONE if status == _OK else error_type_of(status))
            self._instrument.request(perf_counter() - began_s, error, request.kind)

    def _last(self, send: Send) -> Send:
        """Close the instrument before the server ends: uvicorn then ends by a signal, which runs nothing any more."""

        async def send_on(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await asyncio.to_thread(self._instrument.close)
            await send(message)

        return send_on


class WSGIMiddleware(_Middleware):
    """Counts the requests of a WSGI application.

    Parameters
    ----------
    app
        The application.
    instrument, version, paths
        As above: who counts, what the answers call the version, and which paths are inference.
    """

    def __init__(self, app: WSGIApplication, instrument: Instrument, *, version: str, paths: str | None = None) -> None:
        super().__init__(instrument, version, paths)
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on; it is counted when the server closes its answer."""
        if not self._counts(environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")):
            return self._app(environ, start_response)
        began_s = perf_counter()

        def sent(name: str) -> str | None:
            return environ.get("HTTP_" + name.upper().replace("-", "_"))

        request = request_of(sent(REQUEST_ID_HEADER), sent("host") or "", sent(WARM_UP_HEADER), sent(SHADOW_HEADER))
        statuses: list[int] = []

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            statuses.append(int(status.split(maxsplit=1)[0]))
            kept = [(name, value) for name, value in headers if name.lower() not in _OURS]
            kept += [(VERSION_HEADER, self._version), (REQUEST_ID_HEADER, request.id)]
            return start_response(status, kept, exc_info) if exc_info else start_response(status, kept)

        def finish(error: ErrorType | None) -> None:
            error = error or request.error_type or error_type_of(statuses[-1] if statuses else None)
            self._instrument.request(perf_counter() - began_s, error, request.kind)

        token = current.set(request)
        try:
            body = self._app(environ, start)
        except BaseException:
            finish(ErrorType.BACKEND)
            raise
        finally:
            current.reset(token)
        return _Body(body, request, finish)


class _Body:
    """The answer of a WSGI application: tells when it is over."""

    def __init__(self, body: Iterable[bytes], request: Request, finish: Callable[[ErrorType | None], None]) -> None:
        self._body, self._request = body, request
        self._finish: Callable[[ErrorType | None], None] | None = finish
        self._parts = iter(body)
        self._error: ErrorType | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = current.set(self._request)
        try:
            return next(self._parts)
        except StopIteration:
            raise
        except BaseException:
            self._error = ErrorType.BACKEND
            raise
        finally:
            current.reset(token)

    def close(self) -> None:
        """Count the request; a server calls this whatever happened, and some call it twice."""
        try:
            if close := getattr(self._body, "close", None):
                close()
        finally:
            finish, self._finish = self._finish, None
            if finish:
                finish(self._error)
