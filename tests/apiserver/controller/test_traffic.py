"""What a step asks of the router besides weights, lost endpoints, a Service as router, and other people's manifests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.status import ModelDeploymentStatus, Phase
from tests.apiserver.controller.stage import MODEL, eventually, on_trial, rests_on
from tests.apiserver.samples import changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.apiserver.conftest import ApiServer
    from tests.apiserver.controller.stage import Stage

Raw = dict[str, Any]
LONG = [{"weight": 50, "for": "1h"}]
SERVICE: Raw = {"service": {}}


def stands_at_a_step(status: ModelDeploymentStatus) -> bool:
    return status.phase is Phase.TRIAL and status.trial is not None and status.trial.step_since is not None


async def route(stage: Stage, name: str = "scorer") -> Raw:
    return await stage.user.get("HTTPRoute", stage.namespace, name) or {}


async def mirrored(stage: Stage) -> list[str]:
    rules = (await route(stage))["spec"]["rules"]
    filters = [one for rule in rules for one in rule.get("filters", [])]
    return [one["requestMirror"]["backendRef"]["name"] for one in filters]


async def headed(stage: Stage) -> list[str]:
    """Name the backends of the rules that look at a header."""
    rules = (await route(stage))["spec"]["rules"]
    return [rule["backendRefs"][0]["name"] for rule in rules if any("headers" in match for match in rule["matches"])]


async def previewed(stage: Stage) -> list[str]:
    found = await route(stage, "scorer-preview")
    rules = found["spec"]["rules"] if found else []
    return [rule["backendRefs"][0]["name"] for rule in rules]


GROUP = {"match": {"header": "x-group", "value": "b"}, "objective": "slo/availability"}


@pytest.mark.parametrize(
    ("step", "look"),
    [
        ({"shadow": {"percent": 40}, "for": "1h"}, mirrored),
        ({"experiment": GROUP}, headed),
        ({"preview": {"hostnames": ["next.example.com"]}, "for": "1h"}, previewed),
    ],
    ids=["shadow", "experiment", "preview"],
)
async def test_what_a_step_asks_for_is_in_the_route_with_the_step_and_leaves_it_with_the_candidate(
    stage: Stage, step: Raw, look: Callable[[Stage], Any]
) -> None:
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__steps=[step])
        await stage.until(rests_on(first))
        assert await look(stage) == []
        second = await stage.deploy("2", spec__strategy__steps=[step])
        await stage.until(stands_at_a_step)
        assert await look(stage) == [f"scorer-{second}"]
        await stage.deploy("1", spec__strategy__steps=[step])
        await stage.until(rests_on(first))
        assert await look(stage) == []


async def test_sticky_users_have_rules_of_their_own_until_the_candidate_is_given_up(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__steps=LONG, spec__strategy__sticky={})
        await stage.until(rests_on(first))
        second = await stage.deploy("2", spec__strategy__steps=LONG, spec__strategy__sticky={})
        await stage.until(on_trial(second, 50))
        assert sorted(await headed(stage)) == sorted([f"scorer-{first}", f"scorer-{second}"])
        await stage.deploy("1", spec__strategy__steps=LONG, spec__strategy__sticky={})
        await stage.until(rests_on(first))
        assert await headed(stage) == []


async def test_a_candidate_that_loses_its_last_endpoint_has_weight_0_at_once(stage: Stage) -> None:
    """The Deployment's status still counts its pods as ready."""
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__steps=LONG)
        await stage.until(rests_on(first))
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        await stage.until(on_trial(second, 50))
        labels = {"seatrial.dev/model": "scorer", "seatrial.dev/version": second}
        lost = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "s-1", "namespace": stage.namespace, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": False}}],
        }
        await stage.user.create(lost)
        await eventually(lambda: stage.weight(second), 0)
        await stage.edit("EndpointSlice", "s-1", lambda live: live["endpoints"][0].update(conditions={"ready": True}))
        await stage.until(on_trial(second, 50))


async def pods(stage: Stage, version: str, count: int) -> None:
    """Play the ready pods of a version."""
    for number in range(count):
        name = f"{version}-{number}"
        labels = {"seatrial.dev/model": "scorer", "seatrial.dev/version": version}
        meta = {"name": name, "namespace": stage.namespace, "labels": labels}
        spec = {"containers": [{"name": "server", "image": "scorer"}], "automountServiceAccountToken": False}
        made = await stage.user.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        made["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
        await stage.user._put({"apiVersion": "v1", "kind": "Pod", **made}, "play the kubelet", "status")


async def connected(stage: Stage) -> list[str]:
    """Name the version of each pod that the Service leads to."""
    service = await stage.user.get("Service", stage.namespace, "scorer") or {"spec": {"selector": {"nobody": ""}}}
    labels = [pod["metadata"]["labels"] for pod in await stage.user.list("Pod", stage.namespace)]
    selector = service["spec"]["selector"].items()
    return sorted(one["seatrial.dev/version"] for one in labels if selector <= one.items())


async def test_without_a_gateway_pods_behind_a_service_divide_the_requests(stage: Stage, api_server: ApiServer) -> None:
    assert api_server.kubectl("create", "serviceaccount", "default", "-n", stage.namespace).returncode == 0
    async with stage.operator() as kube:
        first = await stage.deploy("1", spec__traffic=SERVICE, spec__strategy__steps=LONG)
        await pods(stage, first, 2)
        await stage.until(rests_on(first))
        assert await connected(stage) == [first] * 2
        second = await stage.deploy("2", spec__traffic=SERVICE, spec__strategy__steps=LONG)
        await pods(stage, second, 2)
        await stage.until(on_trial(second, 50))
        assert await connected(stage) == sorted([first, first, second, second])
        await stage.deploy("1", spec__traffic=SERVICE, spec__strategy__steps=LONG)
        await eventually(lambda: connected(stage), [first] * 2)
        await stage.until(rests_on(first))
        services = [call for call in kube.calls if call.method == "PATCH" and call.resource == "services"]
    written = [call.name for call in services].count("scorer")
    assert written == 5  # made, the candidate named, shared, given back, the candidate gone


def untouched(api_server: ApiServer, stage: Stage, manifest: Raw) -> None:
    """Hold a manifest against the cluster as tools do that own it, or know no owners; nothing may differ or change."""
    before = api_server.get("modeldeployment", "scorer", "-n", stage.namespace)["metadata"]["generation"]
    for how in ([], ["--server-side", "--field-manager=gitops"]):
        differs = api_server.kubectl("diff", *how, "-f", "-", stdin=manifest)
        assert (differs.returncode, differs.stdout) == (0, ""), differs.stdout + differs.stderr
    applied = api_server.kubectl("apply", "--server-side", "--field-manager=gitops", "-f", "-", stdin=manifest)
    assert applied.returncode == 0, applied.stderr
    again = api_server.get("modeldeployment", "scorer", "-n", stage.namespace)
    assert again["metadata"]["generation"] == before


async def test_at_rest_nothing_differs_from_the_manifest_and_another_manager_does_not_fight(
    stage: Stage, api_server: ApiServer
) -> None:
    manifest = changed(MODEL, metadata__namespace=stage.namespace)
    applied = api_server.kubectl("apply", "--server-side", "--field-manager=gitops", "-f", "-", stdin=manifest)
    assert applied.returncode == 0, applied.stderr
    async with stage.operator() as kube:
        await stage.until(lambda status: status.phase is Phase.STABLE and bool(status.stable))
        status = await stage.status()
        assert status.stable
        await stage.until(rests_on(status.stable.hash))
        untouched(api_server, stage, manifest)
        theirs = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
        meta = {"name": "scorer", "namespace": stage.namespace, "annotations": {"team": "risk"}}
        noted = api_server.kubectl(
            *("apply", "--server-side", "--field-manager=other", "-f", "-"), stdin={**theirs, "metadata": meta}
        )
        assert noted.returncode == 0, noted.stderr
        await asyncio.sleep(1)
        calls = len(kube.calls)
        await asyncio.sleep(3)
        assert [call for call in kube.calls[calls:] if call.writes] == []
        await stage.edit(
            "HTTPRoute", "scorer", lambda live: live["spec"]["rules"][0]["backendRefs"][0].update(weight=7)
        )
        await eventually(lambda: stage.weight(status.stable.hash if status.stable else ""), 100)
        assert (await route(stage))["metadata"]["annotations"] == {"team": "risk"}
