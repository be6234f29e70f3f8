"""Coming and going: what one ModelDeployment leaves behind, another of the same name takes over."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from seatrial.api.traffic import FINALIZER
from tests.apiserver.controller.stage import MODEL, eventually, rests_on
from tests.apiserver.samples import changed

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from tests.apiserver.conftest import ApiServer
    from tests.apiserver.controller.stage import Stage

Raw = dict[str, Any]


async def test_orphans_are_owned_again_by_a_model_deployment_of_the_same_name(
    stage: Stage, api_server: ApiServer
) -> None:
    """Kubernetes' garbage collector, which takes owners off, is played: by the very patch that it makes."""
    kinds = ("Deployment", "Service", "PodDisruptionBudget", "ControllerRevision", "HTTPRoute")

    async def owned_by(uid: str) -> list[str]:
        found = [(kind, one) for kind in kinds for one in await stage.user.list(kind, stage.namespace)]
        owners = [(kind, one["metadata"].get("ownerReferences", [])) for kind, one in found]
        return [kind for kind, those in owners if [owner["uid"] for owner in those] == [uid]]

    async with stage.operator():
        first = await stage.deploy("1", spec__template=odd_template())
        await stage.until(rests_on(first))
        model = api_server.get("modeldeployment", "scorer", "-n", stage.namespace)
        done = api_server.kubectl(
            "delete", "modeldeployment", "scorer", "-n", stage.namespace, "--cascade=orphan", "--wait=false"
        )
        assert done.returncode == 0, done.stderr
        for kind in kinds:
            for one in await stage.user.list(kind, stage.namespace):
                meta = one["metadata"]
                off = [{"$patch": "delete", "uid": owner["uid"]} for owner in meta["ownerReferences"]]
                patch: Raw = {"metadata": {"uid": meta["uid"], "ownerReferences": off}}
                how = "strategic"
                if kind == "HTTPRoute":  # of a CRD nobody knows the keys of its lists
                    how, patch = "merge", {"metadata": {"uid": meta["uid"], "ownerReferences": []}}
                patched = api_server.kubectl(
                    *("patch", kind, meta["name"], "-n", stage.namespace, f"--type={how}", f"-p={json.dumps(patch)}")
                )
                assert patched.returncode == 0, patched.stderr
        done = api_server.kubectl(
            *("patch", "modeldeployment", "scorer", "-n", stage.namespace, "--type=merge"),
            '-p={"metadata":{"finalizers":null}}',
        )
        assert done.returncode == 0, done.stderr
        assert await stage.deploy("1", spec__template=odd_template()) == first
        again = api_server.get("modeldeployment", "scorer", "-n", stage.namespace)["metadata"]["uid"]
        assert again != model["metadata"]["uid"]
        await stage.until(rests_on(first))
        await eventually(lambda: owned_by(again), list(kinds))
        assert "Recovered" in await stage.events()


def odd_template() -> Raw:
    """Write a template with what a serialiser may well write in more than one way."""
    args = ["<&>", "é\u2028", "b", "a"]
    return {
        "spec": {
            "containers": [{"name": "server", "image": "scorer:1", "args": args}],
            "terminationGracePeriodSeconds": 9,
        }
    }


INCUMBENT: Raw = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "scorer-old"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "scorer"}},
        "template": {
            "metadata": {"labels": {"app": "scorer"}},
            "spec": {"containers": [{"name": "server", "image": "scorer:0"}]},
        },
    },
}
BY_HAND: Raw = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "scorer", "labels": {"team": "risk"}},
    "spec": {
        **MODEL["spec"]["traffic"]["gateway"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/score"}}],
                "timeouts": {"request": "2s"},
                "backendRefs": [{"name": "scorer-old", "port": 8080}],
            }
        ],
    },
}
ADOPT: Raw = {"deployment": "scorer-old", "backendRef": {"name": "scorer-old", "port": 8080}}


async def by_hand(stage: Stage, api_server: ApiServer) -> Raw:
    """Serve a model without Seatrial; return the spec of its route."""
    for manifest in (INCUMBENT, BY_HAND):
        whole = changed(manifest, metadata__namespace=stage.namespace)
        done = api_server.kubectl("apply", "-f", "-", stdin=whole)
        assert done.returncode == 0, done.stderr
    await eventually(lambda: available(stage), 3)
    spec: Raw = (await stage.user.get("HTTPRoute", stage.namespace, "scorer") or {})["spec"]
    return spec


async def available(stage: Stage) -> int:
    live = await stage.user.get("Deployment", stage.namespace, "scorer-old") or {}
    return int((live.get("status") or {}).get("availableReplicas", 0))


async def there(stage: Stage) -> bool:
    return await stage.user.get("ModelDeployment", stage.namespace, "scorer") is not None


async def told(stage: Stage, reasons: list[str]) -> list[str]:
    return [reason for reason in await stage.events() if reason in reasons]


def adopted(status: ModelDeploymentStatus) -> bool:
    return any((c.type, c.status) == ("Adopted", "True") for c in status.conditions)


async def test_a_deployment_and_its_route_are_taken_over_as_they_are_and_handed_back_at_the_end(
    stage: Stage, api_server: ApiServer
) -> None:
    before = await by_hand(stage, api_server)
    async with stage.operator() as kube:
        first = await stage.deploy("1", spec__adopt=ADOPT)
        await stage.until(adopted)
        assert await stage.routed() == {first: 100}
        await eventually(lambda: available(stage), 0)
        asked = [call for call in kube.calls if call.name == "scorer-old"]
        second = await stage.deploy("2", spec__adopt=ADOPT)
        await stage.until(rests_on(second))
        await asyncio.sleep(1)
        assert [call for call in kube.calls if call.name == "scorer-old"] == asked  # it is left alone
    await stage.remove("ModelDeployment", "scorer")
    assert await stage.routed() == {second: 100}  # without an operator, everything serves on
    last = ["HandingBack", "RequestsMovedBack", "RouteGivenBack", "HandedBack"]
    async with stage.operator():
        await eventually(lambda: there(stage), wanted=False)
        await eventually(lambda: told(stage, last), last)
    await eventually(lambda: available(stage), 3)
    route = await stage.user.get("HTTPRoute", stage.namespace, "scorer") or {}
    assert route["spec"] == before
    assert "ownerReferences" not in route["metadata"]
    assert route["metadata"]["labels"]["team"] == "risk"
    untouched = api_server.kubectl("diff", "-f", "-", stdin=changed(BY_HAND, metadata__namespace=stage.namespace))
    assert (untouched.returncode, untouched.stdout) == (0, ""), untouched.stdout
    async with stage.operator():  # and once more
        await stage.deploy("3", spec__adopt=ADOPT)
        await stage.until(adopted)


async def test_whoever_wants_nothing_handed_back_does_not_wait(stage: Stage, api_server: ApiServer) -> None:
    await by_hand(stage, api_server)
    async with stage.operator():
        await stage.deploy("1", spec__adopt=ADOPT)
        await stage.until(adopted)
        model = api_server.get("modeldeployment", "scorer", "-n", stage.namespace)
        assert model["metadata"]["finalizers"] == [FINALIZER]
        await stage.deploy("1", spec__adopt={**ADOPT, "onDelete": "Leave"})
        await eventually(lambda: finalizers(stage), [])
    await stage.remove("ModelDeployment", "scorer")
    await eventually(lambda: there(stage), wanted=False)
    await eventually(lambda: available(stage), 0)


async def finalizers(stage: Stage) -> list[str]:
    live = await stage.user.get("ModelDeployment", stage.namespace, "scorer") or {"metadata": {}}
    return list(live["metadata"].get("finalizers") or ())


async def test_an_adoption_that_does_not_fit_says_so_and_touches_nothing(stage: Stage, api_server: ApiServer) -> None:
    before = await by_hand(stage, api_server)
    wrong = {**ADOPT, "backendRef": {"name": "scorer-old", "port": 80}}
    async with stage.operator():
        await stage.deploy("1", spec__adopt=wrong)
        status = await stage.until(lambda s: any(c.reason == "CannotAct" for c in s.conditions))
        said = next(c.message for c in status.conditions if c.reason == "CannotAct")
        assert "with a rule that leads to Service scorer-old, port 80, and nowhere else" in said
        await stage.remove("ModelDeployment", "scorer")
        await eventually(lambda: there(stage), wanted=False)
    assert (await stage.user.get("HTTPRoute", stage.namespace, "scorer") or {})["spec"] == before
    await eventually(lambda: available(stage), 3)
