"""From evidence to verdicts.

A version is judged by itself, on the requests it got since its trial began, objective by objective:

1. ``Burning``: the release overspent its absolute allowance, or the e-value reached ``S / alpha`` (S objectives share
   alpha, Bonferroni), in both cases with at least ``min_bad`` bad requests. Counts that reached it keep their meaning
   when the metrics source goes away afterwards, so this comes first.
2. ``Environment`` instead of the latter: in the stretch in which the candidate did worst, the odds are at least 2:1
   that stable was over the limit too, and the evidence that the candidate fails more often than stable is below ``S /
   alpha``.
3. ``Unavailable`` and ``NoData``: nothing can be said about now. Neither a fault of the version nor a success.
4. ``Healthy``: the step's requests were seen, the odds on the whole trial are at least 2:1 for the version, and no
   stretch since a restart point speaks 10:1 against it.
5. ``Inconclusive``: everything else.

All rollouts are judged in one vectorised pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seatrial.judge import sentences
from seatrial.judge.attribution import Attribution, attribute
from seatrial.judge.evalue import log_e_health, log_e_restart, log_e_value
from seatrial.judge.guard import excess, overspent
from seatrial.judge.restart import restart_points
from seatrial.judge.types import Evidence, Judgement, Objective, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["E_VALUE_CAP", "SEVERITY", "Trial", "judge", "judge_all", "overall"]

E_VALUE_CAP = 1e300
"""Largest e-value that is reported; a JSON number has to hold it."""

_LOG_CAP = math.log(E_VALUE_CAP)
_WEAK_TRIAL = math.log(1 / 2)
_WEAK_STRETCH = math.log(10)
_STABLE_BURNS = math.log(2)
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


class _Case(NamedTuple):
    """One objective with the numbers behind its judgement; evidence as logs of e-values."""

    objective: Objective
    evidence: Evidence
    budget: float
    p0: float
    decisive: float
    """The restart mixture, or the plain test of a trial without restarts."""
    trial: float
    """The plain test since the beginning."""
    loudest: float
    """The strongest of the tests since a restart point."""
    stretch: int
    """The index of that restart point."""
    threshold: float
    """The e-value itself that decides."""
    step_total: int
    min_requests: int
    strict: bool

    @property
    def fired(self) -> bool:
        return self.decisive >= math.log(self.threshold)

    @property
    def said(self) -> str:
        return sentences.counted(self.evidence.candidate, self.budget)


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
    stretches = [
        [(now.total - then.total, now.bad - then.bad) for then in restart_points(evidence)[0]]
        for now, evidence in ((evidence.candidate, evidence) for _, evidence in pairs)
    ]
    lengths = np.array([len(stretch) for stretch in stretches])
    first = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    totals, bads = np.array([counts for stretch in stretches for counts in stretch], dtype=np.float64).T
    if (bads < 0).any() or (totals < bads).any():
        raise ValueError("counts shrank since a restart point: they do not belong to the same trial")
    limits = [float(objective.p0) for objective, _ in pairs]
    gamma = np.array([1 / evidence.dispersion for _, evidence in pairs])
    log_e = log_e_value(totals, bads, np.repeat(limits, lengths)) * np.repeat(gamma, lengths)
    order = np.arange(len(log_e)) - np.repeat(first, lengths)
    order += np.repeat([evidence.retired for _, evidence in pairs], lengths) * (order > 0)
    mixture = log_e_restart(log_e, first, order)

    trial_log_e, decisive = log_e[first].tolist(), mixture.tolist()
    judged: list[tuple[Judgement, ...]] = []
    position = 0
    for trial in trials:
        judgements = []
        for index, (objective, evidence) in enumerate(zip(trial.objectives, trial.evidence, strict=True)):
            begin = int(first[position])
            stretch = int(log_e[begin : begin + int(lengths[position])].argmax()) if lengths[position] > 1 else 0
            case = _Case(
                objective=objective,
                evidence=evidence,
                budget=float(objective.error_budget),
                p0=limits[position],
                decisive=decisive[position] if trial.restarts else trial_log_e[position],
                trial=trial_log_e[position],
                loudest=float(log_e[begin + stretch]),
                stretch=stretch,
                threshold=len(trial.objectives) / float(objective.alpha),
                step_total=evidence.candidate.total if trial.step_total is None else trial.step_total[index],
                min_requests=trial.min_requests,
                strict=trial.strict,
            )
            judgements.append(_judgement(case))
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


def _judgement(case: _Case) -> Judgement:
    """Apply the rules of the module's description: first those that blame, then those that hold or pass."""
    counts, allowance = case.evidence.candidate, case.evidence.allowance
    attribution: Attribution | None = None
    if counts.bad < case.objective.min_bad:
        verdict, sentence = _held_or_passed(case)
    elif allowance is not None and overspent(counts, case.budget, allowance):
        verdict = Verdict.Burning
        sentence = f"{case.said}. {sentences.overspending(excess(counts, case.budget), allowance)}"
    elif case.fired:
        attribution = attribute(case.evidence, case.p0, case.stretch)
        verdict, sentence = _blamed(case, attribution)
    else:
        verdict, sentence = _held_or_passed(case)
    return Judgement(
        objective=case.objective.name,
        slo=case.objective.slo,
        verdict=verdict,
        sentence=sentence,
        total=counts.total,
        bad=counts.bad,
        burn_rate=counts.bad / counts.total / case.budget if counts.total else 0.0,
        e_value=_capped(case.decisive),
        p0=case.p0,
        threshold=case.threshold,
        dispersion=case.evidence.dispersion,
        e_attribution=_capped(attribution.log_e) if attribution else None,
    )


def _blamed(case: _Case, attribution: Attribution | None) -> tuple[Verdict, str]:
    """Say whose fault it is that the candidate is over its limit."""
    said = case.said
    if case.stretch:
        stretch = case.evidence.candidate - restart_points(case.evidence)[0][case.stretch]
        said += f"; {stretch.bad:,} of the last {stretch.total:,}"
    undecided = attribution is not None and attribution.log_e < math.log(case.threshold)
    if attribution and undecided and attribution.stable_log_e >= _STABLE_BURNS:
        stable = attribution.stable
        return Verdict.Environment, (
            f"{said}. But so were {stable.bad:,} of {stable.total:,} of stable at the same time; the evidence "
            f"that the candidate is worse is {sentences.odds(attribution.log_e)}: the surroundings are to blame."
        )
    limit = sentences.percent(case.p0)
    sentence = f"{said}. A version within its limit of {limit} comes to this {sentences.trials(case.decisive)}."
    return Verdict.Burning, sentence


def _held_or_passed(case: _Case) -> tuple[Verdict, str]:
    """Say whether a version that is not over its limit may go on."""
    evidence, said, limit = case.evidence, case.said, sentences.percent(case.p0)
    if evidence.unavailable is not None:
        return Verdict.Unavailable, f"The metrics source does not answer ({evidence.unavailable}); last known: {said}."
    if not evidence.fresh:
        return Verdict.NoData, f"No recent sample of this version; last known: {said}."
    if evidence.candidate.total == 0:
        return Verdict.NoData, "No request of this version was counted yet."
    if case.step_total < case.min_requests:
        need = f"{case.step_total:,} of the {case.min_requests:,} requests that this step asks for were seen"
    elif case.strict and (proof := _proof_of_health(case)) < -math.log(case.objective.alpha):
        needed = sentences.odds(-math.log(case.objective.alpha))
        need = f"the evidence that it is kept is {sentences.odds(proof)}, a proof needs {needed}"
    elif case.trial < _WEAK_TRIAL and case.loudest < _WEAK_STRETCH:
        return Verdict.Healthy, f"{said}, which agrees with the limit of {limit}."
    elif case.fired:
        need = f"a rollback needs at least {case.objective.min_bad} bad requests"
    else:
        need = f"a rollback needs {sentences.odds(math.log(case.threshold))}"
    against = f"the evidence against the limit of {limit} is {sentences.odds(case.decisive)}"
    return Verdict.Inconclusive, f"{said}: {against}; {need}."


def _proof_of_health(case: _Case) -> float:
    """Log evidence that the version is within its limit; all objectives must prove it, so alpha is not shared."""
    counts = case.evidence.candidate
    return float(log_e_health(counts.total, counts.bad, case.p0)[0]) / case.evidence.dispersion


def _capped(log_e: float) -> float:
    return math.exp(min(log_e, _LOG_CAP))
