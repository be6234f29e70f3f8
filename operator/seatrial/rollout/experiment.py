"""A/B tests: what the two groups of an experiment say by now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.trial import ExperimentResult
from seatrial.judge.compare import compare_ratios
from seatrial.judge.effect import effect_interval
from seatrial.rollout.copies import since_step
from seatrial.rollout.evidence import significant
from seatrial.rollout.target import ALL

if TYPE_CHECKING:
    from seatrial.api.strategy import Experiment
    from seatrial.api.trial import Trial


def experiment_result(trial: Trial, experiment: Experiment) -> ExperimentResult | None:
    """Compare both groups of an experiment on what came since its step began; None before anything was counted."""
    entry = next((e for e in trial.evidence if f"{e.slo}/{e.objective}" == experiment.objective), None)
    planned = next((p for p in trial.plan.objectives if p.key == experiment.objective), None)
    if not entry or not planned:
        return None
    mine, theirs = since_step(entry)
    alpha, margin = float(planned.rollback.alpha), experiment.margin / ALL
    found = compare_ratios(mine, theirs, margin=margin, alpha=alpha)
    low, high = effect_interval(mine, theirs, alpha=alpha)
    return ExperimentResult(
        effect=significant(found.effect),
        low=significant(low),
        high=significant(high),
        verdict=found.verdict.value,
        sentence=found.sentence,
    )
