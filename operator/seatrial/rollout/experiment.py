"""A/B tests: what the two groups of an experiment say by now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seatrial.api.trial import ExperimentResult
from seatrial.judge.compare import compare_ratios
from seatrial.judge.effect import LARGEST_RATIO, effect_interval
from seatrial.judge.types import Verdict
from seatrial.rollout.copies import since_step
from seatrial.rollout.evidence import significant
from seatrial.rollout.target import ALL

if TYPE_CHECKING:
    from seatrial.api.strategy import Experiment
    from seatrial.api.trial import Trial


def experiment_result(trial: Trial, experiment: Experiment, lasted_s: float) -> ExperimentResult | None:
    """Compare both groups of an experiment on what came since its step began; None before anything was counted.

    Its numbers are finite, as JSON has to hold them. What is not decided when its time is over stays so: a person
    decides then.
    """
    if trial.experiment and trial.experiment.capped:
        return trial.experiment
    entry = next((e for e in trial.evidence if e.key == experiment.objective), None)
    planned = next((p for p in trial.plan.objectives if p.key == experiment.objective), None)
    if not entry or not planned:
        return None
    mine, theirs = since_step(entry)
    alpha, margin = float(planned.rollback.alpha), experiment.margin / ALL
    found = compare_ratios(mine, theirs, margin=margin, alpha=alpha)
    low, high = effect_interval(mine, theirs, alpha=alpha)
    return ExperimentResult(
        effect=None if math.isnan(found.effect) else significant(min(found.effect, LARGEST_RATIO)),
        low=significant(low),
        high=significant(high),
        verdict=found.verdict.value,
        sentence=found.sentence,
        capped=found.verdict not in {Verdict.Healthy, Verdict.Burning} and lasted_s >= experiment.cap,
    )
