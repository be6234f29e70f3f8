"""Readiness of models, autoscalers and the line of trials: API server and model servers are real, pods are played."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer

from seatrial.api.status import ModelDeploymentStatus, Phase
from seatrial.kube.errors import Conflict
from tests.apiserver.controller.stage import eventually, on_trial, rests_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.apiserver.controller.stage import Raw, Stage

LONG = [{"weight": 10, "for": "1h"}]
SHORT = [{"weight": 50, "for": "3s", "minRequests": 1}]
ASKED = {"openInference": {"model": "scorer"}, "warmUp": {"configMap": "calls", "calls": 3}}


class Model:
    """A model server on loopback that counts what it is asked."""

    def __init__(self) -> None:
        self.ready = False
        self.inputs = ["x"]
        self.bodies: list[str] = []
        self.app = web.Application()
        self.app.router.add_get("/v2/models/scorer/ready", self._ready)
        self.app.router.add_get("/v2/models/scorer", self._metadata)
        self.app.router.add_post("/v2/models/scorer/infer", self._infer)

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.ready else 503)

    async def _metadata(self, _: web.Request) -> web.Response:
        inputs = [{"name": name, "datatype": "FP32", "shape": [-1, 4]} for name in self.inputs]
        return web.json_response({"name": "scorer", "inputs": inputs, "outputs": []})

    async def _infer(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.text())
        return web.json_response({})


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[Model, int]]:
    model = Model()
    async with TestServer(model.app, host="127.0.0.1") as server:
        assert server.port
        yield model, server.port


async def play_pod(stage: Stage, version: str, name: str) -> None:
    """Play a ready pod of a version that is reached at loopback, and the account that pods need."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    with contextlib.suppress(Conflict):
        path = f"/api/v1/namespaces/{stage.namespace}/serviceaccounts"
        await stage.user._call("POST", path, "play a controller", body=account)
    pod = await stage.user.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": stage.namespace,
                "labels": {"seatrial.dev/model": "scorer", "seatrial.dev/version": version},
            },
            "spec": {"containers": [{"name": "server", "image": "scorer:1"}]},
        }
    )
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}], "conditions": [ready]}
    await stage.user._put({**pod, "status": status}, "play a kubelet", "status")


def says(status: ModelDeploymentStatus, reason: str) -> bool:
    return any(c.type == "Progressing" and c.reason == reason for c in status.conditions)


async def calls(stage: Stage) -> None:
    meta = {"name": "calls", "namespace": stage.namespace}
    data = {"b.json": "{}", "a.json": json.dumps({"inputs": []})}
    await stage.user.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})


async def test_a_model_is_asked_and_warmed_up_before_it_gets_any_weight(stage: Stage) -> None:
    await calls(stage)
    async with serving() as (old, old_port), serving() as (new, new_port), stage.operator():
        old.ready = True
        plan: Raw = {"spec__readiness": ASKED, "spec__strategy__steps": LONG, "spec__replicas": 1}
        first = await stage.deploy("1", spec__port=old_port, **plan)
        await play_pod(stage, first, "old")
        await stage.until(rests_on(first))
        assert old.bodies == ['{"inputs": []}', "{}", '{"inputs": []}']
        second = await stage.deploy("2", spec__port=new_port, **plan)
        await play_pod(stage, second, "new")
        status = await stage.until(lambda status: "answered with 503" in status.summary)
        assert says(status, "WaitingForModel")
        assert not await stage.weight(second)
        new.ready = True
        await stage.until(on_trial(second))
        assert len(new.bodies) == 3


async def test_a_model_that_takes_something_else_gets_no_weight(stage: Stage) -> None:
    async with serving() as (old, old_port), serving() as (new, new_port), stage.operator():
        old.ready = new.ready = True
        new.inputs = ["x", "z"]
        readiness = {"openInference": {"model": "scorer"}, "signature": "rollback"}
        plan: Raw = {"spec__readiness": readiness, "spec__strategy__steps": LONG, "spec__replicas": 1}
        first = await stage.deploy("1", spec__port=old_port, **plan)
        await play_pod(stage, first, "old")
        await stage.until(rests_on(first))
        second = await stage.deploy("2", spec__port=new_port, **plan)
        await play_pod(stage, second, "new")
        status = await stage.until(lambda status: status.phase is Phase.ROLLED_BACK)
        assert "it needs an input z, which callers don't send" in status.history[0].sentence
        assert all(weights.get(second, 0) == 0 for _, _, weights in stage.weights)


async def bounds(stage: Stage) -> dict[str, tuple[int, int]]:
    found = await stage.user.list("HorizontalPodAutoscaler", stage.namespace)
    return {
        item["metadata"]["labels"]["seatrial.dev/version"]: (item["spec"]["minReplicas"], item["spec"]["maxReplicas"])
        for item in found
    }


async def rescale(stage: Stage, version: str, replicas: int) -> None:
    """Set the number of pods as the controller of autoscalers does."""
    path = f"/apis/apps/v1/namespaces/{stage.namespace}/deployments/scorer-{version}/scale"
    query, kind = {"fieldManager": "kube-controller-manager"}, "application/merge-patch+json"
    body = {"spec": {"replicas": replicas}}
    await stage.user._call("PATCH", path, "play an autoscaler", query=query, body=body, content_type=kind)


async def replicas(stage: Stage, version: str) -> int:
    live = await stage.user.get("Deployment", stage.namespace, f"scorer-{version}")
    return int(live["spec"]["replicas"]) if live else 0


async def test_each_version_has_an_autoscaler_and_stables_floor_holds_while_a_trial_runs(stage: Stage) -> None:
    plan: Raw = {"spec__replicas": None, "spec__autoscaling": {"min": 1, "max": 9}}
    steps = [{"weight": 50, "for": "1h"}]
    async with stage.operator() as kube:
        first = await stage.deploy("1", spec__strategy__steps=steps, **plan)
        await stage.until(rests_on(first))
        await eventually(lambda: bounds(stage), {first: (1, 9)})
        await rescale(stage, first, 4)
        second = await stage.deploy("2", spec__strategy__steps=steps, **plan)
        await eventually(lambda: bounds(stage), {first: (4, 9), second: (2, 9)})
        await stage.until(on_trial(second, 50))
        assert (await replicas(stage, first), await replicas(stage, second)) == (4, 2)
        await rescale(stage, second, 3)
        await asyncio.sleep(0.5)
        assert await replicas(stage, second) == 3
        assert not [call for call in kube.calls if call.resource == "deployments/scale"]


async def test_somebody_elses_autoscaler_is_left_alone(stage: Stage) -> None:
    async with stage.operator() as kube:
        first = await stage.deploy("1")
        await stage.until(rests_on(first))
        await rescale(stage, first, 5)
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        await stage.until(on_trial(second))
        assert await replicas(stage, first) == 5
        assert not [call for call in kube.calls if call.resource == "deployments/scale"]


async def test_trials_wait_in_line_first_come_first_served(stage: Stage) -> None:
    names = ("one", "two", "three")
    async with stage.operator(max_trials=1):
        for name in names:
            version = await stage.deploy("1", name=name, spec__strategy__steps=SHORT)
            await stage.until(rests_on(version), name)
        versions = {}
        for number, name in enumerate(names):
            versions[name] = await stage.deploy("2", name=name, spec__strategy__steps=SHORT)
            phase = Phase.STARTING if number == 0 else None
            await stage.until(
                lambda status, phase=phase: status.phase is not Phase.STABLE if phase else status.queued is not None,  # type: ignore[misc] # a loop's name
                name,
            )
        for name in names:
            await stage.until(rests_on(versions[name]), name)
        ended = [(await stage.status(name)).history[0] for name in names]
        starts = [entry.started_at for entry in ended]
        assert starts == sorted(starts)
        assert all(later >= before.ended_at for later, before in zip(starts[1:], ended, strict=False))
