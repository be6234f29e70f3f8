"""Cost per prediction in slices of time: a watched version is too dear when enough of its last slices are.

Cost moves slowly, so slices are no independent events and no test of proportions would be valid: k of the last m is the
rule. It is judged while the version serves all requests, because before that its pods are paid for in full and get a
part of the requests.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from seatrial.api.cost import CostStatus
from seatrial.api.fields import format_duration
from seatrial.api.status import Phase
from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from seatrial.api.cost import Cost
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import Trial
    from seatrial.rollout.world import World

_ABOVE: Final = "x"
_WITHIN: Final = "o"
_HOUR_S: Final = 3600.0
_MOST_UNKNOWN: Final = 0.1
"""Share of a slice for which prices may be missing."""
_PAUSE_S: Final = 60.0
"""Two looks that are further apart, and by more than that share of a slice, leave open what the pods cost between."""
_WRITTEN_EVERY_S: Final = 30.0
_ROUNDED_S: Final = 1.0
"""More than a time in a status may be ahead by rounding."""
_BLIND: Final = frozenset({Verdict.NoData, Verdict.Unavailable})
_UNPRICED: Final = {
    "annotation": "not every pod says its price by the annotation seatrial.dev/price-per-hour",
    "opencost": "Prometheus has no price of every pod by OpenCost's metrics: is OpenCost scraped, with honor_labels?",
}


def costed(status: ModelDeploymentStatus, trial: Trial, world: World) -> Trial:
    """Count on what the pods cost, close the slice that is over, and begin the next one."""
    cap = trial.plan.cost
    if not cap or not status.candidate or status.phase is not Phase.WATCHING:
        return trial
    served = next((entry for entry in trial.evidence if entry.objective == cap.objective), None)
    if served is None:
        return trial
    workload = world.workloads.get(status.candidate.hash)
    price, cost = (workload.price_per_hour if workload else None), trial.cost
    if cost is None or cost.at is None or world.now_s < cost.at - _ROUNDED_S:  # the last one: the clock was set back
        return replace(trial, cost=_begun(cost or CostStatus(0.0, 0), world.now_s, served.total, price))
    cost = _counted(cost, cap, price, world.now_s)
    # While nobody tells of predictions the slice goes on: those that are told of later belong to it.
    blind = world.metrics_down or served.verdict in _BLIND
    if blind or world.now_s - cost.since < cap.slice:
        return replace(trial, cost=cost)
    closed = _closed(cost, cap, served.total - cost.predictions, world.now_s - cost.since)
    return replace(trial, cost=_begun(closed, world.now_s, served.total, price))


def _begun(cost: CostStatus, now_s: float, served: int, price: float | None) -> CostStatus:
    return replace(cost, since=now_s, predictions=served, at=now_s, price=price, spent=0.0, unpriced=0.0)


def _counted(cost: CostStatus, cap: Cost, price: float | None, now_s: float) -> CostStatus:
    """Charge the time since the last look at the price of that look: a change of it is written down at once."""
    passed_s = max(0.0, now_s - (now_s if cost.at is None else cost.at))
    if cost.price is None or passed_s > max(_MOST_UNKNOWN * cap.slice, _PAUSE_S):
        return replace(cost, at=now_s, price=price, unpriced=cost.unpriced + passed_s)
    return replace(cost, at=now_s, price=price, spent=cost.spent + cost.price * passed_s / _HOUR_S)


def _closed(cost: CostStatus, cap: Cost, predictions: int, length_s: float) -> CostStatus:
    if cost.unpriced > _MOST_UNKNOWN * length_s:
        unpriced = format_duration(round(cost.unpriced))
        why = f"cost is unknown for {unpriced} of the last slice: nobody looked, or {_UNPRICED[cap.prices]}"
        return replace(cost, price_unknown=True, sentence=_before(cost, why))
    if predictions < cap.min_predictions:
        why = f"{predictions} predictions in the last slice are too few to tell their cost"
        return replace(cost, sentence=_before(cost, why))
    # What is not known of a slice, if it is little, cost as much as the rest of it.
    per_thousand = cost.spent * length_s / (length_s - cost.unpriced) / predictions * 1000
    mark = _ABOVE if per_thousand > float(cap.per_thousand) else _WITHIN
    slices = (cost.slices + mark)[-cap.of :]
    above = slices.count(_ABOVE)
    found = (
        f"1,000 predictions cost {per_thousand:.3g} in the last slice; {above} of the last {len(slices)} "
        f"slices were above the cap of {cap.per_thousand}, and {cap.bad} of {cap.of} are too many"
    )
    return replace(cost, price_unknown=False, slices=slices, sentence=found, known=found)


def _before(cost: CostStatus, why: str) -> str:
    return f"{why}; before that, {cost.known}" if cost.known else why


def costly(status: ModelDeploymentStatus, world: World) -> str | None:
    """Its predictions cost more than the cap in too many of the last slices, and the cap asks for a rollback then."""
    trial, candidate = status.trial, status.candidate
    if not trial or not candidate or world.override or not _too_dear(trial):
        return None
    if not trial.plan.cost or not trial.cost or trial.plan.cost.action != "rollback":
        return None
    return f"version {candidate.label} ({candidate.hash}) is too dear: {trial.cost.sentence}"


def cost_in_bounds(trial: Trial) -> tuple[str, str, str]:
    """Write the condition CostInBounds: status, reason and message."""
    if not trial.cost:
        return "Unknown", "NotWatched", "cost is judged once the version serves all requests and is watched"
    if trial.cost.price_unknown:
        return "Unknown", "PriceUnknown", trial.cost.sentence
    if _too_dear(trial):
        return "False", "TooDear", trial.cost.sentence
    if not trial.cost.slices:
        return "Unknown", "NoSlice", trial.cost.sentence
    return "True", "WithinCap", trial.cost.sentence


def _too_dear(trial: Trial) -> bool:
    cap, cost = trial.plan.cost, trial.cost
    return bool(cap and cost and not cost.price_unknown and cost.slices[-cap.of :].count(_ABOVE) >= cap.bad)


def shown_cost(cost: CostStatus) -> CostStatus:
    """Leave out what changes with every look: what remains is worth a write when it changes, and now and then.

    Looks that are not written down at all would seem to be as far apart as writes are.
    """
    at_s = cost.at and cost.at // _WRITTEN_EVERY_S
    return replace(cost, at=at_s, spent=0.0, unpriced=0.0)
