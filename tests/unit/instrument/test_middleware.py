"""The middleware inside real servers: uvicorn and wsgiref, asked over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import os
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import uvicorn
from typing_extensions import override

from seatrial_instrument import ErrorType, Instrument, Profile, current
from seatrial_instrument.middleware import ASGIMiddleware, WSGIMiddleware
from seatrial_instrument.request import request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

SEEN: list[str] = []


async def asgi_model(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    request = current.get()
    SEEN.append(request.id if request else "")
    path = scope["path"]
    if path == "/crash":
        raise RuntimeError("planned")
    if path == "/slow":
        await asyncio.sleep(30)
    if path == "/schema" and request:
        request.error_type = ErrorType.SCHEMA
    status = int(path.removeprefix("/status/")) if path.startswith("/status/") else 200
    headers = [(b"content-type", b"text/plain"), (b"X-Model-Version", b"wrong")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"o", "more_body": True})
    if path == "/half":
        raise RuntimeError("planned")
    await send({"type": "http.response.body", "body": b"k"})


def wsgi_model(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    request = current.get()
    SEEN.append(request.id if request else "")
    path = environ["PATH_INFO"]
    if path == "/crash":
        raise RuntimeError("planned")
    if path == "/schema" and request:
        request.error_type = ErrorType.SCHEMA
    status = path.removeprefix("/status/") if path.startswith("/status/") else "200"
    start_response(f"{status} Whatever", [("content-type", "text/plain"), ("X-Model-Version", "wrong")])
    return half() if path == "/half" else [b"o", b"k"]


def half() -> Iterator[bytes]:
    SEEN.append(current.get().id)  # type: ignore[union-attr] # the answer's body still belongs to the request
    yield b"o"
    raise RuntimeError("planned")


class Quiet(WSGIRequestHandler):
    @override
    def log_message(self, *_: object) -> None:
        pass

    @override
    def get_stderr(self) -> Any:
        return io.StringIO()


@pytest.fixture(params=["asgi", "wsgi"])
def ask(
    request: pytest.FixtureRequest, make: Callable[..., Instrument], reference: Profile
) -> Iterator[Callable[..., Any]]:
    """Serve, and give a function that sends one request and returns the answer."""
    instrument = make(reference, latency_edges_s=(0.3, 20))
    SEEN.clear()
    if request.param == "asgi":
        app = ASGIMiddleware(asgi_model, instrument, version="7")
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(20)
    else:
        httpd = make_server("127.0.0.1", 0, WSGIMiddleware(wsgi_model, instrument, version="7"), handler_class=Quiet)
        port = httpd.server_port
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()

        def stop() -> None:
            httpd.shutdown()
            httpd.server_close()
            thread.join(20)

    def asked(path: str, method: str = "POST", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, body=b"{}" if method == "POST" else None, headers=named)
        answer = connection.getresponse()
        with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
            answer.read()
        connection.close()
        return answer

    yield asked
    stop()


@pytest.fixture
def eventually(value: Callable[..., float | None]) -> Callable[..., None]:
    """Wait until a sample has a value: a request is counted just after the client has its answer."""

    def wait(expected: float, sample: str, **labels: str) -> None:
        deadline_s = time.monotonic() + 10
        while value(sample, **labels) != expected:
            assert time.monotonic() < deadline_s, (sample, labels, value(sample, **labels))
            time.sleep(0.01)

    return wait


def test_the_answer_names_version_and_request(ask: Callable[..., Any]) -> None:
    answer = ask("/predict", x_request_id="abc-1")
    assert answer.status == 200
    assert answer.headers.get_all("x-model-version") == ["7"]
    assert answer.headers.get_all("x-request-id") == ["abc-1"]
    assert SEEN == ["abc-1"]


@pytest.mark.parametrize("sent", [{}, {"x_request_id": "a b"}, {"x_request_id": "x" * 129}])
def test_a_request_without_a_proper_id_gets_one(ask: Callable[..., Any], sent: dict[str, str]) -> None:
    first, second = ask("/", **sent).headers["x-request-id"], ask("/", **sent).headers["x-request-id"]
    assert all(re.fullmatch(r"[0-9a-f]{24}-\d+", given) for given in (first, second))
    assert first != second
    assert [first, second] == SEEN


def test_processes_give_ids_of_their_own() -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, request_of(None, "", None, None).id.encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs, ours = os.read(read, 100).decode(), request_of(None, "", None, None).id
    assert theirs.partition("-")[0] != ours.partition("-")[0]


@pytest.mark.parametrize("given", ["a b", "", "ä", "a\n", "x" * 129, "\x00", "-;-"])
def test_an_id_that_could_spoil_a_log_is_replaced(given: str) -> None:
    assert request_of(given, "", None, None).id != given


@pytest.mark.parametrize("given", ["abc-1", "4f1c5a3e-1111-2222-3333-0123456789ab", "a.b:c+d/e=f_G", "x" * 128])
def test_a_sound_id_is_kept(given: str) -> None:
    assert request_of(given, "", None, None).id == given


@pytest.mark.parametrize(
    ("path", "error_type"),
    [
        ("/predict", ""), ("/status/404", "client"), ("/status/422", "client"), ("/status/429", "rejected"),
        ("/status/503", "rejected"), ("/status/504", "timeout"), ("/status/500", "backend"), ("/schema", "schema"),
        ("/crash", "backend"), ("/half", "backend"),
    ],
)  # fmt: skip
def test_requests_are_counted_by_error(
    ask: Callable[..., Any],
    eventually: Callable[..., None],
    value: Callable[..., float | None],
    path: str,
    error_type: str,
) -> None:
    ask(path)
    eventually(1, "ml_model_requests_total", error_type=error_type)
    eventually(1, "ml_model_request_duration_seconds_count")
    assert value("ml_model_request_duration_seconds_bucket", le="20.0") == 1
    assert value("ml_model_shadow_requests_total", error_type="") == 0


def test_other_requests_are_not_counted(ask: Callable[..., Any], value: Callable[..., float | None]) -> None:
    answer = ask("/health", "GET")
    assert answer.headers["x-request-id"] is None
    ask("/predict")
    assert value("ml_model_request_duration_seconds_count") in {0, 1}


@pytest.mark.parametrize(
    "headers", [{"host": "digits.example-shadow"}, {"host": "d-shadow:80"}, {"x_seatrial_shadow": "1"}]
)
def test_mirrored_requests_are_counted_like_others_and_apart(
    ask: Callable[..., Any],
    eventually: Callable[..., None],
    value: Callable[..., float | None],
    headers: dict[str, str],
) -> None:
    ask("/status/500", **headers)
    eventually(1, "ml_model_shadow_requests_total", error_type="backend")
    eventually(1, "ml_model_request_duration_seconds_count")
    assert value("ml_model_requests_total", error_type="backend") == 1


def test_warm_up_requests_are_counted_apart(
    ask: Callable[..., Any], eventually: Callable[..., None], value: Callable[..., float | None]
) -> None:
    ask("/predict", x_seatrial_warm_up="1")
    eventually(1, "ml_model_warmup_requests_total")
    assert value("ml_model_request_duration_seconds_count") == 0


def test_a_client_that_goes_away_is_not_the_models_fault(
    make: Callable[..., Instrument], reference: Profile, value: Callable[..., float | None]
) -> None:
    """A server cancels the request of a client that has gone."""
    app = ASGIMiddleware(asgi_model, make(reference), version="7")

    async def scenario() -> None:
        scope = {"type": "http", "method": "POST", "path": "/slow", "headers": []}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(app(scope, receive=never, send=never), 0.05)

    asyncio.run(scenario())
    assert value("ml_model_requests_total", error_type="client") == 1


def test_a_message_that_the_application_keeps_is_not_changed(
    make: Callable[..., Instrument], reference: Profile
) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
    sent: list[Any] = []

    async def model(_scope: Any, _receive: Any, send: Any) -> None:
        await send(start)

    async def take(message: Any) -> None:
        sent.append(message)

    app = ASGIMiddleware(model, make(reference), version="7")
    for name in (b"1", b"2"):
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"x-request-id", name)]}
        asyncio.run(app(scope, receive=never, send=take))
    assert start["headers"] == [(b"a", b"b")]
    ours = [(b"x-model-version", b"7"), (b"x-request-id", b"1"), (b"a", b"b")]
    assert sent[0]["headers"] == ours
    assert sent[1]["headers"] == [ours[0], (b"x-request-id", b"2"), ours[2]]


async def never(*_: object) -> Any:
    await asyncio.sleep(3600)


@pytest.mark.parametrize(("pattern", "counted"), [("/v2/models/[^/]+/infer$", 1), ("/other", 0)])
def test_paths_say_what_inference_is(
    make: Callable[..., Instrument], reference: Profile, value: Callable[..., float | None], pattern: str, counted: int
) -> None:
    app = WSGIMiddleware(wsgi_model, make(reference), version="7", paths=pattern)
    body: Any = app({"REQUEST_METHOD": "POST", "PATH_INFO": "/v2/models/digits/infer"}, lambda *_: lambda _bytes: None)
    assert list(body) == [b"o", b"k"]
    if hasattr(body, "close"):
        body.close()
    assert value("ml_model_requests_total", error_type="") == counted
