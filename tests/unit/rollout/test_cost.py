"""Cost in slices of time: what is counted, what says nothing, and what too many dear slices lead to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pytest

from seatrial.api.cost import ANNOTATION, Cost
from seatrial.metrics.prices import price_sources
from seatrial.rollout.cost import _UNPRICED
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Decision

SLICE_S = 60.0
# Two pods of 3.00 an hour cost 0.10 a minute: 1,000 predictions in a minute cost 0.10, and 100 cost 1.00.
PRICE = 6.0


def capped(**changes: Any) -> Cost:
    cap = {"objective": "availability", "perThousand": "0.50", "bad": 2, "of": 3, "action": "rollback"}
    return Cost.model_validate({**cap, **changes})


def watching(cap: Cost) -> ModelDeploymentStatus:
    status = b.watching()
    assert status.trial
    plan = replace(status.trial.plan, cost=cap)
    return replace(status, trial=replace(status.trial, plan=plan))


def minutes(
    status: ModelDeploymentStatus, *predictions: int, price: float | None = PRICE, **world: Any
) -> list[Decision]:
    """Let slices pass, each with so many predictions, after a first look that begins the first of them."""
    decisions, total = [], 1000
    for number, more in enumerate((0, *predictions)):
        total += more
        eased = b.at_ease(status, evidence=(b.evidence(total=total),), now_s=b.NOW + number * SLICE_S, **world)
        workloads = {name: replace(workload, price_per_hour=price) for name, workload in eased.workloads.items()}
        decisions.append(b.run(status, replace(eased, workloads=workloads)))
        status = decisions[-1].status
    return decisions


def test_a_version_whose_predictions_cost_too_much_for_too_long_is_rolled_back() -> None:
    first, cheap, dear, dearest = minutes(watching(capped()), 1000, 150, 100)
    assert b.condition(first, "CostInBounds") == ("Unknown", "NoSlice")
    assert b.condition(cheap, "CostInBounds") == ("True", "WithinCap")
    assert "1,000 predictions cost 0.1 in the last slice; 0 of the last 1 slices" in b.said(cheap, "CostInBounds")
    assert b.condition(dear, "CostInBounds") == ("True", "WithinCap")
    assert dear.status.trial
    assert dear.status.trial.cost
    assert dear.status.trial.cost.slices == "ox"
    assert dearest.status.phase == "RolledBack"
    assert "is too dear: 1,000 predictions cost 1 in the last slice; 2 of the last 3 slices" in dearest.status.summary


def test_the_owner_may_only_want_to_know() -> None:
    *_, last = minutes(watching(capped(action="notify")), 150, 100)
    assert last.status.phase == "Watching"
    assert b.condition(last, "CostInBounds") == ("False", "TooDear")
    assert "TooDear" in b.reasons(last)


@pytest.mark.parametrize(
    ("predictions", "price", "why"),
    [
        ((99, 99, 99), PRICE, "99 predictions in the last slice are too few to tell their cost"),
        ((100, 100, 100), None, "not every pod says its price by the annotation seatrial.dev/price-per-hour"),
    ],
)
def test_what_says_nothing_is_not_held_against_it(predictions: tuple[int, ...], price: float | None, why: str) -> None:
    *_, last = minutes(watching(capped()), *predictions, price=price)
    assert last.status.phase == "Watching"
    assert b.condition(last, "CostInBounds") == ("Unknown", "NoSlice")
    assert why in b.said(last, "CostInBounds")


def test_old_slices_are_forgotten() -> None:
    *_, last = minutes(watching(capped()), 100, 1000, 1000, 100)
    assert last.status.phase == "Watching"
    assert last.status.trial
    assert last.status.trial.cost
    assert last.status.trial.cost.slices == "oox"


def test_cost_is_not_judged_before_the_version_has_all_requests() -> None:
    status = b.on_trial()
    assert status.trial
    status = replace(status, trial=replace(status.trial, plan=replace(status.trial.plan, cost=capped())))
    decision = b.run(status, b.at_ease(status))
    assert b.condition(decision, "CostInBounds") == ("Unknown", "NotWatched")
    assert decision.status.trial
    assert decision.status.trial.cost is None


def test_pods_without_a_price_by_opencost_say_what_to_look_at() -> None:
    *_, last = minutes(watching(capped(prices="opencost")), 100, 100, price=None)
    assert b.condition(last, "CostInBounds") == ("Unknown", "NoSlice")
    assert "is OpenCost scraped, with honor_labels?" in b.said(last, "CostInBounds")


def test_each_source_of_prices_that_can_be_named_has_its_words_and_its_metrics() -> None:
    named = set(get_args(Cost.model_fields["prices"].annotation))
    assert named == set(_UNPRICED) == {ANNOTATION, *price_sources()}
