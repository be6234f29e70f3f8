"""How large a difference is: an interval for the ratio of two shares of good events that holds at every look.

A ratio stays in the interval as long as neither the claim that the true one is at least as large, nor that it is at
most as large, is refuted (:mod:`seatrial.judge.compare`). Both tests are anytime-valid, so the interval is a
confidence sequence: with probability ``1 - alpha`` it holds the true ratio at all looks at once.

Source: Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences",
Annals of Statistics 2021, section 1 (confidence sequences as inverted tests).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seatrial.judge.compare import log_e_inferior, log_e_non_inferior

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.judge.types import Counts

__all__ = ["LARGEST_RATIO", "effect_interval"]

LARGEST_RATIO = 1000.0
"""Ratios beyond this are not told apart."""

_HALVINGS = 60


def effect_interval(candidate: Counts, stable: Counts, *, alpha: float = 0.01) -> tuple[float, float]:
    """Bound the share of good events of the candidate over that of stable.

    Parameters
    ----------
    candidate, stable
        Counts over the same time.
    alpha
        Probability that the interval ever misses the true ratio, 0 < alpha < 1.

    Returns
    -------
    tuple of float
        Lower and upper bound, 0 <= low <= high <= ``LARGEST_RATIO``; everything is possible without events.
    """
    if not candidate.total or not stable.total:
        return 0.0, LARGEST_RATIO
    needed = math.log(2 / alpha)
    low = _edge(lambda ratio: log_e_non_inferior(candidate, stable, ratio) >= needed)
    high = _edge(lambda ratio: log_e_inferior(candidate, stable, ratio) < needed)
    return low, high


def _edge(holds: Callable[[float], bool]) -> float:
    """Find where a statement that holds for small ratios ceases to."""
    below, above = 0.0, LARGEST_RATIO
    if holds(above):
        return above
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        below, above = (middle, above) if middle > 0 and holds(middle) else (below, middle)
    return below
