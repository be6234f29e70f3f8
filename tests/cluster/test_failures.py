"""What breaks around a trial must not decide it: the operator itself, and Prometheus."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import kubectl
from tests.cluster.ship import condition

if TYPE_CHECKING:
    from tests.cluster.ship import Raw, Ship

pytestmark = pytest.mark.cluster

SYSTEM = "seatrial-system"


async def leader() -> str:
    """Name the pod that leads."""
    lease = json.loads(await kubectl("get", "lease", "seatrial", "-n", SYSTEM, "-o", "json"))
    return str(lease["spec"]["holderIdentity"])


def kill_process_of(pod: str) -> None:
    """Kill the operator's process in a pod, without a word of warning."""
    marks = f"POD_NAME={pod}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if marks in environment and b"seatrial" in command:
            os.kill(int(folder.name), signal.SIGKILL)
            return
    pytest.fail(f"no process of pod {pod} found")


def counts(status: Raw) -> dict[str, tuple[int, int]]:
    return {entry["objective"]: (entry["total"], entry["bad"]) for entry in status["trial"]["evidence"]}


async def test_operator_killed_in_mid_step_goes_on(ship: Ship) -> None:
    """No weight, no step time and no count is lost; the trial ends as if nothing had happened."""
    await ship.serve()
    async with ship.load() as load:
        steps = [{"weight": 50, "for": "35s", "minRequests": 500}]
        await ship.apply(ship.manifest("2", steps=steps))
        before = await ship.until(lambda s: s["phase"] == "Trial" and s["trial"].get("stepSince"))
        await asyncio.sleep(8)
        kill_process_of(await leader())
        after = await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2")
        assert await ship.lost(load) == []
        asked = len(load.window().answers)
    assert after["trial"]["stepSince"] == before["trial"]["stepSince"], "the step's clock went on"
    assert after["trial"]["weightedAt"] == before["trial"]["weightedAt"]
    assert [entry["outcome"] for entry in after["history"]] == ["Promoted", "Deployed"]
    total, bad = counts(after)["availability"]
    assert bad == 0
    assert 500 <= total <= asked


async def test_bad_version_is_rolled_back_by_the_next_operator(ship: Ship) -> None:
    await ship.serve()
    async with ship.load():
        await ship.apply(ship.manifest("2", errors=0.05, steps=[{"weight": 50, "for": "10m"}]))
        await ship.until(lambda s: s["phase"] == "Trial" and s["trial"].get("stepSince"))
        await kubectl("delete", "pod", await leader(), "-n", SYSTEM, "--grace-period=0", "--force")
        status = await ship.until(lambda s: s["phase"] == "RolledBack", 180)
    total, bad = counts(status)["availability"]
    assert 0 < bad < 0.3 * total


async def test_prometheus_away_in_mid_step_holds_the_weight(ship: Ship) -> None:
    await ship.serve()
    async with ship.load() as load:
        await ship.apply(ship.manifest("2", steps=[{"weight": 50, "for": "12s", "minRequests": 100}]))
        await ship.until(lambda s: s["phase"] == "Trial" and s["trial"].get("stepSince"))
        await kubectl("scale", "deployment/prometheus", "-n", "monitoring", "--replicas=0")
        try:
            held = await ship.until(lambda s: condition(s, "MetricsAvailable")["status"] == "False", 60)
            assert "weight is held" in condition(held, "MetricsAvailable")["message"]
            await asyncio.sleep(15)  # longer than the step
            assert ship.status["phase"] == "Trial", "neither promoted nor rolled back"
            assert ship.weights_seen()[-1] == ship.weights_seen()[-1] | dict.fromkeys(ship.weights_seen()[-1], 50)
        finally:
            await kubectl("scale", "deployment/prometheus", "-n", "monitoring", "--replicas=1")
        status = await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2", 180)
        assert await ship.lost(load) == []
    assert status["history"][0]["outcome"] == "Promoted"
    events = await ship.events()
    assert events.count("Unavailable") == 1
