"""The router against the real Gateway API: its CRD's defaults and atomic lists, and a real gateway's answers."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.kube.client import Kube
from seatrial.kube.errors import Conflict
from seatrial.kube.workloads import service
from seatrial.rollout.decision import Division
from seatrial.traffic.httproute import HttpRouteRouter, build
from seatrial.traffic.router import Seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from seatrial.rollout.world import RouteView

pytestmark = pytest.mark.cluster

OLD, NEW = "bbbbbbbbbb", "cccccccccc"
ANSWER_S = 20.0
router = HttpRouteRouter()


def kubectl(*arguments: str, stdin: object = None) -> str:
    done = subprocess.run(
        ["kubectl", *arguments],
        input=None if stdin is None else json.dumps(stdin),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
async def kube() -> AsyncIterator[Kube]:
    async with Kube() as connection:
        yield connection


@pytest.fixture
def owner() -> Iterator[dict[str, Any]]:
    """Make something to own the route; a ModelDeployment would bring the operator in, which has tests of its own."""
    namespace = f"route-{secrets.token_hex(4)}"
    kubectl("create", "namespace", namespace)
    made = json.loads(kubectl("create", "configmap", "scorer", "-n", namespace, "-o", "json"))
    parents = [{"name": "public", "namespace": "gateway-system"}]
    yield {**made, "spec": {"traffic": {"gateway": {"parentRefs": parents, "hostnames": [f"{namespace}.example.com"]}}}}
    kubectl("delete", "namespace", namespace, "--wait=false")


def read(owner: dict[str, Any], live: dict[str, Any]) -> RouteView:
    view = router.read(owner, Seen(routes={"scorer": live}))
    assert view
    return view


async def answer(kube: Kube, owner: dict[str, Any], wanted: Callable[[RouteView], bool]) -> RouteView:
    """Wait until the gateway has said what is wanted of the route."""
    view = None
    for _ in range(int(ANSWER_S / 0.2)):
        live = await kube.get("HTTPRoute", owner["metadata"]["namespace"], "scorer")
        view = read(owner, live) if live else None
        if view and wanted(view):
            return view
        await asyncio.sleep(0.2)
    pytest.fail(f"the gateway did not say so within {ANSWER_S:.0f} s; last: {view}")


async def test_a_route_comes_into_force_when_its_services_are_there(kube: Kube, owner: dict[str, Any]) -> None:
    await kube.apply(build(owner, Division({OLD: 90, NEW: 10}), None), force=False)
    view = await answer(kube, owner, lambda view: view.problem is not None)
    assert view.accepted
    assert not view.resolved
    assert "ResolvedRefs is False (BackendNotFound)" in str(view.problem)
    for version in (OLD, NEW):
        await kube.apply(service(owner, version, 8080))
    view = await answer(kube, owner, lambda view: view.programmed)
    assert view.weights == {OLD: 90, NEW: 10}
    assert view.problem is None


async def test_each_change_waits_for_the_gateways_word_on_it(kube: Kube, owner: dict[str, Any]) -> None:
    for version in (OLD, NEW):
        await kube.apply(service(owner, version, 8080))
    live = await kube.apply(build(owner, Division({OLD: 100}), None), force=False)
    await answer(kube, owner, lambda view: view.programmed)
    changed = await kube.apply(build(owner, Division({OLD: 0, NEW: 100}), live))
    assert not read(owner, changed).programmed  # as it comes back from the write: the old answer does not count
    assert (await answer(kube, owner, lambda view: view.programmed)).weights == {OLD: 0, NEW: 100}


async def test_a_gateway_that_is_not_there_leaves_the_route_out_of_force(kube: Kube, owner: dict[str, Any]) -> None:
    owner["spec"]["traffic"]["gateway"]["parentRefs"][0]["name"] = "nobody"
    live = await kube.apply(build(owner, Division({OLD: 100}), None), force=False)
    await asyncio.sleep(2)
    live = await kube.get("HTTPRoute", owner["metadata"]["namespace"], "scorer") or live
    assert not read(owner, live).programmed


async def test_applying_what_is_there_changes_nothing(kube: Kube, owner: dict[str, Any]) -> None:
    weights = {OLD: 90, NEW: 10}
    first = await kube.apply(build(owner, Division(weights), None), force=False)
    second = await kube.apply(build(owner, Division(weights), first))
    assert second["metadata"]["generation"] == first["metadata"]["generation"] == 1
    assert second["spec"] == first["spec"]


async def test_what_other_people_put_into_the_route_stays(kube: Kube, owner: dict[str, Any]) -> None:
    namespace = owner["metadata"]["namespace"]
    live = await kube.apply(build(owner, Division({OLD: 100}), None), force=False)
    docs = {"matches": [{"path": {"type": "Exact", "value": "/docs"}}], "backendRefs": [{"name": "docs", "port": 80}]}
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-team", "value": "risk"}]}}
    rules = [docs, {**live["spec"]["rules"][0], "filters": [header], "timeouts": {"request": "2s"}}]
    kubectl(
        "patch", "httproute", "scorer", "-n", namespace, "--type=merge", f"-p={json.dumps({'spec': {'rules': rules}})}"
    )

    edited = await kube.get("HTTPRoute", namespace, "scorer")
    first, second = (await kube.apply(build(owner, Division({OLD: 40, NEW: 60}), edited)))["spec"]["rules"]

    assert first["matches"] == docs["matches"]
    assert [backend["name"] for backend in first["backendRefs"]] == ["docs"]
    assert second["filters"] == [header]
    assert second["timeouts"] == {"request": "2s"}
    assert [backend["weight"] for backend in second["backendRefs"]] == [40, 60]


async def test_somebody_elses_route_of_the_same_name_is_left_alone(kube: Kube, owner: dict[str, Any]) -> None:
    theirs = build(owner, Division({NEW: 100}), None)
    del theirs["metadata"]["ownerReferences"]
    kubectl("create", "-f", "-", stdin=theirs)
    with pytest.raises(Conflict):
        await kube.apply(build(owner, Division({OLD: 100}), None), force=False)
