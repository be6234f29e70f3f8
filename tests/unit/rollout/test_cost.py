"""Cost in slices of time: what is counted, what says nothing, and what too many dear slices lead to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pytest

from seatrial.api.cost import ANNOTATION, Cost, CostStatus
from seatrial.api.keeping import Watch
from seatrial.judge.types import Verdict
from seatrial.metrics.prices import price_sources
from seatrial.rollout.cost import _UNPRICED, costed, shown_cost
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
    plan = replace(status.trial.plan, cost=cap, watch=Watch(for_=86400.0))
    return replace(status, trial=replace(status.trial, plan=plan))


def look(status: ModelDeploymentStatus, at_s: float, total: int, price: float | None = PRICE, **world: Any) -> Decision:
    """Look once, at so many predictions since the trial began and at a price per hour of all pods."""
    eased = b.at_ease(status, **({"evidence": (b.evidence(total=total),), "now_s": b.NOW + at_s} | world))
    workloads = {name: replace(workload, price_per_hour=price) for name, workload in eased.workloads.items()}
    return b.run(status, replace(eased, workloads=workloads))


def minutes(
    status: ModelDeploymentStatus, *predictions: int, price: float | None = PRICE, begun_s: float = 0.0, **world: Any
) -> list[Decision]:
    """Let slices pass, each with so many predictions, after a first look that begins the first of them."""
    known = status.trial.cost if status.trial else None
    total = known.predictions if known else 1000
    decisions = [look(status, begun_s, total, price, **world)]
    for number, more in enumerate(predictions):
        for at_s in range(0, round(SLICE_S), 10):
            status = decisions[-1].status
            if status.candidate:
                now_s = begun_s + number * SLICE_S + at_s + 10
                total += more if at_s + 10 == SLICE_S else 0
                last = look(status, now_s, total, price, **world)
        decisions.append(last)
    return decisions


def costs(decision: Decision) -> CostStatus:
    assert decision.status.trial
    assert decision.status.trial.cost
    return decision.status.trial.cost


def test_a_version_whose_predictions_cost_too_much_for_too_long_is_rolled_back() -> None:
    first, cheap, dear, dearest = minutes(watching(capped()), 1000, 150, 100)
    assert b.condition(first, "CostInBounds") == ("Unknown", "NoSlice")
    assert b.condition(cheap, "CostInBounds") == ("True", "WithinCap")
    assert "1,000 predictions cost 0.1 in the last slice; 0 of the last 1 slices" in b.said(cheap, "CostInBounds")
    assert b.condition(dear, "CostInBounds") == ("True", "WithinCap")
    assert costs(dear).slices == "ox"
    assert dearest.status.phase == "RolledBack"
    assert "is too dear: 1,000 predictions cost 1 in the last slice; 2 of the last 3 slices" in dearest.status.summary


def test_the_owner_may_only_want_to_know() -> None:
    *_, last = minutes(watching(capped(action="notify")), 150, 100)
    assert last.status.phase == "Watching"
    assert b.condition(last, "CostInBounds") == ("False", "TooDear")
    assert "TooDear" in b.reasons(last)


@pytest.mark.parametrize(
    ("predictions", "price", "reason", "why"),
    [
        ((99, 99, 99), PRICE, "NoSlice", "99 predictions in the last slice are too few to tell their cost"),
        (
            (100, 100, 100),
            None,
            "PriceUnknown",
            "not every pod says its price by the annotation seatrial.dev/price-per-hour",
        ),
    ],
)
def test_what_says_nothing_is_not_held_against_it(
    predictions: tuple[int, ...], price: float | None, reason: str, why: str
) -> None:
    *_, last = minutes(watching(capped()), *predictions, price=price)
    assert last.status.phase == "Watching"
    assert b.condition(last, "CostInBounds") == ("Unknown", reason)
    assert why in b.said(last, "CostInBounds")


def test_old_slices_are_forgotten() -> None:
    *_, last = minutes(watching(capped()), 100, 1000, 1000, 100)
    assert last.status.phase == "Watching"
    assert costs(last).slices == "oox"


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
    assert b.condition(last, "CostInBounds") == ("Unknown", "PriceUnknown")
    assert "is OpenCost scraped, with honor_labels?" in b.said(last, "CostInBounds")


def test_each_source_of_prices_that_can_be_named_has_its_words_and_its_metrics() -> None:
    named = set(get_args(Cost.model_fields["prices"].annotation))
    assert named == set(_UNPRICED) == {ANNOTATION, *price_sources()}


def test_a_price_that_is_lost_leaves_the_verdict_open_and_the_last_figure_known() -> None:
    *_, dear = minutes(watching(capped(action="notify")), 150, 100)
    _, lost = minutes(dear.status, 1000, price=None, begun_s=2 * SLICE_S)
    assert b.condition(lost, "CostInBounds") == ("Unknown", "PriceUnknown")
    assert "before that, 1,000 predictions cost 1 in the last slice; 2 of the last 2" in b.said(lost, "CostInBounds")
    assert costs(lost).slices == "xx"
    _, _, back = minutes(lost.status, 100, 100, begun_s=3 * SLICE_S)
    assert b.condition(back, "CostInBounds") == ("False", "TooDear")
    assert costs(back).slices == "xxx"


def test_a_quiet_slice_changes_no_verdict_and_says_what_was_found_before() -> None:
    *_, dear = minutes(watching(capped(action="notify")), 150, 100)
    _, quiet = minutes(dear.status, 5, begun_s=2 * SLICE_S)
    assert b.condition(quiet, "CostInBounds") == ("False", "TooDear")
    assert b.said(quiet, "CostInBounds").startswith("5 predictions in the last slice are too few")
    assert "before that, 1,000 predictions cost 1 in the last slice" in b.said(quiet, "CostInBounds")


def test_pods_cost_what_they_cost_while_they_are_there() -> None:
    """Two pods for 59 s and 20 pods in the last second of a slice are no 20 pods for a minute."""
    status = look(watching(capped(bad=1, of=1)), 0, 1000).status
    for at_s in range(1, 60):
        status = look(status, at_s, 1000, PRICE if at_s < 59 else 10 * PRICE).status
    last = look(status, 60, 2000, 10 * PRICE)
    assert last.status.phase == "Watching"
    assert "1,000 predictions cost 0.115 in the last slice" in b.said(last, "CostInBounds")


def test_what_was_not_written_down_is_counted_the_same() -> None:
    """Counts alone are not written at each look: what was last written is counted on from, with the price of then."""
    written = look(watching(capped()), 0, 1000).status
    once = costs(look(written, 40, 1000))
    often = costs(look(look(look(written, 10, 1000).status, 25, 1000).status, 40, 1000))
    assert round(once.spent, 9) == round(often.spent, 9) > 0
    assert replace(once, spent=0.0) == replace(often, spent=0.0)


def test_a_price_that_is_missing_for_a_tenth_of_a_slice_is_no_matter() -> None:
    def after(unpriced_s: int) -> Decision:
        status = watching(capped())
        for at_s in range(61):
            last = look(status, at_s, 1000 if at_s < 60 else 2000, None if at_s < unpriced_s else PRICE)
            status = last.status
        return last

    assert costs(after(6)).slices == "o"
    assert costs(after(6)).known.startswith("1,000 predictions cost 0.1 in the last slice")
    assert b.condition(after(7), "CostInBounds") == ("Unknown", "PriceUnknown")


def test_a_slice_in_which_nobody_looked_for_long_is_not_known() -> None:
    """An operator that was away for 10 minutes knows the predictions of that time, and not how many pods there were."""
    *_, known = minutes(watching(capped()), 1000)
    away = look(known.status, SLICE_S + 600, 2100)
    assert b.condition(away, "CostInBounds") == ("Unknown", "PriceUnknown")
    assert "cost is unknown for 10m of the last slice: nobody looked, or" in b.said(away, "CostInBounds")
    _, back = minutes(away.status, 1000, begun_s=SLICE_S + 600)
    assert costs(back).slices == "oo"


@pytest.mark.parametrize("verdict", [Verdict.Unavailable, Verdict.NoData])
def test_a_slice_goes_on_while_nobody_tells_of_predictions(verdict: Verdict) -> None:
    cap = capped(bad=1, of=1, perThousand="0.90")
    *_, steady = minutes(watching(cap), 1000)
    total = costs(steady).predictions
    down: dict[str, Any] = {"metrics_down": b.OUTAGE} if verdict is Verdict.Unavailable else {}
    status = steady.status
    for at_s in range(70, 180, 10):
        blind = look(status, at_s, total, evidence=(b.evidence(verdict, total=total),), **down)
        status = blind.status
    assert costs(blind).slices == "o"
    assert costs(blind).sentence == costs(steady).sentence
    again = look(status, 180, total + 240)  # two minutes' predictions, at the price of two minutes
    assert "1,000 predictions cost 0.833" in b.said(again, "CostInBounds")


def test_a_clock_that_is_set_back_begins_the_slice_anew() -> None:
    *_, ahead = minutes(watching(capped()), 1000)
    assert ahead.status.trial
    world = b.at_ease(ahead.status, now_s=b.NOW - 3600)
    back = costed(ahead.status, ahead.status.trial, world).cost
    assert back
    assert (back.since, back.at, back.slices) == (b.NOW - 3600, b.NOW - 3600, "o")


def test_a_change_of_the_price_is_worth_a_write_and_counting_only_now_and_then() -> None:
    first = look(watching(capped()), 0, 1000)
    later = look(first.status, 0.5, 1000)
    assert shown_cost(costs(first)) == shown_cost(costs(later)) != shown_cost(costs(look(first.status, 0.5, 1000, 9.0)))
    assert shown_cost(costs(later)) != shown_cost(costs(look(first.status, 30, 1000)))
