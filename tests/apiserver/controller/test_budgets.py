"""Error budgets on the API server: what a ModelSLO shows, and what a spent budget holds up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from seatrial.api.slo_status import SLO_STATUS, ModelSLOStatus
from seatrial.api.status import Phase
from seatrial.metrics.types import BudgetReadings
from tests.apiserver.controller.stage import SLO, eventually, on_trial, rests_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.metrics.types import BudgetAsk
    from tests.apiserver.controller.stage import Stage

LONG = [{"weight": 10, "for": "1h"}]
ROUND_S = 0.3
TOTAL = 100_000


@dataclass
class Books:
    """Counts of all windows: so many requests, of which a share was bad."""

    bad_share: dict[str, float] = field(default_factory=dict)
    unavailable: str | None = None
    rounds: int = 0

    async def read(self, asks: Sequence[BudgetAsk]) -> BudgetReadings:
        self.rounds += 1
        counts = {
            (ask.namespace, ask.rollout, ask.sli.name): {
                window_s: {"bbbbbbbbbb": (TOTAL, round(TOTAL * self.bad_share.get(ask.rollout, 0.0)))}
                for window_s in ask.windows_s
            }
            for ask in asks
        }
        old = {(ask.namespace, ask.rollout, ask.sli.name): 0.0 for ask in asks}
        return BudgetReadings(0.0, self.unavailable, {} if self.unavailable else counts, first_s=old)


@pytest.fixture
def books(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Books:
    monkeypatch.setattr("seatrial.controller.budgets.ROUND_S", ROUND_S)
    stage.budgets = books = Books()
    return books


async def slo(stage: Stage, name: str = "slo") -> ModelSLOStatus:
    live = await stage.user.get("ModelSLO", stage.namespace, name)
    assert live is not None
    return SLO_STATUS.validate_python(live.get("status") or {})


async def condition(stage: Stage, kind: str, name: str = "slo") -> tuple[str, str]:
    found = {c.type: (c.status, c.reason) for c in (await slo(stage, name)).conditions}
    return found.get(kind, ("", ""))


async def test_a_spent_budget_holds_up_the_next_trial_until_a_person_overrides(stage: Stage, books: Books) -> None:
    books.bad_share["scorer"] = 0.2  # twice the budget of 10 %
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__steps=LONG)
        await stage.until(lambda status: rests_on(first)(status) and status.budget == "-100%")
        shown = await slo(stage)
        assert (shown.worst, shown.budget_left) == ("availability", "-100%")
        assert shown.budgets[0].frozen
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        status = await stage.until(lambda status: any(c.reason == "BudgetSpent" for c in status.conditions))
        assert await stage.versions() == {first}
        assert status.phase is Phase.STABLE
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        word = {"id": "w1", "verb": "override", "by": "ann", "reason": "the fix of what spent it", "until": until}
        await stage.deploy("2", spec__strategy__steps=LONG, spec__commands=[word])
        await stage.until(on_trial(second))
    assert "Overridden" in await stage.events()


async def test_a_budget_that_comes_back_lets_the_waiting_trial_start(stage: Stage, books: Books) -> None:
    books.bad_share["scorer"] = 0.2
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__steps=LONG)
        await stage.until(lambda status: rests_on(first)(status) and status.budget == "-100%")
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        await stage.until(lambda status: any(c.reason == "BudgetSpent" for c in status.conditions))
        books.bad_share["scorer"] = 0.01
        await stage.until(on_trial(second))


async def test_one_wrong_objective_is_told_and_stops_the_budget_of_no_other(stage: Stage, books: Books) -> None:
    calendar = {"period": "month", "timeZone": "Nowhere/Land"}
    await stage.apply(SLO, metadata__name="wrong", spec__calendar=calendar)
    async with stage.operator():
        await stage.deploy("1", "mistaken", spec__slos=[{"name": "wrong"}])
        await stage.until(rests_on(await stage.deploy("1")))
        await eventually(lambda: condition(stage, "Accepted", "wrong"), ("False", "InvalidSLO"))
        await eventually(lambda: condition(stage, "Accepted"), ("True", "Accepted"))
        await stage.until(lambda status: status.budget == "100%")
    assert books.rounds > 0


async def test_budgets_stay_as_last_known_while_prometheus_is_away_and_at_rest_nothing_is_written(
    stage: Stage, books: Books
) -> None:
    books.bad_share["scorer"] = 0.05
    async with stage.operator() as kube:
        await stage.until(rests_on(await stage.deploy("1")))
        await eventually(lambda: condition(stage, "MetricsAvailable"), ("True", "Available"))
        await stage.until(lambda status: status.budget == "50%")
        await asyncio.sleep(3 * ROUND_S)
        writes, rounds = len([call for call in kube.calls if call.writes]), books.rounds
        await asyncio.sleep(5 * ROUND_S)
        assert books.rounds > rounds
        assert len([call for call in kube.calls if call.writes]) == writes
        known = (await slo(stage)).budgets
        books.unavailable = "Prometheus does not answer"
        await eventually(lambda: condition(stage, "MetricsAvailable"), ("False", "Unavailable"))
        assert (await slo(stage)).budgets == known
