"""How large a difference chance alone makes between two samples of the same distribution.

All measures used here are, without drift and for large samples, a power of a chi-squared variable times a scale that
falls with both sample sizes. So one small family answers both questions: how improbable is this value, and which value
does chance exceed with probability alpha.

Sources: Yurdakul, "Statistical properties of population stability index", 2018 (PSI); Lin, "Divergence measures based
on the Shannon entropy", 1991, and a Taylor series (Jensen-Shannon); Smirnov, 1948 (KS); Liu and Xie, "Cauchy
combination test", JASA 2020.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Null", "chi_squared_above", "chi_squared_quantile", "combined", "share_of_alpha"]

_SMALLEST = 1e-15
"""Below this a probability drowns in rounding."""

_LARGEST = 0.99
"""Above this a p-value counts as this. One of 1, as a feature with a single bin has, would outweigh any others."""


@dataclass(frozen=True, slots=True)
class Null:
    """The distribution of a measure while nothing has drifted: ``value ** power / scale`` is chi-squared.

    Parameters
    ----------
    freedom
        Degrees of freedom, > 0, not necessarily whole.
    scale
        Shrinks as samples grow, >= 0.
    power
        1 for divergences, 2 for distances.
    factor
        By which the upper tail is to be multiplied; 2 for the two tails of Smirnov's.
    """

    freedom: float
    scale: float
    power: int = 1
    factor: float = 1.0

    def p_value(self, value: float) -> float:
        """Probability that chance makes a difference at least as large."""
        if self.scale <= 0 or self.freedom <= 0:
            return 1.0
        return min(1.0, self.factor * chi_squared_above(value**self.power / self.scale, self.freedom))

    def critical(self, alpha: float) -> float:
        """Return the difference that chance exceeds with probability ``alpha``, 0 < alpha < 1."""
        if self.freedom <= 0:
            return math.inf
        return float((self.scale * chi_squared_quantile(alpha / self.factor, self.freedom)) ** (1 / self.power))

    def beyond_chance(self, value: float) -> float:
        """Take off what chance adds on average."""
        return float(max(0.0, value**self.power - self.scale * self.freedom) ** (1 / self.power))


def chi_squared_above(x: float, freedom: float) -> float:
    """Probability that a chi-squared variable exceeds ``x`` >= 0: one minus the regularised incomplete gamma function.

    Accurate to about 1e-15 absolutely, and relatively far out in the tail.
    """
    a, half = freedom / 2, x / 2
    if half <= 0:
        return 1.0
    front = math.exp(a * math.log(half) - half - math.lgamma(a))
    if half < a + 1:
        term = total = 1 / a
        step = a
        while term > total * 1e-16:
            step += 1
            term *= half / step
            total += term
        return max(0.0, 1 - front * total)
    return front * _continued_fraction(a, half)


def _continued_fraction(a: float, x: float) -> float:
    """Legendre's continued fraction of the upper incomplete gamma function, evaluated by Lentz's method."""
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    value = d
    for i in range(1, 500):
        numerator = -i * (i - a)
        b += 2
        d = 1 / (numerator * d + b or tiny)
        c = b + numerator / c or tiny
        value *= c * d
        if abs(c * d - 1) < _SMALLEST:
            break
    return value


@lru_cache(maxsize=4096)
def chi_squared_quantile(alpha: float, freedom: float) -> float:
    """Return the value that a chi-squared variable exceeds with probability ``alpha``, 0 < alpha < 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {alpha} must lie between 0 and 1, without both")
    low, high = 0.0, freedom + 1
    while chi_squared_above(high, freedom) > alpha:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chi_squared_above(middle, freedom) > alpha else (low, middle)
    return (low + high) / 2


def share_of_alpha(alpha: float, *, questions: int = 1, look: int | None = None) -> float:
    """Share out the probability of a false alarm over questions that are asked together, and over looks.

    Look k at counts that only grow gets ``alpha / (k (k + 1))``: that sums to alpha over all looks there will ever be,
    so that looking again and again is no way to find something. A window that is judged by itself has no look.
    """
    spread = 1 if look is None else look * (look + 1)
    return alpha / max(1, questions) / spread


def combined(p_values: Sequence[float]) -> float:
    """Combine p-values of tests that may depend on each other in any way, by the Cauchy combination test.

    It is truncated above (Fang, Chang, Park and Tseng, "Heavy-tailed distribution for combining dependent p-values",
    Statistica Sinica 2023), which changes its level by less than a tenth.
    """
    if not p_values:
        return 1.0
    clipped = [min(max(p, _SMALLEST), _LARGEST) for p in p_values]
    mean = sum(math.tan((0.5 - p) * math.pi) for p in clipped) / len(clipped)
    return 0.5 - math.atan(mean) / math.pi
