"""A way to the API server that can be blocked: bytes go through, go nowhere, or the connections break."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Relay:
    """Passes the bytes of TCP connections on to a port of loopback while it is open."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.target_port = target_port
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def connections(self) -> int:
        """Connections that go through it now."""
        return len(self._writers) // 2

    def hang(self) -> None:
        """Take bytes from now on and let none through, in either direction."""
        self._open.clear()

    def resume(self) -> None:
        self._open.set()

    def cut(self) -> None:
        """Break all connections that there are."""
        for writer in list(self._writers):
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Relay]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.resume()
            self.cut()

    def kubeconfig(self, original: Path, folder: Path) -> Path:
        """Write a kubeconfig whose way to the API server leads through here."""
        config = json.loads(original.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        path = folder / "kubeconfig-through-relay"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        return path

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        try:
            upstream, downstream = await asyncio.open_connection("127.0.0.1", self.target_port)
            ends.add(downstream)
            self._writers |= ends
            await asyncio.gather(self._pass_on(reader, downstream), self._pass_on(upstream, writer))
        except OSError:
            pass  # one side has closed, or was cut
        finally:
            self._writers -= ends
            for each in ends:
                each.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._open.wait()
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError("one side has closed")
