"""Models that come and go: left as orphans, adopted, handed back, and other people's tools beside them; under load."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import KubectlError, kubectl
from tests.cluster.ship import NAME, condition

if TYPE_CHECKING:
    from tests.cluster.ship import Raw, Ship

pytestmark = pytest.mark.cluster

OLD = f"{NAME}-by-hand"
ADOPT: Raw = {"deployment": OLD, "backendRef": {"name": OLD, "port": 8000}}


async def names(ship: Ship, kind: str) -> list[str]:
    listed = json.loads(await kubectl("get", kind, "--namespace", ship.namespace, "--output", "json"))
    return sorted(item["metadata"]["name"] for item in listed["items"])


async def serve_by_hand(ship: Ship) -> None:
    """Serve the model by a Deployment, a Service and an HTTPRoute, as people do."""
    spec = ship.manifest("0")["spec"]
    labels = {"app": OLD}
    meta = {"name": OLD, "namespace": ship.namespace}
    template = {"metadata": {"labels": labels}, "spec": spec["template"]["spec"]}
    scaled = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    await ship.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": scaled})
    ports = [{"port": 8000, "targetPort": spec["port"]}]
    await ship.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": ports}}
    )
    await ship.apply(route_by_hand(ship))
    await kubectl("rollout", "status", f"deployment/{OLD}", "--namespace", ship.namespace)
    await asyncio.sleep(3)


def route_by_hand(ship: Ship) -> Raw:
    gateway = ship.manifest("0")["spec"]["traffic"]["gateway"]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": NAME, "namespace": ship.namespace},
        "spec": {**gateway, "rules": [{"backendRefs": [{"name": OLD, "port": 8000}]}]},
    }


def adopting(ship: Ship, label: str) -> Raw:
    made = ship.manifest(label)
    made["spec"]["adopt"] = ADOPT
    return made


async def pods_by_hand(ship: Ship) -> str:
    return await kubectl(
        *("get", "deployment", OLD, "--namespace", ship.namespace, "--output=jsonpath={.spec.replicas}")
    )


async def test_a_model_is_adopted_and_handed_back_without_losing_a_request(ship: Ship) -> None:
    await serve_by_hand(ship)
    async with ship.load() as load:
        await ship.apply(adopting(ship, "1"))
        await ship.until(lambda s: condition(s, "Adopted")["status"] == "True")
        assert await pods_by_hand(ship) == "0"
        await asyncio.sleep(2)
        await ship.apply(adopting(ship, "2"))
        await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2")
        await kubectl(
            *("delete", "modeldeployment", NAME, "--namespace", ship.namespace, "--timeout=100s"), timeout_s=110
        )
        assert await pods_by_hand(ship) == "2"
        left = await names(ship, "deployments")
        while left != [OLD]:  # the garbage collector takes its time
            left = await names(ship, "deployments")
        await asyncio.sleep(3)
        assert await ship.lost(load) == []
        assert list(load.window().versions()) == ["0", "1", "2"]
    steps = ["RequestsMoved", "Adopted", "HandingBack", "RequestsMovedBack", "HandedBack"]
    assert [reason for reason in await ship.events() if reason in steps] == steps
    await kubectl("diff", "--filename", "-", stdin=json.dumps(route_by_hand(ship)))  # it is as it was


async def test_a_model_is_left_to_its_users_and_taken_back_without_losing_a_request(ship: Ship) -> None:
    await ship.serve()
    async with ship.load() as load:
        await kubectl(
            *("delete", "modeldeployment", NAME, "--namespace", ship.namespace, "--cascade=orphan", "--timeout=60s")
        )
        await asyncio.sleep(3)
        assert await names(ship, "httproutes") == [NAME]
        assert len(await names(ship, "deployments")) == 1
        await ship.apply(ship.manifest("1"))
        await ship.until(lambda s: s.get("phase") == "Stable" and condition(s, "TrafficInSync")["status"] == "True")
        assert "Recovered" in await ship.events()
        assert await ship.lost(load) == []
    assert len(await names(ship, "deployments")) == 1
    await kubectl("delete", "modeldeployment", NAME, "--namespace", ship.namespace, "--timeout=60s")
    left = await names(ship, "deployments,httproutes,controllerrevisions")
    while left:  # all of it is owned again, so the garbage collector takes it; that needs its time
        left = await names(ship, "deployments,httproutes,controllerrevisions")


async def test_other_peoples_tools_find_no_difference_and_nobody_fights(ship: Ship) -> None:
    """What a GitOps tool does at rest, in a trial and after: it looks for differences, and applies the same again."""
    theirs = ("--server-side", "--field-manager=gitops")

    async def look(manifest: Raw) -> None:
        for how in ((), theirs):
            await kubectl("diff", *how, "--filename", "-", stdin=json.dumps(manifest))
        await kubectl("apply", *theirs, "--filename", "-", stdin=json.dumps(manifest))

    first = ship.manifest("1")
    await kubectl("apply", *theirs, "--filename", "-", stdin=json.dumps(first))
    await ship.until(lambda s: s.get("phase") == "Stable" and condition(s, "TrafficInSync")["status"] == "True")
    await look(first)
    second = ship.manifest("2", steps=[{"weight": 50, "for": "10m"}])
    await kubectl("apply", *theirs, "--filename", "-", stdin=json.dumps(second))
    await ship.until(lambda s: s["phase"] == "Trial" and s["weight"] == 50)
    await look(second)
    changed = copy.deepcopy(second)
    changed["spec"]["port"] = 8081
    with pytest.raises(KubectlError):  # kubectl itself would tell
        await kubectl("diff", *theirs, "--filename", "-", stdin=json.dumps(changed))
    annotated = {"name": NAME, "namespace": ship.namespace, "annotations": {"team": "risk"}}
    for kind, version in (("HTTPRoute", "gateway.networking.k8s.io/v1"),):
        note = {"apiVersion": version, "kind": kind, "metadata": annotated}
        await kubectl("apply", *theirs, "--filename", "-", stdin=json.dumps(note))
    before = [md.object["metadata"]["generation"] for md in ship.md.states if md.object]
    routes = len(ship.route.states)
    await asyncio.sleep(5)
    assert len(ship.route.states) <= routes + 1  # nothing but the annotation
    assert before[-1] == max(before) == 2
    assert ship.status["weight"] == 50
