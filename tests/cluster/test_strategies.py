"""Strategies as users live them: every kind of step, commands, a watch and the way back, with real requests."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from demo.kubectl import kubectl
from tests.cluster.ship import NAME, condition

if TYPE_CHECKING:
    from tests.cluster.ship import Raw, Ship

pytestmark = pytest.mark.cluster

WAITS = {"weight": 50, "for": "10m"}
HOLD = 3.0


async def command(ship: Ship, number: int, verb: str, **more: str) -> Raw:
    """Ask for something as the plugin does, and return the answer."""
    entry = {"id": f"c{number}", "verb": verb, **more}
    live = json.loads(await kubectl("get", "modeldeployment", NAME, "-n", ship.namespace, "-o", "json"))
    entries = [*live["spec"].get("commands", []), entry]
    patch = json.dumps({"spec": {"commands": entries}})
    await kubectl("patch", "modeldeployment", NAME, "-n", ship.namespace, "--type=merge", "-p", patch)
    status = await ship.until(lambda s: any(a["id"] == f"c{number}" for a in s.get("answers", [])))
    answer: Raw = next(a for a in status["answers"] if a["id"] == f"c{number}")
    return answer


async def whoami() -> str:
    answer: dict[str, Any] = json.loads(await kubectl("auth", "whoami", "-o", "json"))
    return str(answer["status"]["userInfo"]["username"])


def golden(passes: bool) -> Raw:
    """Write a suspended Job that asks the candidate for its readiness, or fails."""
    script = "import os, urllib.request as u; u.urlopen(f\"http://{os.environ['SEATRIAL_CANDIDATE']}/v2/health/ready\")"
    container = {
        "name": "golden",
        "image": "seatrial/demo-model:dev",
        "command": ["python3", "-c", script if passes else "raise SystemExit('12 of 100 answers differ')"],
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "golden", "namespace": ""},
        "spec": {"suspend": True, "backoffLimit": 0, "template": {"spec": pod}},
    }


async def test_shadow_gate_check_watch_and_late_rollback(ship: Ship) -> None:
    """One plan with all of it: copies first, a person, a test, all requests, and a version that breaks late."""
    await ship.serve()
    job = golden(passes=True)
    job["metadata"]["namespace"] = ship.namespace
    await ship.apply(job)
    steps: list[Raw] = [
        {"shadow": {"percent": 100}, "for": "4s", "minRequests": 50},
        {"gate": {"name": "review"}},
        {"weight": 50, "for": "4s", "minRequests": 60},
        {"check": {"name": "golden", "job": "golden", "timeout": "90s"}},
    ]
    late = ship.manifest("2", errors=0.5, errors_after=1200, steps=steps, watch={"for": "5m"})
    async with ship.load() as load:
        await ship.apply(late)
        await ship.until(lambda s: condition(s, "Progressing")["reason"] == "WaitingForApproval")
        assert set(load.window().versions()) == {"1"}, "the answers to copies are thrown away"
        evidence = {entry["objective"]: entry for entry in ship.status["trial"]["evidence"]}
        assert evidence["availability"]["total"] >= 50
        answer = await command(ship, 1, "promote", gate="review", by=await whoami())
        assert answer["outcome"] == "Done", answer
        await ship.until(lambda s: condition(s, "Progressing")["reason"] == "Checking")
        await ship.until(lambda s: s["phase"] == "Watching")
        assert ship.status["weight"] == 100
        ready = "jsonpath={.items[*].status.readyReplicas}"
        pods = await kubectl("get", "deployments", "-n", ship.namespace, "-o", ready)
        assert pods.split() == ["1", "1"], "the old version is kept warm"
        status = await ship.until(lambda s: s["phase"] == "RolledBack")
        assert status["stable"]["label"] == "1"
        await asyncio.sleep(HOLD)
        since = load.window().answers[-1].scheduled_s
        await asyncio.sleep(HOLD)
        assert set(load.window(since_s=since).versions()) == {"1"}
        assert await ship.lost(load) == []
    assert "burns its error budget" in status["history"][0]["sentence"]
    copies = {entry["objective"].partition("/")[2]: entry for entry in status["copies"]}
    assert copies["availability"]["total"] >= 50
    events = await ship.events()
    assert events.count("Watching") == events.count("RolledBack") == 1


async def test_a_failed_check_rolls_back(ship: Ship) -> None:
    await ship.serve()
    job = golden(passes=False)
    job["metadata"]["namespace"] = ship.namespace
    await ship.apply(job)
    steps: list[Raw] = [{"weight": 20, "for": "2s"}, {"check": {"name": "golden", "job": "golden"}}, WAITS]
    async with ship.load() as load:
        await ship.apply(ship.manifest("2", steps=steps))
        status = await ship.until(lambda s: s["phase"] == "RolledBack")
        assert await ship.lost(load) == []
    assert "failed check golden" in status["history"][0]["sentence"]


async def test_commands_in_the_middle_of_a_trial(ship: Ship) -> None:
    me = await whoami()
    await ship.serve()
    async with ship.load() as load:
        await ship.apply(ship.manifest("2", steps=[{"weight": 20, "for": "10m"}, WAITS]))
        await ship.until(lambda s: s["phase"] == "Trial" and s["trial"].get("stepSince"))
        assert (await command(ship, 1, "pause", by=me))["outcome"] == "Done"
        refused = await command(ship, 2, "promote", by=me)
        assert refused["outcome"] == "Refused"
        assert "paused by" in refused["sentence"]
        assert (await command(ship, 3, "resume", by=me))["outcome"] == "Done"
        assert (await command(ship, 4, "promote", by=me))["outcome"] == "Done"
        await ship.until(lambda s: s.get("step") == "2/2")
        assert (await command(ship, 5, "abort", by=me, reason="it is Friday"))["outcome"] == "Done"
        await ship.until(lambda s: s["phase"] == "RolledBack" and not s.get("draining"))
        assert (await command(ship, 6, "retry", by=me))["outcome"] == "Done"
        await ship.until(lambda s: s["phase"] == "Trial")
        assert (await command(ship, 7, "promote-full", by=me))["outcome"] == "Done"
        await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2")
        assert await ship.lost(load) == []


async def test_a_former_version_comes_back_without_losing_a_request(ship: Ship) -> None:
    await ship.serve()
    async with ship.load() as load:
        await ship.apply(ship.manifest("2", keep={"versions": 1, "for": "1h"}))
        await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2" and "kept" in s)
        old = ship.status["kept"][0]["hash"]
        scaled = ("get", f"deployment/{NAME}-{old}", "-n", ship.namespace, "-o", "jsonpath={.spec.replicas}")
        for _ in range(40):
            if await kubectl(*scaled) == "0":
                break
            await asyncio.sleep(0.5)
        assert await kubectl(*scaled) == "0"
        answer = await command(ship, 1, "rollback", by=await whoami(), reason="customers complain")
        assert answer["outcome"] == "Done", answer
        status = await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "1")
        await asyncio.sleep(HOLD)
        since = load.window().answers[-1].scheduled_s
        await asyncio.sleep(HOLD)
        assert set(load.window(since_s=since).versions()) == {"1"}
        assert await ship.lost(load) == []
    assert status["history"][0]["outcome"] == "Returned"
