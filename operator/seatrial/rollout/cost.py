"""Cost per prediction in slices of time: a watched version is too dear when enough of its last slices are.

Cost moves slowly, so slices are no independent events and no test of proportions would be valid: k of the last m is the
rule. It is judged while the version serves all requests, because before that its pods are paid for in full and get a
part of the requests.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from seatrial.api.cost import CostStatus
from seatrial.api.status import Phase

if TYPE_CHECKING:
    from seatrial.api.cost import Cost
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import Trial
    from seatrial.rollout.world import World

_ABOVE: Final = "x"
_WITHIN: Final = "o"
_HOUR_S: Final = 3600.0
_UNPRICED: Final = {
    "annotation": "not every pod says its price by the annotation seatrial.dev/price-per-hour",
    "opencost": "Prometheus has no price of every pod by OpenCost's metrics: is OpenCost scraped, with honor_labels?",
}


def costed(status: ModelDeploymentStatus, trial: Trial, world: World) -> Trial:
    """Close the slice that is over, and begin the next one."""
    cap = trial.plan.cost
    if not cap or not status.candidate or status.phase is not Phase.WATCHING:
        return trial
    served = next((entry.total for entry in trial.evidence if entry.objective == cap.objective), None)
    if served is None:
        return trial
    if trial.cost is None:
        return replace(trial, cost=CostStatus(world.now_s, served))
    length_s = world.now_s - trial.cost.since
    if length_s < cap.slice:
        return trial
    workload = world.workloads.get(status.candidate.hash)
    price = workload.price_per_hour if workload else None
    return replace(trial, cost=_closed(trial.cost, cap, price, served - trial.cost.predictions, length_s))


def _closed(cost: CostStatus, cap: Cost, price: float | None, predictions: int, length_s: float) -> CostStatus:
    following = replace(cost, since=cost.since + length_s, predictions=cost.predictions + predictions)
    if price is None:
        return replace(following, sentence=f"cost is unknown: {_UNPRICED[cap.prices]}")
    if predictions < cap.min_predictions:
        return replace(
            following, sentence=f"{predictions} predictions in the last slice are too few to tell their cost"
        )
    per_thousand = price * length_s / _HOUR_S / predictions * 1000
    mark = _ABOVE if per_thousand > float(cap.per_thousand) else _WITHIN
    slices = (cost.slices + mark)[-cap.of :]
    above = slices.count(_ABOVE)
    return replace(
        following,
        slices=slices,
        sentence=f"1,000 predictions cost {per_thousand:.3g} in the last slice; {above} of the last {len(slices)} "
        f"slices were above the cap of {cap.per_thousand}, and {cap.bad} of {cap.of} are too many",
    )


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
    if _too_dear(trial):
        return "False", "TooDear", trial.cost.sentence
    if not trial.cost.slices:
        return "Unknown", "NoSlice", trial.cost.sentence
    return "True", "WithinCap", trial.cost.sentence


def _too_dear(trial: Trial) -> bool:
    cap, cost = trial.plan.cost, trial.cost
    return bool(cap and cost and cost.slices[-cap.of :].count(_ABOVE) >= cap.bad)
