"""Means relative to something: "no more than 5 % slower than stable", tested at every look, from histogram buckets.

Each value counts as a representative of its bucket: the middle, and beyond the last edge that edge itself. So values
lie between 0 and a ceiling, and ``u``, a value over the ceiling, is a share. Against the claim "the mean is b" a
gambler bets on every value: her capital is multiplied by ``u p / b + (1 - u) (1 - p) / (1 - b)``, which is 1 on average
when the mean is b, whatever the distribution. Her capital averaged over all ``p`` (uniformly) is E(b), a martingale if
the claim holds. A claim about two means ("at most 1.05 times stable's") leaves the means themselves open, so its
evidence is the smallest product E_c(b) E_s(a) that the claim allows; at the true means that is at most a martingale,
and Ville's inequality holds at every look, at any number of requests. Log E is convex in b, so the smallest product is
where one slope is 0. It depends on the counts of the buckets alone, and with the two values 0 and 1 it is the test of
:mod:`seatrial.judge.compare` to the digit.

Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024; Wasserman,
Ramdas and Balakrishnan, "Universal inference", PNAS 2020, for the smallest product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from seatrial.judge import sentences
from seatrial.judge.compare import Comparison, decide
from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Buckets", "compare_mean", "compare_means", "log_e_mean", "log_e_means"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# Beyond so many widths a log-concave capital has fallen by more than 46 nats, which is 1e-20.
_REACH: Final = 50.0
_TINY: Final = 1e-15
_ROUNDING: Final = 2.0**-53
_ROUNDS: Final = 80
_BISECT: Final = 3
_NOTHING: Final = 1e-11
_FLAT: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Buckets:
    """The buckets of a histogram.

    Parameters
    ----------
    edges
        Upper edges, ascending and above 0, in seconds when ``timed``; there is one bucket more than edges.
    timed
        Whether values are times.
    """

    edges: tuple[float, ...]
    timed: bool = True

    @property
    def values(self) -> tuple[float, ...]:
        """As what each bucket's events count: its middle; those beyond the last edge count as that edge."""
        return (*((low + high) / 2 for low, high in pairwise((0.0, *self.edges))), self.edges[-1])

    def mean(self, counts: Sequence[int]) -> float:
        """Return the mean of at least one event."""
        return sum(n * value for n, value in zip(counts, self.values, strict=True)) / sum(counts)


@lru_cache(maxsize=1024)
def log_e_mean(counts: tuple[int, ...], values: tuple[float, ...], limit: float) -> tuple[float, float]:
    """Return the logs of the evidence against "the mean is at most ``limit``", and against "it is at least that".

    Parameters
    ----------
    counts
        Events by bucket, at least one.
    values
        Representatives, ascending; the last one is the ceiling.
    limit
        In the unit of ``values``, > 0.
    """
    one = _Side(counts, values)
    lowest = one.lowest()
    edge, best = one(min(limit / values[-1], 1 - _TINY))[0], one(lowest)[0]
    return (edge, best) if lowest * values[-1] > limit else (best, edge)


@lru_cache(maxsize=1024)
def log_e_means(
    candidate: tuple[int, ...], stable: tuple[int, ...], values: tuple[float, ...], ratio: float
) -> tuple[float, float]:
    """Return the logs of the evidence against "the mean is at most ``ratio`` times stable's", and against "at least".

    Parameters
    ----------
    candidate, stable
        Events by bucket, at least one each.
    values
        Representatives, ascending; the last one is the ceiling.
    ratio
        > 0.
    """
    mine, theirs = _Side(candidate, values), _Side(stable, values)
    b, a = mine.lowest(), theirs.lowest()
    best = mine(b)[0] + theirs(a)[0]

    def along(mean: float) -> tuple[float, float]:
        (one, slope), (other, other_slope) = mine(ratio * mean), theirs(mean)
        return one + other, ratio * slope + other_slope

    highest = min(1.0, 1 / ratio) - _TINY
    low, high = (min(highest, end) for end in sorted((a, b / ratio)))
    edge = along(_root(lambda mean: along(mean)[1], low, high))[0]
    return (edge, best) if b > ratio * a else (best, edge)


def compare_means(
    candidate: tuple[int, ...],
    stable: tuple[int, ...],
    buckets: Buckets,
    *,
    margin: float,
    alpha: float = 0.01,
    dispersion: float = 1.0,
) -> Comparison:
    """Compare the means of two versions; lower is better.

    Parameters
    ----------
    candidate, stable
        Events by bucket, over the same time.
    buckets
        The buckets.
    margin
        How much larger the candidate's mean may be, relative to stable's, >= 0.
    alpha
        Probability of ever being wrong, of either result.
    dispersion
        How clustered events are, >= 1: evidence of both kinds is tempered by it.
    """
    if not any(candidate) or not any(stable):
        return Comparison(Verdict.NoData, "Both versions need events to be compared.", math.nan, margin)
    mine, theirs = buckets.mean(candidate), buckets.mean(stable)
    worse, kept = (log_e / dispersion for log_e in log_e_means(candidate, stable, buckets.values, 1 + margin))
    verdict, sentence = decide(worse, kept, -math.log(alpha), _said(mine, theirs, "of stable", buckets), margin)
    return Comparison(verdict, sentence, mine / theirs, margin)


def compare_mean(
    candidate: tuple[int, ...],
    offline: float,
    buckets: Buckets,
    *,
    margin: float,
    alpha: float = 0.01,
    dispersion: float = 1.0,
) -> Comparison:
    """Compare the mean of a version with one that was measured ``offline``; see :func:`compare_means`."""
    if not any(candidate):
        return Comparison(Verdict.NoData, "The version needs events to be compared.", math.nan, margin)
    mine = buckets.mean(candidate)
    worse, kept = (log_e / dispersion for log_e in log_e_mean(candidate, buckets.values, offline * (1 + margin)))
    verdict, sentence = decide(worse, kept, -math.log(alpha), _said(mine, offline, "offline", buckets), margin)
    return Comparison(verdict, sentence, mine / offline, margin)


def _said(mine: float, theirs: float, whose: str, buckets: Buckets) -> str:
    one, other = (sentences.measure(mean, timed=buckets.timed) for mean in (mine, theirs))
    return f"mean {one} against {other} {whose}"


class _Side:
    """One version's values, as shares of the ceiling, and the capital won on them."""

    def __init__(self, counts: Sequence[int], values: Sequence[float]) -> None:
        seen = [(n, value / values[-1]) for n, value in zip(counts, values, strict=True) if n]
        self._n, self._u = np.array(seen, np.float64).T

    def __call__(self, mean: float) -> tuple[float, float]:
        """Return log E and its slope, for a mean between 0 and 1."""
        gain, loss = self._u / mean, (1 - self._u) / (1 - mean)
        p, weights = self._nodes(loss, gain - loss)
        factors = np.outer(1 - p, loss) + np.outer(p, gain)
        log_capital = np.log(factors) @ self._n
        top = log_capital.max()
        capital = weights * np.exp(log_capital - top)
        slopes = (np.outer(1 - p, loss / (1 - mean)) - np.outer(p, gain / mean)) / factors @ self._n
        total = capital.sum()
        return float(top + math.log(total)), float(capital @ slopes / total)

    def lowest(self) -> float:
        """Find the mean that the values speak against least; it is close to their own mean."""
        middle = float(self._n @ self._u / self._n.sum())
        low = high = min(max(middle, _TINY), 1 - _TINY)
        while low > _TINY and self(low)[1] > 0:
            low = max(_TINY, low * 0.9)
        while high < 1 - _TINY and self(high)[1] < 0:
            high = min(1 - _TINY, 1 - (1 - high) * 0.9)
        return _root(lambda mean: self(mean)[1], low, high)

    def _nodes(self, start: Floats, rise: Floats) -> tuple[Floats, Floats]:
        """Lay the nodes of a quadrature over p densely around the best one, and ever wider apart away from it."""
        best, slope, bend = self._best(start, rise)
        width = 1 / math.sqrt(bend) if bend else 1.0
        finest = min(width, 1 / abs(slope)) if slope else width
        doublings = max(1, math.ceil(math.log2(_REACH * width / finest)))
        steps = finest * np.concatenate(([0.0], 2.0 ** np.arange(doublings + 1)))
        ends = np.unique(np.clip(np.concatenate((best - steps, best + steps)), 0.0, 1.0))
        half = np.diff(ends) / 2
        nodes = (ends[:-1] + half)[:, None] + np.outer(half, _NODES)
        # A node that is rounded to an end would be a bet that can lose all: its log is not finite.
        return np.clip(nodes.ravel(), _ROUNDING, 1 - _ROUNDING), np.outer(half, _WEIGHTS).ravel()

    def _best(self, start: Floats, rise: Floats) -> tuple[float, float, float]:
        """Find the p with the largest capital, and there the slope and the bend of its log: Newton, kept in bounds."""
        low, high, p = _TINY, 1 - _TINY, 0.5
        for end, outward in ((low, -1), (high, 1)):
            slope, bend = self._turn(end, start, rise)
            if slope * outward >= 0:
                return end, slope, bend
        for _ in range(_ROUNDS):
            slope, bend = self._turn(p, start, rise)
            low, high = (p, high) if slope > 0 else (low, p)
            if abs(slope) <= _FLAT * math.sqrt(bend) or high - low < _TINY:
                break
            p = p + slope / bend if low < p + slope / bend < high else (low + high) / 2
        return p, slope, bend

    def _turn(self, p: float, start: Floats, rise: Floats) -> tuple[float, float]:
        """Return the slope of the log of the capital over p, and how fast it falls."""
        part = rise / (start + rise * p)
        return float(self._n @ part), float(self._n @ (part * part))


def _root(slope: Callable[[float], float], low: float, high: float) -> float:
    """Find where an increasing slope passes 0, between ends on both sides of it; else the nearer end.

    Illinois, with a bisection now and then, until what lies below the point found is less than a rounding error.
    """
    at_low, at_high = slope(low), slope(high)
    if at_low >= 0 or low >= high:
        return low
    if at_high <= 0:
        return high
    middle, side = low, 0
    for turn in range(_ROUNDS):
        secant = (low * at_high - high * at_low) / (at_high - at_low)
        middle = (low + high) / 2 if turn % 4 == _BISECT else min(max(secant, low), high)
        found = slope(middle)
        if abs(found) * (high - low) < _NOTHING:
            break
        if found < 0:
            low, at_low, at_high, side = middle, found, at_high / (2 if side < 0 else 1), -1
        else:
            high, at_high, at_low, side = middle, found, at_low / (2 if side > 0 else 1), 1
    return middle
