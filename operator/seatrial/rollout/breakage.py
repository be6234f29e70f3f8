"""Since when a version that is rolled back has been broken, as far as it is known: from there it takes time to detect.

An objective that burns is condemned by the stretch of its test that speaks loudest against the version
(:mod:`seatrial.judge.restart`). What came before that stretch was in order, so the version broke within it: at its
first bad event at the earliest. A test that has but one stretch, over the whole trial, tells of no later breakage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seatrial.api.counts import Totals
from seatrial.judge.evalue import log_e_value
from seatrial.judge.restart import orders
from seatrial.judge.types import Verdict
from seatrial.rollout.planned import objective_of
from seatrial.rollout.undecided import action_on

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ObjectiveEvidence, PlannedObjective, Trial


def broken_since(recorded: ModelDeploymentStatus, decided: ModelDeploymentStatus, cause: str) -> float | None:
    """Tell since when a version has been broken, in Unix seconds.

    Parameters
    ----------
    recorded
        The status as it was written before the rollback was decided. Times that are first noted with the decision
        itself would be too late.
    decided
        The status with the evidence that decided.
    cause
        The row of the phase table that decided.

    Returns
    -------
    float or None
        The time, from the first weight on; None when the version never had any, or a person decided.
    """
    trial = recorded.trial
    if not trial or trial.weighted_at is None or cause == "aborted":
        return None
    began_s: float | None = None
    if cause == "burning" and decided.trial:
        began_s = _burning_since(trial, decided.trial, trial.weighted_at)
    elif cause in {"crash loop", "not ready"}:
        began_s = trial.unready_since
    elif cause == "drifted" and recorded.drift:
        began_s = recorded.drift.since
    return trial.weighted_at if began_s is None else max(began_s, trial.weighted_at)


def _burning_since(recorded: Trial, decided: Trial, weighted_s: float) -> float | None:
    known = {entry.key: entry for entry in recorded.evidence}
    planned = {one.key: one for one in decided.plan.objectives}
    burning = (
        entry
        for entry in decided.evidence
        if entry.verdict == Verdict.Burning and action_on(decided, entry) == "auto" and entry.key in planned
    )
    return min(
        (_first_bad(entry, known.get(entry.key), planned[entry.key], weighted_s) for entry in burning), default=None
    )


def _first_bad(
    entry: ObjectiveEvidence, known: ObjectiveEvidence | None, planned: PlannedObjective, weighted_s: float
) -> float:
    """Find the first bad event of the stretch that condemns; else when that stretch began."""
    objective = planned.objective
    if objective.counts_slices or (objective.compare and objective.compare.mean):
        return weighted_s  # what is bad there is no single event
    began_s = weighted_s if known is None or known.bad_at is None else known.bad_at
    if objective.compare:
        return began_s
    loudest = _loudest(entry, float(objective_of(planned).p0))
    if loudest == 0:
        return began_s
    restart = entry.restarts[loudest - 1]
    seen = {one.candidate: one.bad_at for one in known.restarts} if known else {}
    found = (seen.get(restart.candidate), restart.at)
    return next((at_s for at_s in found if at_s is not None), began_s)


def _loudest(entry: ObjectiveEvidence, p0: float) -> int:
    """Find the stretch with the most evidence by its share of the bet; 0 is the whole trial, 1 the oldest restart."""
    counts = (Totals(), *(restart.candidate for restart in entry.restarts))
    totals = [entry.total - earlier.total for earlier in counts]
    bads = [entry.bad - earlier.bad for earlier in counts]
    order = orders(len(counts), entry.retired)
    log_e = log_e_value(totals, bads, p0) / entry.dispersion
    return int(np.argmax(log_e - np.log((order + 1.0) * (order + 2.0))))
