"""Configuration, readiness and autoscaling with real controllers, kubelets and a real model server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import kubectl
from tests.cluster.ship import NAME

if TYPE_CHECKING:
    from tests.cluster.ship import Raw, Ship

pytestmark = pytest.mark.cluster

IMAGE = [0.0] * 64
WORD = "hunter2"
CALL = {"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": IMAGE}]}


async def hold(ship: Ship, kind: str, name: str, **data: str) -> None:
    """Write a ConfigMap or Secret as a user does."""
    meta = {"name": name, "namespace": ship.namespace}
    field = "stringData" if kind == "Secret" else "data"
    await ship.apply({"apiVersion": "v1", "kind": kind, "metadata": meta, field: data})


def asked(ship: Ship, label: str) -> Raw:
    """Write a version that reads configuration, is scaled by an autoscaler, and is asked before it gets weight."""
    made = ship.manifest(label)
    spec = made["spec"]
    del spec["replicas"]
    spec["autoscaling"] = {"min": 1, "max": 2}
    inference = {"openInference": {"model": "digits"}, "signature": "ignore"}
    spec["readiness"] = inference | {"warmUp": {"configMap": "calls", "calls": 3}}
    container = spec["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": "words"}}, {"secretRef": {"name": "key"}}]
    return made


async def names(ship: Ship, kinds: str) -> list[str]:
    listed = await kubectl(
        "get", kinds, "--namespace", ship.namespace, "--selector=seatrial.dev/model", "--output=name"
    )
    return listed.split()


async def test_a_changed_configmap_goes_through_a_trial_and_the_old_copy_goes_with_its_version(ship: Ship) -> None:
    await hold(ship, "ConfigMap", "calls", a=json.dumps(CALL))
    await hold(ship, "ConfigMap", "words", GREETING="hello")
    await hold(ship, "Secret", "key", TOKEN=WORD)
    await ship.apply(asked(ship, "1"))
    first = (await ship.serving())["stable"]["hash"]
    async with ship.load() as load:
        await hold(ship, "ConfigMap", "words", GREETING="goodbye")
        status = await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["hash"] != first, 240)
        assert await ship.lost(load) == []
    second = status["stable"]["hash"]
    await ship.until(lambda s: not s.get("draining"))
    async with asyncio.timeout(60):
        copies = await names(ship, "configmaps,secrets")
        while any(first in name for name in copies):  # the garbage collector takes its time
            copies = await names(ship, "configmaps,secrets")
    assert len(copies) == 2
    assert all(f"{NAME}-{second}-" in name for name in copies)
    for kind in ("controllerrevisions", "horizontalpodautoscalers", "poddisruptionbudgets"):
        assert [name.rsplit("/", 1)[1] for name in await names(ship, kind)] == [f"{NAME}-{second}"]
    assert WORD not in json.dumps(ship.md.latest)


async def test_stables_deployment_that_is_deleted_in_a_trial_is_built_again(ship: Ship) -> None:
    await ship.serve()
    first = ship.status["stable"]["hash"]
    await ship.apply(ship.manifest("2", steps=[{"weight": 50, "for": "10m"}]))
    await ship.until(lambda s: s["phase"] == "Trial" and s["weight"] == 50)
    await kubectl("delete", "deployment", f"{NAME}-{first}", "--namespace", ship.namespace, "--wait=true")
    await kubectl("wait", "--for=create", f"deployment/{NAME}-{first}", "--namespace", ship.namespace, "--timeout=30s")
    await kubectl("rollout", "status", f"deployment/{NAME}-{first}", "--namespace", ship.namespace, timeout_s=90.0)
    assert ship.status["stable"]["hash"] == first
