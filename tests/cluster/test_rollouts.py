"""Whole rollouts, as users live them: real requests through a real gateway to real model servers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import KubectlError, kubectl
from tests.cluster.ship import NAME, condition

if TYPE_CHECKING:
    from tests.cluster.ship import Raw, Ship

pytestmark = pytest.mark.cluster

LONG = [{"weight": 50, "for": "10m"}]


def rests_on(label: str, phase: str = "Stable") -> object:
    return lambda s: s.get("phase") == phase and s["stable"]["label"] == label and not s.get("draining")


async def test_good_version_is_promoted_and_no_request_is_lost(ship: Ship) -> None:
    await ship.serve()
    async with ship.load() as load:
        await ship.apply(ship.manifest("2"))
        await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2")
        await ship.until(lambda s: not s.get("draining"))
        await asyncio.sleep(1)
        assert await ship.lost(load) == []
        counts = load.window().versions()
    assert set(counts) == {"1", "2"}
    status = ship.status
    assert [entry["outcome"] for entry in status["history"]] == ["Promoted", "Deployed"]
    assert status["verdict"] == "Healthy"
    assert all(sum(weights.values()) == 100 for weights in ship.weights_seen())
    events = await ship.events()
    assert events.count("Promoted") == 1
    assert events.count("StepStarted") == 2
    named = await kubectl("get", "deployments,services", "--namespace", ship.namespace, "--output", "name")
    assert len(named.split()) == 2, "the old version is gone, Deployment and Service"


@pytest.mark.parametrize(("errors", "delay_ms", "objective"), [(1.0, 0, "availability"), (0.0, 400, "latency")])
async def test_bad_version_is_rolled_back_and_stays_out(
    ship: Ship, errors: float, delay_ms: int, objective: str
) -> None:
    await ship.serve()
    async with ship.load() as load:
        bad = ship.manifest("2", errors=errors, delay_ms=delay_ms)
        await ship.apply(bad)
        status = await ship.until(lambda s: s["phase"] == "RolledBack")
        assert status["weight"] == 0
        assert objective in status["history"][0]["sentence"]
        assert status["history"][0]["outcome"] == "RolledBack"
        await asyncio.sleep(2)
        since = load.window().answers[-1].scheduled_s
        # Applied again, the same version is not tried again.
        bad["metadata"]["annotations"] = {"touched": "yes"}
        bad["spec"]["strategy"]["drain"] = "4s"
        await ship.apply(bad)
        await ship.until(lambda s: s["observedGeneration"] == 3 and s["phase"] == "RolledBack")
        await asyncio.sleep(3)
        assert await ship.lost(load) == []
        assert set(load.window(since_s=since).versions()) == {"1"}, "no request reaches it any more"
    evidence = {entry["objective"]: entry for entry in status["trial"]["evidence"]}
    assert evidence[objective]["verdict"] == "Burning"
    assert evidence[objective]["bad"] >= 3
    assert evidence[objective]["eValue"] >= evidence[objective]["threshold"]
    # The way out: the stable version is asked for again.
    await ship.apply(ship.manifest("1"))
    await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "1")


async def test_scale_change_starts_no_trial(ship: Ship) -> None:
    """The number of pods is no part of a version."""
    await ship.serve()
    more = ship.manifest("1")
    more["spec"]["replicas"] = 2
    await ship.apply(more)
    await ship.until(lambda s: s["observedGeneration"] == 2 and s["phase"] == "Stable")
    for _ in range(60):
        deployment = f"deployment/{NAME}-{ship.status['stable']['hash']}"
        ready = await kubectl("get", deployment, "-n", ship.namespace, "-o", "jsonpath={.status.readyReplicas}")
        if ready == "2":
            break
        await asyncio.sleep(0.5)
    assert ready == "2"
    assert [entry["outcome"] for entry in ship.status["history"]] == ["Deployed"]


async def test_new_spec_in_mid_trial_and_back_again(ship: Ship) -> None:
    await ship.serve()
    async with ship.load() as load:
        await ship.apply(ship.manifest("2", steps=LONG))
        await ship.until(lambda s: s["phase"] == "Trial" and s["trial"].get("stepSince"))
        await ship.apply(ship.manifest("3", steps=LONG))
        await ship.until(lambda s: s["phase"] == "Trial" and s["candidate"]["label"] == "3")
        await ship.apply(ship.manifest("1", steps=LONG))
        status = await ship.until(lambda s: s["phase"] == "Stable" and not s.get("draining"))
        assert await ship.lost(load) == []
    assert status["stable"]["label"] == "1"
    assert [entry["outcome"] for entry in status["history"]] == ["Superseded", "Superseded", "Deployed"]
    assert "quarantined" not in status or not status["quarantined"]


async def test_paused_trial_is_held_but_judged(ship: Ship) -> None:
    await ship.serve()
    async with ship.load():
        held: Raw = ship.manifest("2", errors=0.3)
        held["spec"]["paused"] = True
        await ship.apply(held)
        await ship.until(lambda s: condition(s, "Progressing")["reason"] == "Paused")
        assert ship.status["phase"] == "Stable", "a paused rollout does not begin"
        held["spec"]["paused"] = False
        held["spec"]["strategy"]["steps"] = LONG
        await ship.apply(held)
        await ship.until(lambda s: s["phase"] == "Trial")
        held["spec"]["paused"] = True
        await ship.apply(held)
        status = await ship.until(lambda s: s["phase"] == "RolledBack")
    assert "availability" in status["history"][0]["sentence"], "a pause delays no rollback"


async def test_version_that_never_gets_ready_gets_no_request(ship: Ship) -> None:
    await ship.serve()
    async with ship.load() as load:
        broken = ship.manifest("2", readyDeadline="8s")
        broken["spec"]["template"]["spec"]["containers"][0]["image"] = "seatrial/no-such-image:dev"
        await ship.apply(broken)
        status = await ship.until(lambda s: s["phase"] == "RolledBack")
        assert "without the ready pods" in status["history"][0]["sentence"]
        crashing = ship.manifest("3", readyDeadline="5m")
        crashing["spec"]["template"]["spec"]["containers"][0]["command"] = ["/bin/false"]
        await ship.apply(crashing)
        status = await ship.until(lambda s: s["phase"] == "RolledBack" and s["history"][0]["label"] == "3")
        assert "crashes over and over" in status["history"][0]["sentence"]
        assert await ship.lost(load) == []
        assert set(load.window().versions()) == {"1"}


async def test_deletion_in_mid_trial_leaves_nothing(ship: Ship) -> None:
    await ship.serve()
    async with ship.load():
        await ship.apply(ship.manifest("2", steps=LONG))
        await ship.until(lambda s: s["phase"] == "Trial")
        await kubectl("delete", "modeldeployment", NAME, "--namespace", ship.namespace, "--timeout=10s")
    for _ in range(60):
        kinds = "deployments,services,httproutes,pods"
        if not (await kubectl("get", kinds, "--namespace", ship.namespace, "--output", "name")).split():
            break
        await asyncio.sleep(1)
    else:
        pytest.fail("what the ModelDeployment made is still there")


async def test_conflicting_edits_lose_nothing(ship: Ship) -> None:
    """Labels change all the time while the operator writes its status: each conflict is a new look, nothing else."""
    await ship.serve()
    async with ship.load() as load:
        await ship.apply(ship.manifest("2"))
        for number in range(40):
            await kubectl("label", "modeldeployment", NAME, "-n", ship.namespace, f"n={number}", "--overwrite")
            if ship.status.get("stable", {}).get("label") == "2":
                break
        await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2")
        assert await ship.lost(load) == []


async def test_weights_that_somebody_edited_are_put_right(ship: Ship) -> None:
    await ship.serve()
    async with ship.load():
        await ship.apply(ship.manifest("2", steps=LONG))
        status = await ship.until(lambda s: s["phase"] == "Trial" and s["trial"].get("stepSince"))
        edit = '[{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 77}]'
        await kubectl("patch", "httproute", NAME, "-n", ship.namespace, "--type=json", f"--patch={edit}")
        wanted = {f"{NAME}-{status['stable']['hash']}": 50, f"{NAME}-{status['candidate']['hash']}": 50}
        for _ in range(50):
            if ship.weights_seen()[-1] == wanted:
                break
            await asyncio.sleep(0.1)
        assert ship.weights_seen()[-1] == wanted


async def test_wrong_manifest_is_refused_with_a_sentence(ship: Ship) -> None:
    falling = ship.manifest("1", steps=[{"weight": 50, "for": "1m"}, {"weight": 10, "for": "1m"}])
    with pytest.raises(KubectlError, match="weights must rise from step to step"):
        await ship.apply(falling)
