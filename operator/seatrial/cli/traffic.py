"""Synthetic traffic for simulations: what each of many runs has counted at each look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    IntArray = NDArray[np.int64]

__all__ = ["Counted", "Traffic", "draw"]


@dataclass(frozen=True, slots=True)
class Traffic:
    """One kind of version under one load.

    Parameters
    ----------
    rate
        Requests per second that the version gets, > 0; they come independently of each other (Poisson).
    error_ratio
        Its true share of bad requests, 0 to 1.
    burst
        Bad requests come in groups of so many, >= 1; their share stays the same.
    burst_s
        Seconds over which a group spreads, >= 0; 0 keeps it inside one interval between looks.
    healthy_s
        Seconds at the beginning during which the version is still fine, >= 0.
    healthy_ratio
        Its share of bad requests during that time.
    """

    rate: float
    error_ratio: float
    burst: int = 1
    burst_s: float = 0.0
    healthy_s: float = 0.0
    healthy_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests and bad requests in each interval between looks, both of shape (runs, looks)."""

    total: IntArray
    bad: IntArray
    look_s: float

    @property
    def runs(self) -> int:
        """Number of runs."""
        return int(self.total.shape[0])

    @property
    def looks(self) -> int:
        """Number of looks in each run."""
        return int(self.total.shape[1])


def draw(traffic: Traffic, *, runs: int, duration_s: float, look_s: float, rng: np.random.Generator) -> Counted:
    """Draw many independent runs.

    Parameters
    ----------
    traffic
        What the version is like.
    runs
        How many runs.
    duration_s, look_s
        Length of a run and of the interval between looks, in seconds.
    rng
        Source of chance.
    """
    looks = max(1, round(duration_s / look_s))
    total = rng.poisson(traffic.rate * look_s, (runs, looks))
    ends_s = look_s * np.arange(1, looks + 1)
    ratio = np.where(ends_s <= traffic.healthy_s, traffic.healthy_ratio, traffic.error_ratio)
    if traffic.burst == 1:
        bad = rng.binomial(total, ratio)
    else:
        groups = rng.poisson(total * ratio / traffic.burst)
        bad = np.minimum(total, _scattered(groups, traffic, look_s, rng))
    return Counted(total=total, bad=bad, look_s=look_s)


def _scattered(groups: IntArray, traffic: Traffic, look_s: float, rng: np.random.Generator) -> IntArray:
    """Spread each group over the looks that it lasts."""
    lasts = 1 + round(traffic.burst_s / look_s)
    bad = np.zeros_like(groups)
    for _ in range(traffic.burst):
        later = rng.integers(0, lasts, groups.shape)
        for looks in range(lasts):
            bad[:, looks:] += np.where(later == looks, groups, 0)[:, : groups.shape[1] - looks]
    return bad
