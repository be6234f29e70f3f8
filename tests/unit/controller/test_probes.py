"""Probes ask real servers on this machine, for pods that stand in the cache."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from seatrial.api.capacity import OpenInference, Readiness
from seatrial.controller.cache import Cache, Key
from seatrial.controller.model_server import HttpModelServer
from seatrial.controller.probes import Ask, Probes
from seatrial.controller.telemetry import Telemetry
from seatrial.kube.client import Kube
from seatrial.rollout.capacity import Fitness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = Key("ml", "scorer")
OLD, NEW = "a" * 10, "b" * 10


def pod(version: str, name: str) -> dict[str, Any]:
    labels = {"seatrial.dev/model": "scorer", "seatrial.dev/version": version}
    meta = {"name": name, "namespace": "ml", "uid": name, "resourceVersion": "1", "labels": labels}
    ready = [{"type": "Ready", "status": "True"}]
    return {"metadata": meta, "status": {"conditions": ready, "podIP": "127.0.0.1"}}


@contextlib.asynccontextmanager
async def model(*inputs: str, status: int = 200) -> AsyncIterator[int]:
    """Serve a model that takes these inputs; yield the port."""

    async def ready(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async def metadata(_: web.Request) -> web.Response:
        return web.json_response({"inputs": [{"name": one, "datatype": "FP32", "shape": [1]} for one in inputs]})

    app = web.Application()
    app.router.add_get("/v2/models/m/ready", ready)
    app.router.add_get("/v2/models/m", metadata)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port
        yield server.port


class Rig:
    """Probes over a cache, and what they have woken."""

    def __init__(self, server: HttpModelServer) -> None:
        self.cache = Cache()
        self.woken = asyncio.Event()
        self.probes = Probes(Kube(), self.cache, server, Telemetry(), lambda _: self.woken.set())

    async def learn(self, ask: Ask) -> Fitness:
        """Look, wait until something is known, and look again."""
        self.woken.clear()
        self.probes.look(KEY, ask)
        async with asyncio.timeout(5):
            await self.woken.wait()
        found = self.probes.look(KEY, ask)
        assert found is not None
        return found


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with HttpModelServer() as server:
        made = Rig(server)
        async with made.probes:
            yield made


def asks(port: int, stable_port: int = 0, **changes: Any) -> Ask:
    readiness = Readiness(open_inference=OpenInference(model="m"), **changes)
    return Ask(NEW, port, readiness, OLD if stable_port else None, stable_port)


async def test_each_pod_of_the_candidate_is_asked(rig: Rig) -> None:
    rig.cache.put("Pod", pod(NEW, "one"))
    async with model("x") as port:
        assert await rig.learn(asks(port)) == Fitness(1)
        rig.cache.put("Pod", pod(NEW, "two"))
        assert await rig.learn(asks(port)) == Fitness(2)
    assert rig.probes.look(KEY, None) is None


async def test_a_model_that_loads_is_told_by_its_pod(rig: Rig) -> None:
    rig.cache.put("Pod", pod(NEW, "one"))
    async with model(status=503) as port:
        found = await rig.learn(asks(port))
    assert found == Fitness(0, "pod one: GET /v2/models/m/ready is answered with 503")


async def test_a_model_that_takes_something_else_differs_from_stable(rig: Rig) -> None:
    rig.cache.put("Pod", pod(NEW, "new"))
    rig.cache.put("Pod", pod(OLD, "old"))
    async with model("x") as old, model("x", "z") as new:
        found = await rig.learn(asks(new, old))
        assert found == Fitness(1, mismatch="it needs an input z, which callers don't send")
        assert await rig.learn(asks(new, old, signature="ignore")) == Fitness(1)


async def test_without_a_ready_pod_of_stable_there_is_nothing_to_compare_with(rig: Rig) -> None:
    rig.cache.put("Pod", pod(NEW, "new"))
    async with model("x") as new:
        found = await rig.learn(asks(new, 1))
    assert found == Fitness(0, "pod new: stable has no ready pod to compare inputs and outputs with")


async def test_a_pod_that_goes_is_forgotten(rig: Rig) -> None:
    rig.cache.put("Pod", pod(NEW, "one"))
    async with model("x") as port:
        assert await rig.learn(asks(port)) == Fitness(1)
        rig.cache.drop("Pod", pod(NEW, "one"))
        assert rig.probes.look(KEY, asks(port)) == Fitness(0)
