"""What labels tell beyond a share of right answers: calibration, differences between groups, and when labels may act.

Accuracy, precision, recall and errors beyond a tolerance are shares of good events and are judged as every objective.
Here is the rest. Labels are those of matured predictions only: cohorts of one age, so that outcomes that come fast
don't speak for all.

* *Coverage*. When few predictions ever get a label, those that do are not like the others. Below the target nothing is
  said.
* *Brier score*: the mean of squared errors, each between 0 and 1. The e-value of :mod:`seatrial.judge.evalue` is convex
  in each observation, so for a mean of values between 0 and 1 it is at most what it would be for a share: the same test
  holds at every look, with the sum of the squared errors in place of the bad events.
* *Expected calibration error* (ECE): how far stated confidence is from the share of right answers, averaged over bins.
  It is above 0 by chance alone, so it counts only when it is above its limit by more than chance adds with so few
  labels.
* *Gap* between groups: the largest difference of their shares of wrong answers, of predictions of a class (demographic
  parity) or of its actual cases that were found (equal opportunity; Hardt, Price and Srebro 2016). Each group has a
  confidence sequence (beta mixture; Robbins 1970), which holds at all looks; alpha is shared by the groups. The gap
  counts when even the nearest ends of two intervals are further apart than the limit, and is refuted when the furthest
  ends are nearer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from seatrial.judge import sentences
from seatrial.judge.drift.chance import Null
from seatrial.judge.evalue import log_e_value
from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Bin",
    "Group",
    "LabelJudgement",
    "When",
    "delay_quantile",
    "judge_brier",
    "judge_calibration",
    "judge_coverage",
    "judge_gap",
    "share_interval",
    "when",
]

_CAREFUL = 0.95
"""Quantile of the label delay that must have passed before labels are taken for complete."""


class When(StrEnum):
    """When labels come early enough to act."""

    STEP = "step"
    """Within a step of the trial."""
    WATCH = "watch"
    """After the promotion, while the old version is kept warm."""
    COLD = "cold"
    """After that, while the old version is kept without pods: it is started again."""
    LATER = "later"
    """After that: a person may still return to a version that is kept."""
    UNKNOWN = "unknown"
    """Nobody knows: no label has come yet."""


@dataclass(frozen=True, slots=True)
class Group:
    """Labelled predictions of one group, and how many of them had what is compared: 0 <= hits <= total."""

    name: str
    total: int
    hits: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Labelled predictions whose stated confidence lay in one bin.

    Attributes
    ----------
    total, right
        How many, and how many of them were right.
    confidence
        Sum of their stated confidence, 0 <= confidence <= total.
    """

    total: int
    right: int
    confidence: float


@dataclass(frozen=True, slots=True)
class LabelJudgement:
    """What labels say: Burning, Healthy (nothing against it), Inconclusive or NoData, with the value and a sentence."""

    verdict: Verdict
    value: float
    limit: float
    sentence: str


def when(delay_s: float | None, *, step_s: float, watch_s: float, cold_s: float = 0.0) -> When:
    """Say when labels may act, by how late they come.

    Parameters
    ----------
    delay_s
        How long after a prediction its label counts, in seconds; None while no label has come.
    step_s, watch_s, cold_s
        How long the longest step, the watch and the watch of labels last, in seconds; both watches begin together.
    """
    if delay_s is None:
        return When.UNKNOWN
    ends_s = {When.STEP: step_s, When.WATCH: step_s + watch_s, When.COLD: step_s + cold_s}
    return next((act for act, end_s in ends_s.items() if delay_s <= end_s), When.LATER)


def delay_quantile(buckets: Sequence[tuple[float, float]], quantile: float = _CAREFUL) -> float | None:
    """Find the upper edge under which a share of the delays lies.

    Parameters
    ----------
    buckets
        Upper edges in seconds and cumulative counts, ascending, the last edge infinite.
    quantile
        The share, 0 < quantile < 1.

    Returns
    -------
    float or None
        Seconds, infinite beyond the last finite edge; None without labels.
    """
    if not buckets or not buckets[-1][1]:
        return None
    return next(edge for edge, count in buckets if count >= quantile * buckets[-1][1])


def judge_coverage(matured: int, labelled: int, *, target: float) -> LabelJudgement:
    """Tell whether enough predictions got a label to speak for all.

    Parameters
    ----------
    matured, labelled
        Predictions as old as the maturity, and those of them with a label.
    target
        Share of them that is asked for, 0 < target <= 1.
    """
    if not matured:
        return LabelJudgement(Verdict.NoData, 0.0, target, "no prediction has matured yet")
    share = labelled / matured
    said = f"{labelled:,} of {matured:,} matured predictions have a label ({sentences.percent(share)})"
    if share < target:
        why = f"{said}: less than the {sentences.percent(target)} that are asked for, so labels don't speak for all"
        return LabelJudgement(Verdict.Inconclusive, share, target, why)
    return LabelJudgement(Verdict.Healthy, share, target, said)


def judge_brier(squared_errors: float, total: int, *, limit: float, alpha: float = 0.01) -> LabelJudgement:
    """Test at every look whether the Brier score is above its limit.

    Parameters
    ----------
    squared_errors
        Sum of (confidence - right)^2, 0 <= sum <= total.
    total
        Labelled predictions with a confidence.
    limit
        The highest score that is tolerated, 0 < limit < 1.
    alpha
        Probability of ever calling a score at the limit too high.
    """
    if not total:
        return LabelJudgement(Verdict.NoData, 0.0, limit, "no labelled prediction with a confidence yet")
    log_e = float(log_e_value(total, min(squared_errors, total), limit)[0])
    score = squared_errors / total
    said = f"a Brier score of {sentences.significant(score)} over {total:,} labels, the limit is {limit:g}"
    if log_e >= -math.log(alpha):
        return LabelJudgement(Verdict.Burning, score, limit, f"{said}; chance explains that {sentences.trials(log_e)}")
    verdict = Verdict.Healthy if score <= limit else Verdict.Inconclusive
    return LabelJudgement(verdict, score, limit, f"{said}; the evidence against it is {sentences.odds(log_e)}")


def judge_calibration(bins: Sequence[Bin], *, limit: float, alpha: float = 0.01) -> LabelJudgement:
    """Tell whether stated confidence is further from the truth than the limit and than chance make it.

    Parameters
    ----------
    bins
        Labelled predictions by stated confidence.
    limit
        The highest ECE that is tolerated, > 0.
    alpha
        Probability of blaming a model whose true error is at the limit, at this look.
    """
    met = [one for one in bins if one.total]
    total = sum(one.total for one in met)
    if not total:
        return LabelJudgement(Verdict.NoData, 0.0, limit, "no labelled prediction with a confidence yet")
    ece = sum(abs(one.right - one.confidence) for one in met) / total
    # Chance adds at most its own part to the error of a bin (triangle inequality), and of that, by Cauchy and Schwarz,
    # the square is at most (variance of all bins together) * (sum of squared standard scores).
    variance = sum(max(_variance(one.total, one.confidence / one.total), _scatter(one)) for one in met)
    critical = Null(len(met), variance / total**2, power=2).critical(alpha)
    said = f"an expected calibration error of {sentences.significant(ece)} over {total:,} labels"
    chance = f"the {sentences.significant(critical)} that chance may add"
    if ece > limit + critical:
        why = f"{said}, above {limit:g} by more than {chance}"
        return LabelJudgement(Verdict.Burning, ece, limit, why)
    if critical > limit:
        needed = math.ceil(total * (critical / limit) ** 2)
        return LabelJudgement(Verdict.Inconclusive, ece, limit, f"{said}; about {needed:,} labels are needed")
    if ece > limit:
        return LabelJudgement(Verdict.Inconclusive, ece, limit, f"{said}, above {limit:g} by less than {chance}")
    return LabelJudgement(Verdict.Healthy, ece, limit, f"{said}, the limit is {limit:g}")


def _variance(total: int, share: float) -> float:
    return total * share * (1 - share)


def _scatter(one: Bin) -> float:
    """Variance by the observed share, with Jeffreys' half: a bin that claims certainty scatters more than it says."""
    return _variance(one.total, (one.right + 0.5) / (one.total + 1))


def judge_gap(
    groups: Sequence[Group], *, limit: float, alpha: float = 0.01, reference: str = "", what: str = "wrong"
) -> LabelJudgement:
    """Compare the shares of all groups, at every look.

    Parameters
    ----------
    groups
        Labelled predictions by group; also of those that have none yet, which have their part of alpha from the start.
    limit
        The largest difference of two shares that is tolerated, 0 < limit < 1.
    alpha
        Probability of ever blaming groups that differ by no more.
    reference
        Only gaps to this group count, in either direction; any two groups when empty.
    what
        What is compared, in words that follow a percentage.
    """
    met = [group for group in groups if group.total]
    if len(met) < 2 or (reference and reference not in {group.name for group in met}):  # noqa: PLR2004 - a gap has two sides
        return LabelJudgement(Verdict.NoData, 0.0, limit, "labels of two groups are needed to compare them")
    ends = {group.name: share_interval(group.hits, group.total, alpha / len(groups)) for group in met}
    pairs = [(a, b) for a in met for b in met if a is not b and (not reference or reference in {a.name, b.name})]
    a, b = max(pairs, key=lambda pair: _share(pair[0]) - _share(pair[1]))
    gap = _share(a) - _share(b)
    said = (
        f"{a.name} {sentences.percent(_share(a))} {what} ({a.hits:,} of {a.total:,}), "
        f"{b.name} {sentences.percent(_share(b))} ({b.hits:,} of {b.total:,})"
    )
    if any(ends[x.name][0] - ends[y.name][1] > limit for x, y in pairs):
        why = f"{said}: further apart than {sentences.percent(limit)}, beyond chance"
        return LabelJudgement(Verdict.Burning, gap, limit, why)
    if all(ends[x.name][1] - ends[y.name][0] <= limit for x, y in pairs):
        return LabelJudgement(Verdict.Healthy, gap, limit, f"{said}: not further apart than {sentences.percent(limit)}")
    why = f"{said}: too few labels to tell whether they are further apart than {sentences.percent(limit)}"
    return LabelJudgement(Verdict.Inconclusive, gap, limit, why)


def share_interval(hits: int, total: int, alpha: float) -> tuple[float, float]:
    """Return an interval that holds the true share at all looks at once, with probability 1 - alpha.

    A share p is left out when the likelihood averaged over all shares is 1 / alpha times that of p.
    """
    if not total:
        return 0.0, 1.0
    mixture = math.lgamma(hits + 1) + math.lgamma(total - hits + 1) - math.lgamma(total + 2)

    def outside(p: float) -> bool:
        likelihood = (hits * math.log(p) if hits else 0.0) + ((total - hits) * math.log1p(-p) if hits < total else 0.0)
        return mixture - likelihood > -math.log(alpha)

    middle = hits / total
    return (
        _edge(outside, 1e-12, middle) if hits else 0.0,
        _edge(outside, 1 - 1e-12, middle) if hits < total else 1.0,
    )


def _edge(outside: Callable[[float], bool], far: float, near: float) -> float:
    """Find where ``outside`` ends between a share that is out and one that is in."""
    if not outside(far):
        return far
    for _ in range(50):
        middle = (far + near) / 2
        far, near = (middle, near) if outside(middle) else (far, middle)
    return far


def _share(group: Group) -> float:
    return group.hits / group.total
