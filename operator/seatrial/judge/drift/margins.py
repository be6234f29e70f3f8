"""What chance makes of a sum over bins when some are rare: its law, given how often both sides together met each bin.

The chi-squared law of Cohen's w and of the Jensen-Shannon divergence wants many observations in each bin. With rare
categories they exceed its critical value up to a hundred times too often, or never. Two things put that right:

- Rare bins are joined until about five observations are expected in each on either side (Cochran, "Some methods for
  strengthening the common chi-squared tests", Biometrics 1954). What is joined depends on totals alone, so chance has
  no say in it.
- Given the total t of a bin, our part of it is hypergeometric when nothing has drifted, whatever the true shares are.
  So the mean of the sum is known exactly. For its variance, our parts are independent binomials that are conditioned
  on their sum (Holst, "A unified approach to limit theorems for urn models", 1979; Read and Cressie, "Goodness-of-fit
  statistics for discrete multivariate data", 1988). A chi-squared variable times a scale has both (Satterthwaite,
  "An approximate distribution of estimates of variance components", 1946).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial.judge.drift.chance import Null
from seatrial.judge.drift.histogram import Paired

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

__all__ = ["LEAST_EXPECTED", "joined", "matched"]

LEAST_EXPECTED: Final = 5.0
"""Observations that are expected on the smaller side in a bin that stands by itself."""

_MANY: Final = 40.0
"""With more expected on each side, a bin's contribution is as good as that of a normal variable."""

_REACH: Final = 8.0
"""Standard deviations, and observations, on each side of what is expected that are summed over."""


def joined(sides: Paired) -> Paired:
    """Join rare bins with each other, in the order of their totals; so a new category is hidden by no common one."""
    totals = sides.ours + sides.theirs
    order = np.argsort(-totals, kind="stable")
    expected = totals[order] * min(sides.totals) / sum(sides.totals)
    rare = expected < LEAST_EXPECTED
    below = np.cumsum(expected[rare]) - expected[rare]
    common = int((~rare).sum())
    group = np.concatenate((np.arange(common), common + (below // LEAST_EXPECTED).astype(int)))
    if not rare.any() or group[-1] == 0:  # all in one bin would say nothing at all
        return sides
    ours, theirs = (np.bincount(group, weights=side[order]) for side in (sides.ours, sides.theirs))
    return Paired(ours.astype(np.float64), theirs.astype(np.float64), np.empty(0))


def matched(contribution: Callable[[Numbers, Numbers], Numbers], sides: Paired, scale: float) -> Null:
    """Match a chi-squared law to a sum over bins, given the bins' totals.

    Parameters
    ----------
    contribution
        Of a bin to the squared measure, by both shares; convex, 0 where they are equal.
    sides
        Both sides, on bins from :func:`joined`.
    scale
        By which the sum is chi-squared with bins - 1 when all bins have many observations.
    """
    n, m = sides.totals
    whole, ours = n + m, n / (n + m)
    totals = sides.ours + sides.theirs
    expected = totals * ours
    few = np.minimum(expected, totals - expected) <= _MANY
    mean = float((1 - totals[~few] / whole).sum())
    variance = 2.0 * float((~few).sum())
    if few.any():
        t = totals[few][:, None]
        a, binomial, hypergeometric = _laws(t, n, m)
        value = contribution(a / n, np.maximum(t - a, 0) / m) / scale
        off = value - (binomial * value).sum(axis=1, keepdims=True)
        with_ours = float((binomial * off * (a - t * ours)).sum())
        mean += float((hypergeometric * value).sum())
        variance += float((binomial * off**2).sum()) - with_ours**2 / (whole * ours * (1 - ours))
    if totals.min() * min(n, m) / whole >= LEAST_EXPECTED:
        # The fixed sum takes a degree of freedom; it is left to a thin bin, whose tail is longer than two moments tell.
        variance -= 2
    if mean <= 0 or variance <= 0:
        return Null(0, scale, power=2)
    return Null(2 * mean**2 / variance, scale * variance / (2 * mean), power=2)


def _laws(t: Numbers, n: float, m: float) -> tuple[Numbers, Numbers, Numbers]:
    """Give the counts that our side can have of each total, and their binomial and hypergeometric probabilities.

    Rows are bins. Probabilities are built up from the ratios of neighbours, which needs no factorials.
    """
    odds = n / m
    expected = t * n / (n + m)
    spread = _REACH * (np.sqrt(expected * m / (n + m)) + 1)
    low = np.maximum(np.floor(expected - spread), np.maximum(0, t - m))
    high = np.minimum(np.ceil(expected + spread), np.minimum(t, n))
    a: Numbers = low + np.arange(int((high - low).max()) + 1, dtype=np.float64)
    before, after = a[:, :-1], a[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(after <= high, (t - before) / after, 0.0)
        binomial = np.log(ratio * odds)
        hypergeometric = np.log(ratio * (n - before).clip(0) / (m - t + after).clip(1))
    return a, _normalised(binomial), _normalised(hypergeometric)


def _normalised(log_ratios: Numbers) -> Numbers:
    logs = np.concatenate((np.zeros((len(log_ratios), 1)), np.cumsum(log_ratios, axis=1)), axis=1)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    normal: Numbers = weights / weights.sum(axis=1, keepdims=True)
    return normal
