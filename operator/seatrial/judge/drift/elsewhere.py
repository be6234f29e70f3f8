"""Histograms on different edges: what can still be said of them.

At an edge of ours, their cumulative share lies below the one at their next edge up. So ours less that one is a lower
bound of the true distance (Kolmogorov-Smirnov) between the two, and so the other way round; no edge has to be common.
Chance exceeds the bound no more often than it exceeds the true distance, whose law is Smirnov's. With all values told
apart at that edge alone, every measure that joining bins can only lower is at least what it is on these two bins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seatrial.judge.drift.chance import Null
from seatrial.judge.drift.histogram import Paired
from seatrial.judge.drift.statistics import Measured

if TYPE_CHECKING:
    from seatrial.judge.drift.histogram import Histogram

__all__ = ["apart_at_least", "other_edges"]


def other_edges(ours: Histogram, theirs: Histogram) -> bool:
    """Tell whether so few edges are common, fewer than half of either side's, that what differs may lie between."""
    if ours.edges == theirs.edges or not ours.edges or not theirs.edges:
        return False
    mine, others = set(ours.edges[:-1]), set(theirs.edges[:-1])
    return 2 * len(mine & others) < max(1, min(len(mine), len(others)))


def apart_at_least(ours: Histogram, theirs: Histogram) -> tuple[Measured, Paired]:
    """Bound the distance of two histograms from below, whatever their edges.

    Returns
    -------
    Measured
        The lower bound of the Kolmogorov-Smirnov distance.
    Paired
        Both sides below and above the edge where they are farthest apart, no farther than they must be.
    """
    below, below_theirs = _crossed(ours, theirs)
    above_theirs, above = _crossed(theirs, ours)
    shares = max((below, below_theirs), (above, above_theirs), key=lambda pair: abs(pair[0] - pair[1]))
    n, m = ours.total, theirs.total
    mine, others = (total * np.array([share, 1 - share]) for share, total in zip(shares, (n, m), strict=True))
    distance = abs(shares[0] - shares[1])
    return Measured(distance, Null(2, (1 / n + 1 / m) / 4, power=2, factor=2.0)), Paired(mine, others, np.zeros(1))


def _crossed(lower: Histogram, upper: Histogram) -> tuple[float, float]:
    """Find the edge at which the one has surely reached the most beyond the other: both shares there; alike if none."""
    reached, most = (np.cumsum(side.counts) / side.total for side in (lower, upper))
    other = most[np.searchsorted(upper.edges, lower.edges)]
    best = int(np.argmax(reached - other))
    return (float(reached[best]), float(other[best])) if reached[best] > other[best] else (1.0, 1.0)
