"""What breaks around a trial must not decide it: the operator itself, and Prometheus."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import kubectl
from tests.cluster.kill import SYSTEM, kill_process_of, leader
from tests.cluster.ship import condition

if TYPE_CHECKING:
    from tests.cluster.ship import Raw, Ship

pytestmark = [pytest.mark.cluster, pytest.mark.alone]


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
        kill_process_of(await leader(), "seatrial")
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
