"""The demo's model server, in which the instrument library can be taken out and put back while it runs.

`python -m bench.instrument` starts it with the Python of the demo's server. Two servers differ by how their memory
lies, which is as much as the library costs; one server that is compared with itself does not. SIGUSR1 takes the library
out, SIGUSR2 puts it back; connections that are open keep what they have.
"""

# ruff: noqa: SLF001 # neither MLServer nor uvicorn has public names for what is switched

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import uvloop  # type: ignore[import-not-found] # installed in the demo server's environment only
from mlserver import MLServer  # type: ignore[import-not-found] # see above
from prometheus_client import REGISTRY

from demo.model import serve
from seatrial_instrument.request import VERSION_HEADER

if TYPE_CHECKING:
    from mlserver import Settings


class Switched(MLServer):  # type: ignore[misc] # the base class is known in the demo server's environment only
    """A server that listens for the two signals."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._plain = self._rest_server._app
        loop = asyncio.get_running_loop()
        for number, is_on in ((signal.SIGUSR1, False), (signal.SIGUSR2, True)):
            loop.add_signal_handler(number, self._begin, is_on)

    def _begin(self, is_on: bool) -> None:
        self._switching = asyncio.create_task(self._switch(is_on))

    async def _switch(self, is_on: bool) -> None:
        """Leave out all that the demo's server without the library doesn't do: middleware, observing, metrics page.

        That one names its version by a header of uvicorn's.
        """
        rest = self._rest_server
        model = await self._model_registry.get_model(serve.MODEL)
        instrument = model.settings.parameters.extra["instrument"]
        if is_on == (model._instrument is not None):
            return
        model._instrument = instrument if is_on else None
        # uvicorn puts its own middleware around the application; a connection takes what is there when it is made.
        rest._server.config.loaded_app.app = rest._app if is_on else self._plain
        version = (VERSION_HEADER.encode(), model.version.encode())
        for place, name in ((rest._server.config, "encoded_headers"), (rest._server.server_state, "default_headers")):
            others = [header for header in getattr(place, name) if header != version]
            setattr(place, name, others if is_on else [*others, version])
        (REGISTRY.register if is_on else REGISTRY.unregister)(instrument)


if __name__ == "__main__":
    serve.MLServer = Switched  # type: ignore[attr-defined] # it is imported there
    uvloop.install()
    asyncio.run(serve.main())
