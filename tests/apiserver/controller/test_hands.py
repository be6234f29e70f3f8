"""Other people's hands: what others made or changed is respected where it is theirs and repaired where it is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.apiserver.controller.stage import eventually, on_trial, rests_on

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from tests.apiserver.controller.stage import Stage

LONG = [{"weight": 10, "for": "1h"}]
THEIRS: dict[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "scorer"},
    "spec": {
        "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
        "hostnames": ["other.example.com"],
        "rules": [{"backendRefs": [{"name": "other", "port": 80}]}],
    },
}


def cannot_act(status: ModelDeploymentStatus) -> bool:
    return any(c.type == "TrafficInSync" and c.reason == "CannotAct" for c in status.conditions)


async def until_routed(stage: Stage, weights: dict[str, int]) -> None:
    await eventually(stage.routed, weights)


async def until_there(stage: Stage, kind: str, name: str) -> dict[str, Any]:
    async def there() -> bool:
        return await stage.user.get(kind, stage.namespace, name) is not None

    await eventually(there, wanted=True)
    return await stage.user.get(kind, stage.namespace, name) or {}


async def trial(stage: Stage) -> tuple[str, str]:
    first = await stage.deploy("1", spec__strategy__steps=LONG)
    await stage.until(rests_on(first))
    second = await stage.deploy("2", spec__strategy__steps=LONG)
    await stage.until(on_trial(second))
    return first, second


async def test_a_route_of_that_name_that_somebody_else_made_is_left_alone(stage: Stage) -> None:
    theirs = await stage.user.create({**THEIRS, "metadata": {**THEIRS["metadata"], "namespace": stage.namespace}})
    async with stage.operator():
        first = await stage.deploy("1")
        status = await stage.until(cannot_act)
        found = await stage.user.get("HTTPRoute", stage.namespace, "scorer")
        assert found is not None
        assert found["spec"] == theirs["spec"]
        said = next(c.message for c in status.conditions if c.type == "TrafficInSync")
        assert "HTTPRoute" in said
        assert f"{stage.namespace}/scorer" in said
        await stage.remove("HTTPRoute", "scorer")
        await stage.until(lambda status: rests_on(first)(status) and not cannot_act(status))
        await until_routed(stage, {first: 100})


async def test_weights_edited_by_hand_are_put_right(stage: Stage) -> None:
    async with stage.operator():
        first, second = await trial(stage)

        def swap(route: dict[str, Any]) -> None:
            for backend in route["spec"]["rules"][-1]["backendRefs"]:
                backend["weight"] = 50

        await stage.edit("HTTPRoute", "scorer", swap)
        await until_routed(stage, {first: 90, second: 10})


async def test_a_route_that_is_deleted_comes_back(stage: Stage) -> None:
    async with stage.operator():
        first, second = await trial(stage)
        await stage.remove("HTTPRoute", "scorer")
        await until_routed(stage, {first: 90, second: 10})


async def test_rules_and_filters_of_others_stay(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1")
        await stage.until(rests_on(first))
        added = {
            "matches": [{"path": {"type": "PathPrefix", "value": "/docs"}}],
            "backendRefs": [{"group": "", "kind": "Service", "name": "docs", "port": 80, "weight": 1}],
        }
        await stage.edit("HTTPRoute", "scorer", lambda route: route["spec"]["rules"].insert(0, added))
        second = await stage.deploy("2")
        await stage.until(rests_on(second))
        await until_routed(stage, {second: 100})
    route = await stage.user.get("HTTPRoute", stage.namespace, "scorer")
    assert route is not None
    assert route["spec"]["rules"][0] == added


@pytest.mark.parametrize("which", [0, 1], ids=["stable", "candidate"])
async def test_a_service_that_is_deleted_comes_back_as_it_was(stage: Stage, which: int) -> None:
    async with stage.operator():
        version = (await trial(stage))[which]
        before = await until_there(stage, "Service", f"scorer-{version}")
        await stage.remove("Service", f"scorer-{version}")
        after = await until_there(stage, "Service", f"scorer-{version}")
    assert after["spec"]["ports"] == before["spec"]["ports"]
    assert after["spec"]["selector"] == before["spec"]["selector"]


async def test_a_candidates_deployment_that_is_deleted_comes_back_and_gets_no_traffic_until_it_is_ready(
    stage: Stage,
) -> None:
    async with stage.operator():
        first, second = await trial(stage)
        stage.unready.add(f"scorer-{second}")
        await stage.remove("Deployment", f"scorer-{second}")
        await until_there(stage, "Deployment", f"scorer-{second}")
        await eventually(lambda: stage.weight(second), 0)
        assert (await stage.routed())[first] == 100
        stage.unready.clear()
        await until_routed(stage, {first: 90, second: 10})


async def test_stables_deployment_that_is_deleted_at_rest_comes_back(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1")
        await stage.until(rests_on(first))
        await stage.remove("Deployment", f"scorer-{first}")
        await eventually(stage.versions, {first})
        await stage.until(rests_on(first))


async def test_replicas_edited_by_hand_are_put_right(stage: Stage) -> None:
    async with stage.operator():
        _, second = await trial(stage)
        await stage.edit("Deployment", f"scorer-{second}", lambda live: live["spec"].update(replicas=5))

        async def replicas() -> int:
            return int((await until_there(stage, "Deployment", f"scorer-{second}"))["spec"]["replicas"])

        await eventually(replicas, 2)
