"""The demo's model server, with the instrument library or without it as each request asks, and the time that it takes.

`python -m bench.instrument` starts it with the Python of the demo's server. Two servers differ by how their memory
lies, and one server by what else the machine does from one second to the next; each is more than the library costs.
Requests that follow each other in one server have both in common.
"""

# ruff: noqa: SLF001 # neither MLServer nor uvicorn has public names for what is switched

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final

import uvloop  # type: ignore[import-not-found] # installed in the demo server's environment only
from mlserver import MLServer  # type: ignore[import-not-found] # see above
from prometheus_client import REGISTRY, generate_latest

from bench.sides import PAGE_PATH, SIDE_HEADER, TIMES_PATH
from demo.model import serve
from seatrial_instrument.request import VERSION_HEADER

if TYPE_CHECKING:
    from mlserver import ModelSettings, Settings

    from demo.model.runtime import DigitClassifier
    from seatrial_instrument import Instrument
    from seatrial_instrument.middleware import ASGIApplication, Message, Receive, Send

_SIDE: Final = SIDE_HEADER.encode()


class Either:
    """Answers with the library or without it, as a request's header says, and notes how long it took.

    Parameters
    ----------
    plain
        The application without the library's middleware.
    server
        Whose application it is; it has the middleware.
    """

    def __init__(self, plain: ASGIApplication, server: MLServer) -> None:
        self._apps = {b"off": plain, b"on": server._rest_server._app}
        self._server = server
        self._times_ns: dict[bytes, list[int]] = {b"off": [], b"on": []}
        self._pages_ns: dict[bytes, list[int]] = {b"off": [], b"on": []}
        self._running: bytes | None = None
        self._began_ns = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; its time ends when the next one is here."""
        now_ns = time.process_time_ns()
        if self._running:
            self._times_ns[self._running].append(now_ns - self._began_ns)
        side = self._running = dict(scope.get("headers", ())).get(_SIDE)
        if side is None:
            await self._serve_bench(scope, receive, send)
            return
        model = await self._server._model_registry.get_model(serve.MODEL)
        model._instrument = _instrument_of(model) if side == b"on" else None
        # Without the library the demo's server names its version by a header of uvicorn's.
        headers = self._server._rest_server._server.server_state.default_headers
        version = (VERSION_HEADER.encode(), model.version.encode())
        headers[:] = [header for header in headers if header != version] + [version] * (side == b"off")
        self._began_ns = time.process_time_ns()
        await self._apps[side](scope, receive, send)

    async def _serve_bench(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand over the times, or write the metrics page both ways; pass on whatever else there is."""
        if scope.get("path") == TIMES_PATH:
            found = (self._times_ns, self._pages_ns)
            body = json.dumps([{side.decode(): times for side, times in times_ns.items()} for times_ns in found])
        elif scope.get("path") == PAGE_PATH:
            instrument = _instrument_of(await self._server._model_registry.get_model(serve.MODEL))
            for side, switch in ((b"off", REGISTRY.unregister), (b"on", REGISTRY.register)):
                switch(instrument)
                began_ns = time.process_time_ns()
                body = generate_latest().decode()
                self._pages_ns[side].append(time.process_time_ns() - began_ns)
        else:
            await self._apps[b"off"](scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})


def _instrument_of(model: DigitClassifier) -> Instrument:
    instrument: Instrument = model.settings.parameters.extra["instrument"]
    return instrument


class Switched(MLServer):  # type: ignore[misc] # the base class is known in the demo server's environment only
    """The demo's server with `Either` in front."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._plain = self._rest_server._app

    async def start(self, models: list[ModelSettings]) -> None:
        """Serve; by now the demo's program has put the middleware around the application."""
        self._rest_server._app = Either(self._plain, self)
        await super().start(models)


if __name__ == "__main__":
    serve.MLServer = Switched  # type: ignore[attr-defined] # it is imported there
    uvloop.install()
    asyncio.run(serve.main())
