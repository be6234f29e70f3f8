"""From evidence to verdicts.

A version is judged by itself, on the requests it got since its trial began, objective by objective:

1. ``Burning``: the e-value reached ``S / alpha`` (S objectives share alpha, Bonferroni) and at least ``min_bad``
   requests were bad. Counts that reached it keep their meaning when the metrics source goes away afterwards, so this
   comes first.
2. ``Unavailable`` and ``NoData``: nothing can be said about now. Neither a fault of the version nor a success.
3. ``Healthy``: the step's requests were seen, the odds on the whole trial are at least 2:1 for the version, and no
   stretch since a restart point speaks 10:1 against it.
4. ``Inconclusive``: everything else.

All rollouts are judged in one vectorised pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from seatrial.judge import sentences
from seatrial.judge.evalue import log_e_restart, log_e_value
from seatrial.judge.types import Counts, Evidence, Judgement, Objective, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["E_VALUE_CAP", "SEVERITY", "Trial", "judge", "judge_all", "overall"]

E_VALUE_CAP = 1e300
"""Largest e-value that is reported; a JSON number has to hold it."""

_LOG_CAP = math.log(E_VALUE_CAP)
_WEAK_TRIAL = math.log(1 / 2)
_WEAK_STRETCH = math.log(10)
_START = Counts(0, 0)
SEVERITY = (
    Verdict.Burning,
    Verdict.Unavailable,
    Verdict.NoData,
    Verdict.Environment,
    Verdict.Inconclusive,
    Verdict.Healthy,
)


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
    restarts
        ``False``: the totals are one stretch and will never have restart points, so the plain test gets all of alpha.

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


@dataclass(frozen=True, slots=True)
class _Finding:
    """The numbers behind one judgement."""

    log_e: float
    """The deciding evidence: restart mixture, or the plain test."""
    log_e_trial: float
    """The plain test on the whole trial."""
    log_e_stretch: float
    """The strongest of the tests since a restart point."""
    stretch: Counts
    """What was counted in that strongest stretch."""
    threshold: float
    step_total: int
    min_requests: int


def judge(
    objectives: Sequence[Objective],
    evidence: Sequence[Evidence],
    *,
    min_requests: int = 0,
    step_total: Sequence[int] | None = None,
    restarts: bool = True,
) -> tuple[Judgement, ...]:
    """Judge one version by all its objectives; see :class:`Trial` for the parameters and :func:`judge_all`."""
    return judge_all([Trial(objectives, evidence, min_requests, step_total, restarts)])[0]


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
    points = [_restart_points(evidence) for _, evidence in pairs]
    lengths = np.array([len(stretches) for stretches in points])
    first = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    totals, bads = np.array([(c.total, c.bad) for stretches in points for c in stretches], dtype=np.float64).T
    p0 = np.array([float(objective.p0) for objective, _ in pairs])
    gamma = np.array([1 / evidence.dispersion for _, evidence in pairs])
    log_e = log_e_value(totals, bads, np.repeat(p0, lengths)) * np.repeat(gamma, lengths)
    order = np.arange(len(log_e)) - np.repeat(first, lengths)
    order += np.repeat([evidence.retired for _, evidence in pairs], lengths) * (order > 0)
    mixture = log_e_restart(log_e, first, order)

    judged: list[tuple[Judgement, ...]] = []
    position = 0
    for trial in trials:
        judgements = []
        for index, (objective, evidence) in enumerate(zip(trial.objectives, trial.evidence, strict=True)):
            begin = int(first[position])
            end = begin + int(lengths[position])
            loudest = begin + int(np.argmax(log_e[begin:end])) if end - begin > 1 else begin
            finding = _Finding(
                log_e=float(mixture[position] if trial.restarts else log_e[begin]),
                log_e_trial=float(log_e[begin]),
                log_e_stretch=float(log_e[loudest]),
                stretch=points[position][loudest - begin],
                threshold=len(trial.objectives) / float(objective.alpha),
                step_total=evidence.candidate.total if trial.step_total is None else trial.step_total[index],
                min_requests=trial.min_requests,
            )
            judgements.append(_judgement(objective, evidence, finding))
            position += 1
        judged.append(tuple(judgements))
    return judged


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


def _restart_points(evidence: Evidence) -> list[Counts]:
    """Return what the candidate got since the beginning and since each later restart point."""
    since = evidence.since[1:] if evidence.since[:1] == (_START,) else evidence.since
    return [evidence.candidate, *(evidence.candidate - earlier for earlier in since)]


def _judgement(objective: Objective, evidence: Evidence, finding: _Finding) -> Judgement:
    verdict, sentence = _verdict(objective, evidence, finding)
    counts, budget = evidence.candidate, float(objective.error_budget)
    return Judgement(
        objective=objective.name,
        slo=objective.slo,
        verdict=verdict,
        sentence=sentence,
        total=counts.total,
        bad=counts.bad,
        burn_rate=counts.bad / counts.total / budget if counts.total else 0.0,
        e_value=math.exp(min(finding.log_e, _LOG_CAP)),
        p0=float(objective.p0),
        threshold=finding.threshold,
        dispersion=evidence.dispersion,
    )


def _verdict(objective: Objective, evidence: Evidence, finding: _Finding) -> tuple[Verdict, str]:
    """Apply the rules of the module's description, in their order."""
    counts, p0 = evidence.candidate, float(objective.p0)
    said = sentences.counted(counts, float(objective.error_budget))
    decided = finding.log_e >= math.log(finding.threshold)
    if decided and counts.bad >= objective.min_bad:
        if finding.stretch != counts:
            said += f"; {finding.stretch.bad:,} of the last {finding.stretch.total:,}"
        limit = f"A version within its limit of {sentences.percent(p0)}"
        return Verdict.Burning, f"{said}. {limit} comes to this {sentences.trials(finding.log_e)}."
    if evidence.unavailable is not None:
        return Verdict.Unavailable, f"The metrics source does not answer ({evidence.unavailable}); last known: {said}."
    if not evidence.fresh:
        return Verdict.NoData, f"No recent sample of this version; last known: {said}."
    if counts.total == 0:
        return Verdict.NoData, "No request of this version was counted yet."
    if decided:
        need = f"a rollback needs at least {objective.min_bad} bad requests"
    elif finding.step_total < finding.min_requests:
        need = f"{finding.step_total:,} of the {finding.min_requests:,} requests that this step asks for were seen"
    elif finding.log_e_trial < _WEAK_TRIAL and finding.log_e_stretch < _WEAK_STRETCH:
        return Verdict.Healthy, f"{said}, which agrees with the limit of {sentences.percent(p0)}."
    else:
        need = f"a rollback needs {sentences.odds(math.log(finding.threshold))}"
    against = f"the evidence against the limit of {sentences.percent(p0)} is {sentences.odds(finding.log_e)}"
    return Verdict.Inconclusive, f"{said}: {against}; {need}."
