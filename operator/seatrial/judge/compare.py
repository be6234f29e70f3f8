"""Objectives relative to something: "no more than 5 % worse than stable", tested at every look.

For ratios the claim is about good shares: ``g_c >= (1 - margin) g_s``. Evidence against a claim with unknown shares
in it is the likelihood averaged over all shares (uniformly) divided by the largest likelihood that the claim allows
(universal inference). At the true shares the denominator is at least the true likelihood, so E is at most a mixture
martingale, and Ville's inequality holds at every look. The same construction against the opposite claim proves
non-inferiority. It depends on the four totals alone.

Means are compared by :mod:`seatrial.judge.means`.

Source: Wasserman, Ramdas and Balakrishnan, "Universal inference", PNAS 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.judge import sentences
from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from seatrial.judge.types import Counts

__all__ = ["Comparison", "compare_ratios", "decide", "log_e_inferior", "log_e_non_inferior"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the candidate is worse than the margin allows.

    The verdict is Burning (worse, proven), Healthy (not worse, proven), Inconclusive or NoData. ``effect`` is
    the candidate's share of good events over stable's.
    """

    verdict: Verdict
    sentence: str
    effect: float
    margin: float


def log_e_inferior(candidate: Counts, stable: Counts, ratio: float) -> float:
    """Log of the evidence against ``g_c >= ratio * g_s``; ``ratio`` > 0."""
    observed = _good_share(candidate) >= ratio * _good_share(stable)
    return _log_mixture(candidate, stable) - (
        _log_best(candidate, stable) if observed else _log_edge(candidate, stable, ratio)
    )


def log_e_non_inferior(candidate: Counts, stable: Counts, ratio: float) -> float:
    """Log of the evidence against ``g_c <= ratio * g_s``; ``ratio`` > 0."""
    observed = _good_share(candidate) <= ratio * _good_share(stable)
    return _log_mixture(candidate, stable) - (
        _log_best(candidate, stable) if observed else _log_edge(candidate, stable, ratio)
    )


def compare_ratios(
    candidate: Counts, stable: Counts, *, margin: float, alpha: float = 0.01, dispersion: float = 1.0
) -> Comparison:
    """Compare the shares of good events of two versions.

    Parameters
    ----------
    candidate, stable
        Counts over the same time.
    margin
        How much smaller the candidate's share may be, relative to stable's, 0 <= margin < 1.
    alpha
        Probability of ever being wrong, of either result.
    dispersion
        How clustered bad events are, >= 1: evidence of both kinds is tempered by it (``judge.dispersion``).
    """
    if candidate.total == 0 or stable.total == 0:
        return Comparison(Verdict.NoData, "Both versions need events to be compared.", math.nan, margin)
    mine, theirs = _good_share(candidate), _good_share(stable)
    worse, kept = (test(candidate, stable, 1 - margin) / dispersion for test in (log_e_inferior, log_e_non_inferior))
    said = f"{sentences.percent(mine)} good against {sentences.percent(theirs)} of stable"
    verdict, sentence = decide(worse, kept, -math.log(alpha), said, margin)
    return Comparison(verdict, sentence, mine / theirs if theirs else math.inf, margin)


def decide(worse: float, kept: float, needed: float, said: str, margin: float) -> tuple[Verdict, str]:
    """Give verdict and sentence for the logs of the evidence for "worse" and for "not worse", and the one needed."""
    allowed = sentences.percent(margin)
    if worse >= needed:
        return Verdict.Burning, f"{said}: worse by more than {allowed}; chance explains that {sentences.trials(worse)}."
    if kept >= needed:
        return (
            Verdict.Healthy,
            f"{said}: not worse by more than {allowed}; chance explains that {sentences.trials(kept)}.",
        )
    return Verdict.Inconclusive, (
        f"{said}: the evidence for worse by more than {allowed} is {sentences.odds(worse)}, against it "
        f"{sentences.odds(kept)}; {sentences.odds(needed)} decides."
    )


def _good_share(counts: Counts) -> float:
    return (counts.total - counts.bad) / counts.total


def _log_mixture(candidate: Counts, stable: Counts) -> float:
    """Log likelihood of both sides' counts averaged over all shares: a beta function each."""
    return sum(
        math.lgamma(c.bad + 1) + math.lgamma(c.total - c.bad + 1) - math.lgamma(c.total + 2)
        for c in (candidate, stable)
    )


def _log_best(candidate: Counts, stable: Counts) -> float:
    """Log likelihood at the observed shares."""
    return sum(_log_likelihood(c, _good_share(c)) for c in (candidate, stable))


def _log_edge(candidate: Counts, stable: Counts, ratio: float) -> float:
    """Largest log likelihood with ``g_c = ratio * g_s``: the root of a quadratic equation in ``g_s``."""
    good = candidate.total - candidate.bad + stable.total - stable.bad
    a = ratio * (candidate.total + stable.total)
    b = good * (1 + ratio) + ratio * candidate.bad + stable.bad
    share = 2 * good / (b + math.sqrt(max(0.0, b * b - 4 * a * good))) if b else 0.0
    return _log_likelihood(candidate, min(1.0, ratio * share)) + _log_likelihood(stable, min(1.0, share))


def _log_likelihood(counts: Counts, share: float) -> float:
    good = counts.total - counts.bad
    log_good = good * math.log(share) if good and share > 0 else (-math.inf if good else 0.0)
    log_bad = counts.bad * math.log1p(-share) if counts.bad and share < 1 else (-math.inf if counts.bad else 0.0)
    return log_good + log_bad
