"""The rules: which evidence leads to which verdict, in which words.

1. ``Burning``: the release overspent its absolute allowance, or the e-value reached ``S / alpha`` (S objectives share
   alpha, Bonferroni), in both cases with at least ``min_bad`` bad requests. Counts that reached it keep their meaning
   when the metrics source goes away afterwards, so this comes first.
2. ``Environment`` instead of the latter. A test since a restart point is excused when the odds are at least 2:1 that
   stable was over the limit in the same stretch, and the evidence that the candidate fails more often than stable is
   below the threshold too. If those left do not condemn the version, it is not blamed. Once there is a restart point
   after the outage, the version is judged on what came since then.
3. ``Unavailable`` and ``NoData``: nothing can be said about now. Neither a fault of the version nor a success.
4. ``Healthy``: the step's requests were seen, at least one in any case, the odds on the whole trial are at least 2:1
   for the version, and no stretch since a restart point speaks 10:1 against it. Strict mode also asks for proof: the
   evidence that the version is within its limit must reach ``1 / alpha``.
5. ``Inconclusive``: everything else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seatrial.judge import sentences
from seatrial.judge.attribution import Attribution, attribute
from seatrial.judge.evalue import log_e_health, log_e_restart
from seatrial.judge.guard import excess, overspent
from seatrial.judge.restart import orders, restart_points
from seatrial.judge.types import Counts, Judgement, Verdict

if TYPE_CHECKING:
    from seatrial.judge.evalue import FloatArray
    from seatrial.judge.types import Evidence, Objective

__all__ = ["E_VALUE_CAP", "Case", "judgement", "stretches"]

E_VALUE_CAP = 1e300
"""Largest e-value that is reported; a JSON number has to hold it."""

_LOG_CAP = math.log(E_VALUE_CAP)
_WEAK_TRIAL = math.log(1 / 2)
_WEAK_STRETCH = math.log(10)
_STABLE_BURNS = math.log(2)


class Case(NamedTuple):
    """One objective with the numbers behind its judgement; evidence as logs of e-values."""

    objective: Objective
    evidence: Evidence
    counts: Counts
    """The candidate's events that are judged: those since the beginning, or since an outage was over."""
    budget: float
    p0: float
    decisive: float
    """The restart mixture, or the plain test of a trial without restarts."""
    trial: float
    """The plain test since the beginning."""
    loudest: float
    """The strongest of the tests since a restart point."""
    since: FloatArray
    """All of these tests, by restart point."""
    threshold: float
    """The e-value itself that decides."""
    step_total: int
    min_requests: int
    silent: bool
    """Whether no event of any objective was counted since the step began."""
    strict: bool

    @property
    def fired(self) -> bool:
        """Whether the evidence is enough to blame somebody."""
        return self.decisive >= math.log(self.threshold)

    @property
    def stretch(self) -> int:
        """The index of the restart point since which the version did worst."""
        return int(self.since.argmax())

    @property
    def said(self) -> str:
        """What was counted, in words."""
        return sentences.counted(self.counts, self.budget)

    @property
    def tempered(self) -> str:
        """Why the evidence is less than the counts seem to say, in words."""
        return sentences.bursts(self.evidence.dispersion)


def stretches(evidence: Evidence) -> list[tuple[int, int]]:
    """Count requests and bad requests of the candidate since each restart point."""
    now = evidence.candidate
    if not evidence.since:
        return [(now.total, now.bad)]
    return [(now.total - then.total, now.bad - then.bad) for then in restart_points(evidence)[0]]


def judgement(case: Case) -> Judgement:
    """Apply the rules of the module's description: first those that blame, then those that hold or pass."""
    counts, allowance = case.evidence.candidate, case.evidence.allowance
    attribution: Attribution | None = None
    awaits_stable = spent = False
    if counts.bad < case.objective.min_bad:
        verdict, sentence = _held_or_passed(case)
    elif allowance is not None and overspent(counts, case.budget, allowance):
        verdict, spent = Verdict.Burning, True
        sentence = f"{case.said}. {sentences.overspending(excess(counts, case.budget), allowance)}"
    elif case.fired:
        attribution = attribute(case.evidence, case.p0)
        verdict, sentence = _blamed(case, attribution)
        awaits_stable = verdict is Verdict.Burning and case.evidence.stable_lags
    else:
        verdict, sentence = _held_or_passed(case)
    if awaits_stable:
        verdict = Verdict.Inconclusive
        sentence = f"{case.said}: it waits for stable's count of the same time, to know whether stable suffers too."
    return Judgement(  # by position, as names would double what it costs
        case.objective.name,
        case.objective.slo,
        verdict,
        sentence,
        counts.total,
        counts.bad,
        counts.bad / counts.total / case.budget if counts.total else 0.0,
        _capped(case.decisive),
        case.p0,
        case.threshold,
        case.evidence.dispersion,
        _capped(attribution.log_e) if attribution else None,
        awaits_stable,
        spent,
    )


def _blamed(case: Case, attribution: Attribution | None) -> tuple[Verdict, str]:
    """Say whose fault it is that the candidate is over its limit."""
    needed = math.log(case.threshold)
    if attribution is None or attribution.log_e >= needed:
        return Verdict.Burning, _condemned(case)
    excused = attribution.stable_log_e >= _STABLE_BURNS
    if not excused.any():
        return Verdict.Burning, _condemned(case)
    kept = np.where(excused, -np.inf, case.since)
    order = orders(len(kept), case.evidence.retired)
    alone = case._replace(since=kept, decisive=float(log_e_restart(kept, [0], order)[0]))
    if alone.decisive >= needed:
        return Verdict.Burning, _condemned(alone)
    clean = len(excused) - int(excused[::-1].argmax())
    if clean < len(excused):
        return _since_the_outage(alone, clean)
    if case.evidence.unavailable is not None or not case.evidence.fresh:
        return _held_or_passed(case)
    stable = attribution.stable[case.stretch]
    return Verdict.Environment, (
        f"{_at_its_worst(case)}. But so were {stable.bad:,} of {stable.total:,} of stable at the same time; the "
        f"evidence that the candidate is worse is {sentences.odds(attribution.log_e)}: the surroundings are to blame."
    )


def _since_the_outage(case: Case, clean: int) -> tuple[Verdict, str]:
    """Judge afresh from the first restart point after what stable suffered too."""
    total, bad = stretches(case.evidence)[clean]
    verdict, sentence = _held_or_passed(
        case._replace(
            counts=Counts(total, bad),
            trial=float(case.since[clean]),
            loudest=float(case.since[clean:].max()),
            step_total=min(case.step_total, total),
        )
    )
    return verdict, f"Since an outage that stable suffered too: {sentence}"


def _condemned(case: Case) -> str:
    limit = sentences.percent(case.p0)
    odds = sentences.trials(case.decisive)
    return f"{_at_its_worst(case)}{case.tempered}. A version within its limit of {limit} comes to this {odds}."


def _at_its_worst(case: Case) -> str:
    if not case.stretch:
        return case.said
    total, bad = stretches(case.evidence)[case.stretch]
    return f"{case.said}; {bad:,} of the last {total:,}"


def _held_or_passed(case: Case) -> tuple[Verdict, str]:
    """Say whether a version that is not over its limit may go on."""
    said, limit = case.said, sentences.percent(case.p0)
    if case.evidence.unavailable is not None:
        problem = case.evidence.unavailable
        return Verdict.Unavailable, f"It can't be counted now: {problem}; last known: {said}."
    if not case.evidence.fresh:
        return Verdict.NoData, f"No recent sample of this version; last known: {said}."
    if case.counts.total == 0:
        return Verdict.NoData, "No request of this version was counted yet."
    if case.step_total < case.min_requests:
        need = f"{case.step_total:,} of the {case.min_requests:,} requests that this step asks for were seen"
    elif case.silent:
        need = "no request was counted in this step yet"
    elif case.strict and (proof := _proof_of_health(case)) < -math.log(case.objective.alpha):
        needed = sentences.odds(-math.log(case.objective.alpha))
        need = f"the evidence that it is kept is {sentences.odds(proof)}, a proof needs {needed}"
    elif case.trial < _WEAK_TRIAL and case.loudest < _WEAK_STRETCH:
        return Verdict.Healthy, f"{said}, which agrees with the limit of {limit}."
    elif case.fired:
        need = f"a rollback needs at least {case.objective.min_bad} bad requests"
    else:
        need = f"a rollback needs {sentences.odds(math.log(case.threshold))}"
    against = f"the evidence against the limit of {limit} is {sentences.odds(case.decisive)}{case.tempered}"
    return Verdict.Inconclusive, f"{said}: {against}; {need}."


def _proof_of_health(case: Case) -> float:
    """Log evidence that the version is within its limit; all objectives must prove it, so alpha is not shared."""
    proof = log_e_health(case.counts.total, case.counts.bad, case.p0)
    return float(proof[0]) / case.evidence.dispersion


def _capped(log_e: float) -> float:
    return math.exp(min(log_e, _LOG_CAP))
