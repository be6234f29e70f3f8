"""How different two histograms are: six measures, each with its distribution while nothing has drifted.

Let p and q be the shares by bin of both sides, n and m their observations and h = 1/n + 1/m.

=============  ================================================  ===================================================
measure        value                                             without drift
=============  ================================================  ===================================================
psi            sum (p - q) ln(p / q), shares smoothed            psi / h is chi-squared with bins - 1
kl             sum p ln(p / q), shares smoothed                  2 kl / h is
js             square root of the divergence in bits, 0 to 1     8 ln 2 js^2 / h is, given the bins' totals
ks             largest distance of the cumulative shares         Smirnov; a lower bound of it on edges
wasserstein    area between the cumulative shares, in standard   bounded by a weighted sum of chi-squared variables
               deviations of the other side
chi-square     Cohen's w, root of sum (p - q)^2 / pooled         w^2 / h is, given the bins' totals
=============  ================================================  ===================================================

Rare bins are joined for js and chi-square, and for total variation (:mod:`~seatrial.judge.drift.margins`), which bounds
their value on all bins from below.

PSI and KL would be infinite for an empty bin. Their counts are smoothed by Jeffreys' half observation, (c + 0.5) /
(n + 0.5 bins), which vanishes as samples grow; a floor under the share, as it is often used, does not, and one empty
bin of 5 % would add 0.31 to PSI by itself. It also keeps them on the safe side of their law when bins are rare.

Categories have no order, so for ks and wasserstein their total variation stands in: the largest difference over any
set of categories, which is also Wasserstein's distance when all categories are one apart.

Values beyond the outermost edges are taken to lie on them, so wasserstein is a lower bound as well.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seatrial.judge.drift.chance import Null
from seatrial.judge.drift.margins import LEAST_EXPECTED, joined, matched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from seatrial.judge.drift.histogram import Paired

    Shares = NDArray[np.float64]

__all__ = ["Measured", "Statistic", "measure", "smoothed"]

_HALF = 0.5


class Statistic(StrEnum):
    """A measure of difference."""

    PSI = "psi"
    KL = "kl"
    JS = "js"
    KS = "ks"
    WASSERSTEIN = "wasserstein"
    CHI_SQUARE = "chi-square"


class Measured(NamedTuple):
    """A difference, and what chance would make of it."""

    value: float
    null: Null


def measure(statistic: Statistic, sides: Paired) -> Measured:
    """Measure how far our side is from the other one.

    Parameters
    ----------
    statistic
        The measure.
    sides
        Both sides on the same bins, both with observations.

    Raises
    ------
    ValueError
        When a side is empty.
    """
    n, m = sides.totals
    if not n or not m:
        raise ValueError("a difference needs observations on both sides")
    return _MEASURES[statistic](sides, 1 / n + 1 / m)


def smoothed(counts: NDArray[np.float64]) -> Shares:
    """Turn counts into shares of which none is 0."""
    smooth: Shares = (counts + _HALF) / (counts.sum() + _HALF * len(counts))
    return smooth


def _shares(sides: Paired) -> tuple[Shares, Shares]:
    n, m = sides.totals
    return sides.ours / n, sides.theirs / m


def _freedom(sides: Paired) -> int:
    return len(sides.ours) - 1


def _psi(sides: Paired, h: float) -> Measured:
    p, q = smoothed(sides.ours), smoothed(sides.theirs)
    return Measured(float(((p - q) * np.log(p / q)).sum()), Null(_freedom(sides), h))


def _kl(sides: Paired, h: float) -> Measured:
    p, q = smoothed(sides.ours), smoothed(sides.theirs)
    return Measured(float((p * np.log(p / q)).sum()), Null(_freedom(sides), h / 2))


def _js(sides: Paired, h: float) -> Measured:
    sides = joined(sides)
    bits = float(_js_bits(*_shares(sides)).sum())
    return Measured(math.sqrt(max(0.0, bits)), matched(_js_bits, sides, h / (8 * math.log(2))))


def _js_bits(p: Shares, q: Shares) -> Shares:
    middle = np.where(p + q > 0, (p + q) / 2, 1.0)
    parts = (side * np.log2(np.where(side > 0, side, middle) / middle) for side in (p, q))
    bits: Shares = sum(parts, np.zeros_like(middle)) / 2
    return bits


def _chi_square(sides: Paired, h: float) -> Measured:
    sides = joined(sides)
    n, m = sides.totals

    def squared(p: Shares, q: Shares) -> Shares:
        pooled = (n * p + m * q) / (n + m)
        parts: Shares = (p - q) ** 2 / np.where(pooled > 0, pooled, 1.0)
        return parts

    return Measured(math.sqrt(float(squared(*_shares(sides)).sum())), matched(squared, sides, h))


def _total_variation(sides: Paired, h: float) -> Measured:
    sides = joined(sides)
    p, q = _shares(sides)
    pooled = (sides.ours + sides.theirs) / sum(sides.totals)
    # The largest of normal variables, one for each set of categories: its tail is that of the set that varies most
    # (Borell, 1975). A chi variable has that tail, and with this freedom the mean.
    rest = max(min(0.5, 1 - float(pooled.max())), min(0.5, LEAST_EXPECTED / min(sides.totals)))
    largest = h * rest * (1 - rest)
    mean = float(np.sqrt(h * pooled * (1 - pooled)).sum()) / math.sqrt(2 * math.pi)
    freedom = mean**2 / largest + 0.5 if len(pooled) > 1 else 0
    return Measured(float(np.abs(p - q).sum()) / 2, Null(freedom, largest, power=2))


def _ks(sides: Paired, h: float) -> Measured:
    if not len(sides.inner_edges):
        return _total_variation(sides, h)
    p, q = _shares(sides)
    return Measured(float(np.abs(np.cumsum(p - q)[:-1]).max()), Null(2, h / 4, power=2, factor=2.0))


def _wasserstein(sides: Paired, h: float) -> Measured:
    edges = sides.inner_edges
    if not len(edges):
        return _total_variation(sides, h)
    p, q = _shares(sides)
    widths = np.diff(edges)
    weights = (np.append(widths, 0) + np.insert(widths, 0, 0)) / 2
    gaps = np.cumsum(p - q)[:-1]
    middles = np.concatenate((edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:]))
    spread = math.sqrt(float(q @ middles**2 - (q @ middles) ** 2))
    if not spread:
        return Measured(0.0, Null(0, h))
    # The gaps are a Brownian bridge at the edges. By Cauchy and Schwarz the squared area is at most the range times a
    # weighted sum of chi-squared variables, of which the first two moments are matched (Satterthwaite).
    reached = np.cumsum(sides.ours + sides.theirs)[:-1] / float(sides.ours.sum() + sides.theirs.sum())
    covariance = np.minimum.outer(reached, reached) - np.outer(reached, reached)
    trace = float(weights @ np.diag(covariance))
    squared = float(weights @ covariance**2 @ weights)
    scale = float(widths.sum()) * h * squared / trace / spread**2 if trace else 0.0
    area = float(np.abs(gaps) @ weights) / spread
    return Measured(area, Null(trace**2 / squared if squared else 0, scale, power=2))


_MEASURES: Mapping[Statistic, Callable[[Paired, float], Measured]] = {
    Statistic.PSI: _psi,
    Statistic.KL: _kl,
    Statistic.JS: _js,
    Statistic.KS: _ks,
    Statistic.WASSERSTEIN: _wasserstein,
    Statistic.CHI_SQUARE: _chi_square,
}
