"""What a model server is asked, by a real one on this machine, and what becomes of its answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from seatrial.controller import model_server
from seatrial.controller.model_server import HttpModelServer, NotYet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MODEL = "/v2/models/scorer"
SIGNATURE = {"name": "scorer", "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}], "outputs": []}


@contextlib.asynccontextmanager
async def serving(method: str, path: str, answer: Handler) -> AsyncIterator[tuple[HttpModelServer, str]]:
    """Serve one path on loopback; yield what asks, and the URL of the server."""
    app = web.Application()
    app.router.add_route(method, path, answer)
    async with TestServer(app) as server, HttpModelServer() as asking:
        yield asking, f"http://{server.host}:{server.port}"


def says(status: int = 200, text: str = "", headers: dict[str, str] | None = None) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return answer


async def test_a_model_that_says_so_is_ready() -> None:
    async with serving("GET", f"{MODEL}/ready", says()) as (asking, url):
        await asking.ready(f"{url}{MODEL}/ready")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (says(503, "secret"), f"^GET {MODEL}/ready is answered with 503$"),
        (says(302, headers={"Location": MODEL}), "is answered with 302"),
    ],
    ids=["loading", "sent elsewhere"],
)
async def test_any_other_answer_is_told_without_its_text(answer: Handler, sentence: str) -> None:
    async with serving("GET", f"{MODEL}/ready", answer) as (asking, url):
        with pytest.raises(NotYet, match=sentence):
            await asking.ready(f"{url}{MODEL}/ready")


async def test_nobody_there_is_told() -> None:
    async with serving("GET", "/", says()) as (asking, url):
        pass
    async with HttpModelServer() as asking:
        with pytest.raises(NotYet, match=r"^GET / fails \(ClientConnectorError\)$"):
            await asking.ready(f"{url}/")


async def test_a_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                await response.write(b".")
                await asyncio.sleep(0)
        return response

    monkeypatch.setattr(model_server, "CALL_S", 1e-3)
    async with serving("GET", "/", drip) as (asking, url):
        with pytest.raises(NotYet, match=r"^no answer to GET / within 0.001 s$"):
            await asking.ready(f"{url}/")


async def test_a_prediction_is_posted_as_it_was_written() -> None:
    bodies = []

    async def infer(request: web.Request) -> web.Response:
        bodies.append((request.content_type, await request.text()))
        return web.json_response({"outputs": []})

    async with serving("POST", f"{MODEL}/infer", infer) as (asking, url):
        await asking.predict(f"{url}{MODEL}/infer", '{"inputs": [1, 2]}')
    assert bodies == [("application/json", '{"inputs": [1, 2]}')]


async def test_a_model_tells_what_it_takes() -> None:
    async def metadata(_: web.Request) -> web.Response:
        return web.json_response(SIGNATURE)

    async with serving("GET", MODEL, metadata) as (asking, url):
        found = await asking.signature(f"{url}{MODEL}")
    assert found.inputs["x"].shape == (-1, 4)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<html>", "they are no JSON"),
        ("{}", "name no inputs"),
        ('{"inputs": "' + "x" * model_server.LARGEST_METADATA + '"}', "they are no JSON"),
    ],
    ids=["a page", "nothing", "endless"],
)
async def test_what_is_no_signature_is_told(text: str, sentence: str) -> None:
    async with serving("GET", MODEL, says(text=text)) as (asking, url):
        with pytest.raises(NotYet, match=sentence):
            await asking.signature(f"{url}{MODEL}")


async def test_it_asks_only_while_it_is_open() -> None:
    with pytest.raises(RuntimeError, match="outside its `async with` block"):
        await HttpModelServer().ready("http://127.0.0.1/")
