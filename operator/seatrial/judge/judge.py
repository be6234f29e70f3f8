"""From evidence to verdicts.

A version is judged by itself, on the requests it got since its trial began, objective by objective, by the rules of
:mod:`seatrial.judge.verdict`. The objectives of a ModelDeployment share alpha (Bonferroni). All rollouts are judged
in one vectorised pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from seatrial.judge.evalue import log_e_restart, log_e_value
from seatrial.judge.types import Evidence, Judgement, Objective, Verdict
from seatrial.judge.verdict import Case, judgement, stretches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from decimal import Decimal

__all__ = ["SEVERITY", "Trial", "judge", "judge_all", "overall"]

SEVERITY = (
    Verdict.Burning,
    Verdict.Unavailable,
    Verdict.NoData,
    Verdict.Environment,
    Verdict.Inconclusive,
    Verdict.Healthy,
)
"""Verdicts from worst to best: the worst objective decides for the version."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One ModelDeployment's trial at one look.

    Parameters
    ----------
    objectives
        All objectives that the version answers to; they share alpha.
    evidence
        What was counted for each of them, in the same order.
    min_requests
        Requests that the current step asks for before it may go on, >= 0.
    step_total
        The candidate's events since the current step began, one for each objective; ``None``: since the trial began.
        While all of them are 0 the step has shown nothing, and no objective is Healthy.
    restarts
        ``False``: the totals are one stretch and will never have restart points, so the plain test gets all of alpha.
    strict
        ``True``: healthy means proven to be within the limit, not only that nothing speaks against it.

    Raises
    ------
    ValueError
        When the sequences have different lengths, or restart points are given for a trial without.
    """

    objectives: Sequence[Objective]
    evidence: Sequence[Evidence]
    min_requests: int = 0
    step_total: Sequence[int] | None = None
    restarts: bool = True
    strict: bool = False

    def __post_init__(self) -> None:
        lengths = {len(self.objectives), len(self.evidence)}
        if self.step_total is not None:
            lengths.add(len(self.step_total))
        if len(lengths) > 1:
            raise ValueError(
                f"objectives, evidence and step totals must pair up, but their lengths are {sorted(lengths)}"
            )
        if not self.restarts and any(evidence.since for evidence in self.evidence):
            raise ValueError("a trial without restarts was given restart points")


def judge(
    objectives: Sequence[Objective],
    evidence: Sequence[Evidence],
    *,
    min_requests: int = 0,
    step_total: Sequence[int] | None = None,
    restarts: bool = True,
    strict: bool = False,
) -> tuple[Judgement, ...]:
    """Judge one version by all its objectives; see :class:`Trial` for the parameters and :func:`judge_all`."""
    return judge_all([Trial(objectives, evidence, min_requests, step_total, restarts, strict)])[0]


def judge_all(trials: Sequence[Trial]) -> list[tuple[Judgement, ...]]:
    """Judge many versions in one vectorised pass.

    Returns
    -------
    list of tuple
        For each trial the judgements of its objectives, in their order.

    Raises
    ------
    ValueError
        When totals shrank since a restart point: they are not counts of the same trial.
    """
    pairs = [pair for trial in trials for pair in zip(trial.objectives, trial.evidence, strict=True)]
    if not pairs:
        return [() for _ in trials]
    counted = [stretches(evidence) for _, evidence in pairs]
    lengths = np.array([len(stretch) for stretch in counted])
    first = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(counted)), np.float64)
    totals, bads = flat[::2], flat[1::2]
    if (bads < 0).any() or (totals < bads).any():
        raise ValueError("counts shrank since a restart point: they do not belong to the same trial")
    numbers = [_numbers(objective.target, objective.burn_rate, objective.alpha) for objective, _ in pairs]
    limits = [limit for limit, _, _ in numbers]
    gamma = np.array([1 / evidence.dispersion for _, evidence in pairs])
    log_e = log_e_value(totals, bads, np.repeat(limits, lengths)) * np.repeat(gamma, lengths)
    order = np.arange(len(log_e)) - np.repeat(first, lengths)
    order += np.repeat([evidence.retired for _, evidence in pairs], lengths) * (order > 0)
    mixture = log_e_restart(log_e, first, order)
    found = zip(
        numbers,
        mixture.tolist(),
        log_e[first].tolist(),
        np.maximum.reduceat(log_e, first).tolist(),
        first.tolist(),
        (first + lengths).tolist(),
        strict=True,
    )
    judged: list[tuple[Judgement, ...]] = []
    for trial in trials:
        share_of_alpha = len(trial.objectives)
        silent = trial.step_total is not None and not any(trial.step_total)
        judgements = []
        for index, (objective, evidence) in enumerate(zip(trial.objectives, trial.evidence, strict=True)):
            (p0, budget, patience), mixed, whole, loudest, begin, end = next(found)
            in_step = evidence.candidate.total if trial.step_total is None else trial.step_total[index]
            case = Case(  # by position, as names would double what it costs
                objective,
                evidence,
                evidence.candidate,
                budget,
                p0,
                mixed if trial.restarts else whole,
                whole,
                loudest,
                log_e[begin:end],
                share_of_alpha * patience,
                in_step,
                trial.min_requests,
                silent,
                trial.strict,
            )
            judgements.append(judgement(case))
        judged.append(tuple(judgements))
    return judged


@lru_cache(maxsize=4096)
def _numbers(target: Decimal, burn_rate: Decimal, alpha: Decimal) -> tuple[float, float, float]:
    """Return an objective's limit, its error budget and ``1 / alpha`` as floats."""
    objective = Objective("", "", target, burn_rate, alpha)
    return float(objective.p0), float(objective.error_budget), float(1 / alpha)


def overall(judgements: Iterable[Judgement]) -> Judgement:
    """Return the judgement that decides for the version: the worst verdict, and of those the strongest evidence.

    Raises
    ------
    ValueError
        When there is none: a version without objectives cannot be judged.
    """
    worst = min(judgements, key=lambda j: (SEVERITY.index(j.verdict), -j.e_value / j.threshold), default=None)
    if worst is None:
        raise ValueError("a version without objectives cannot be judged; give its ModelSLO at least one objective")
    return worst
