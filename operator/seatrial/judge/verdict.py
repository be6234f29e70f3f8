"""The rules: which evidence leads to which verdict, in which words.

1. ``Burning``: the release overspent its absolute allowance, or the e-value reached ``S / alpha`` (S objectives share
   alpha, Bonferroni), in both cases with at least ``min_bad`` bad requests. Counts that reached it keep their meaning
   when the metrics source goes away afterwards, so this comes first.
2. ``Environment`` instead of the latter: in the stretch in which the candidate did worst, the odds are at least 2:1
   that stable was over the limit too, and the evidence that the candidate fails more often than stable is below its
   threshold too.
3. ``Unavailable`` and ``NoData``: nothing can be said about now. Neither a fault of the version nor a success.
4. ``Healthy``: the step's requests were seen, the odds on the whole trial are at least 2:1 for the version, and no
   stretch since a restart point speaks 10:1 against it. Strict mode also asks for proof: the evidence that the version
   is within its limit must reach ``1 / alpha``.
5. ``Inconclusive``: everything else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from seatrial.judge import sentences
from seatrial.judge.attribution import Attribution, attribute
from seatrial.judge.evalue import log_e_health
from seatrial.judge.guard import excess, overspent
from seatrial.judge.restart import restart_points
from seatrial.judge.types import Judgement, Verdict

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
        return sentences.counted(self.evidence.candidate, self.budget)


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


def _blamed(case: Case, attribution: Attribution | None) -> tuple[Verdict, str]:
    """Say whose fault it is that the candidate is over its limit."""
    said = case.said
    if case.stretch:
        total, bad = stretches(case.evidence)[case.stretch]
        said += f"; {bad:,} of the last {total:,}"
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


def _held_or_passed(case: Case) -> tuple[Verdict, str]:
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


def _proof_of_health(case: Case) -> float:
    """Log evidence that the version is within its limit; all objectives must prove it, so alpha is not shared."""
    counts = case.evidence.candidate
    return float(log_e_health(counts.total, counts.bad, case.p0)[0]) / case.evidence.dispersion


def _capped(log_e: float) -> float:
    return math.exp(min(log_e, _LOG_CAP))
