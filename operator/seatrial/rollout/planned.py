"""What an objective of a plan means to whoever counts it and to the judge."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from seatrial.judge.types import Objective
from seatrial.metrics.types import Sli
from seatrial.rollout.target import ALL

if TYPE_CHECKING:
    from seatrial.api.trial import PlannedObjective


def sli_of(planned: PlannedObjective) -> Sli:
    """Name what has to be counted for an objective."""
    return replace(Sli.declared(planned.key, planned.objective.sli), spread=compares_means(planned))


def compares_means(planned: PlannedObjective) -> bool:
    """Tell whether an objective compares means instead of shares."""
    return planned.objective.compare is not None and planned.objective.compare.mean is not None


def objective_of(planned: PlannedObjective) -> Objective:
    """Hand an objective over to the judge; raises ValueError when it could never be judged.

    A comparison with a value measured offline is a target of its own: the value less the margin, to be kept in full.
    """
    target, burn_rate = planned.objective.target, planned.rollback.burn_rate
    compare = planned.objective.compare
    if compare and compare.value is not None:
        target, burn_rate = compare.value * (ALL - compare.margin) / ALL, Decimal(1)
    return Objective(
        name=planned.objective.name,
        slo=planned.slo,
        target=target,
        burn_rate=burn_rate,
        alpha=planned.rollback.alpha,
        min_bad=planned.rollback.min_bad,
    )
