"""The gateway of the control-plane level: ``python -m cluster.simulator KUBECONFIG HOST:PORT``.

It answers real requests as the HTTPRoutes say, plays those that nobody sends (see `cluster.simulation`), shows the
metrics of all pods at ``/simulator/metrics``, and tells the routes that they are in force: a gateway controller's work.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any

from cluster.api_watch import Api
from cluster.simulation import GOOD, NO_BACKEND, World

_PLAY_EVERY_S = 0.25
_LABELLED = "labelSelector=seatrial.dev%2Fmodel"
_ROUTES = "/apis/gateway.networking.k8s.io/v1"
_PATHS = {
    "pods": f"/api/v1/pods?{_LABELLED}",
    "services": f"/api/v1/services?{_LABELLED}",
    "httproutes": f"{_ROUTES}/httproutes",
}
_CONTROLLER = "seatrial.dev/simulator"
_METRICS = "/simulator/metrics"


class Simulator:
    """The world, its clock and its door."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._world = World()
        self._random = Random()  # noqa: S311 - traffic, not keys
        self._writers = ThreadPoolExecutor(4)
        self._answered: dict[str, int] = {}  # generation of each route that its status speaks of

    async def run(self, host: str, port: int) -> None:
        """Serve for ever."""
        loop = asyncio.get_running_loop()
        for kind, path in _PATHS.items():
            self._api.watch(path, partial(self._hear, loop, kind))
        server = await asyncio.start_server(self._serve, host, port)
        async with server:
            await self._play()

    def _hear(self, loop: asyncio.AbstractEventLoop, kind: str, body: dict[str, Any], gone: bool) -> None:
        """Hand over what a watching thread saw."""
        loop.call_soon_threadsafe(partial(self._see, kind, body, gone=gone))

    def _see(self, kind: str, body: dict[str, Any], *, gone: bool) -> None:
        self._world.see(kind, body, gone=gone)
        uid, generation = body["metadata"]["uid"], body["metadata"].get("generation", 0)
        if kind == "httproutes" and not gone and self._answered.get(uid) != generation:
            self._answered[uid] = generation
            metadata = body["metadata"]
            path = f"{_ROUTES}/namespaces/{metadata['namespace']}/httproutes/{metadata['name']}/status"
            self._writers.submit(self._api.patch, path, accepted(body))

    async def _play(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(_PLAY_EVERY_S)
            now = time.monotonic()
            self._world.play(now - last, self._random)
            last = now

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read_request(reader):
                path, host = request
                if path == _METRICS:
                    page = self._world.page().encode()
                    writer.write(_answer(GOOD, page, {"Content-Type": "text/plain; version=0.0.4"}))
                else:
                    writer.write(await self._route(path, host))
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass  # the client went away, or does not speak HTTP
        finally:
            writer.close()

    async def _route(self, path: str, host: str) -> bytes:
        name = self._world.route(host)
        if name is None:
            return _answer(HTTPStatus.NOT_FOUND, b"no route for this host", {})
        pod = self._world.backend(name, path, self._random)
        if pod is None:
            return _answer(NO_BACKEND, b"no ready pod", {})
        status, latency_s = pod.answer(self._random)
        await asyncio.sleep(latency_s)
        outputs = [{"name": "predict", "shape": [1], "datatype": "INT64", "data": [self._random.randrange(10)]}]
        body = {"model_version": pod.version, "outputs": outputs} if status == GOOD else {"error": "simulated"}
        headers = {"Content-Type": "application/json", "x-model-version": pod.version}
        return _answer(status, json.dumps(body).encode(), headers)


def accepted(route: dict[str, Any]) -> dict[str, Any]:
    """Return the status by which a gateway controller says that this generation of a route is in force."""
    metadata, now = route["metadata"], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": kind,
            "message": "played by the simulator",
            "observedGeneration": metadata.get("generation", 0),
            "lastTransitionTime": now,
        }
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parents = [
        {"parentRef": parent, "controllerName": _CONTROLLER, "conditions": conditions}
        for parent in route["spec"].get("parentRefs", [])
    ]
    return {"status": {"parents": parents}}


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str] | None:
    """Read one request; return (path, host without port), or None at the end of the connection."""
    line = await reader.readline()
    if not line:
        return None
    path = line.split()[1].decode()
    headers: dict[str, str] = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    await reader.readexactly(int(headers.get("content-length", 0)))
    return path.partition("?")[0], headers.get("host", "").partition(":")[0]


def _answer(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def main() -> None:
    """Run as the two arguments say."""
    kubeconfig, address = sys.argv[1:]
    host, _, port = address.rpartition(":")
    asyncio.run(Simulator(Api(Path(kubeconfig))).run(host, int(port)))


if __name__ == "__main__":
    main()
