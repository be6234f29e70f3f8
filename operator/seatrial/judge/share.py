"""How bad a version is: an interval for its true share of bad events that holds at every look.

A share stays in the interval as long as neither the claim that the true one is at most as large, nor that it is at
least as large, is refuted (:mod:`seatrial.judge.evalue`). Both tests are anytime-valid, so the interval is a confidence
sequence: with probability ``1 - alpha`` it holds the true share at all looks at once.

Source: Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences",
Annals of Statistics 2021, section 1 (confidence sequences as inverted tests).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from seatrial.judge.evalue import log_e_health, log_e_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.judge.types import Counts

__all__ = ["share_interval"]

_SHARES = np.concatenate(
    [np.geomspace(1e-6, 0.1, 240, endpoint=False), np.linspace(0.1, 1, 180, endpoint=False)]
).tolist()
"""Shares that are tried; between two neighbours lies less than anyone reads."""


def share_interval(counts: Counts, *, alpha: float = 0.01, dispersion: float = 1.0) -> tuple[float, float]:
    """Bound the true share of bad events.

    Parameters
    ----------
    counts
        Events of the version.
    alpha
        Probability that the interval ever misses the true share, 0 < alpha < 1.
    dispersion
        Variance over mean of the bad events, at least 1, by which the evidence is tempered.

    Returns
    -------
    tuple of float
        Lower and upper bound, 0 <= low <= high <= 1; everything is possible without events.
    """
    if not counts.total:
        return 0.0, 1.0
    needed = math.log(2 / alpha) * dispersion
    low = _first(lambda share: log_e_value(counts.total, counts.bad, share)[0] < needed)
    high = _first(lambda share: log_e_health(counts.total, counts.bad, share)[0] >= needed)
    return (_SHARES[low - 1] if low else 0.0), (_SHARES[high] if high < len(_SHARES) else 1.0)


def _first(holds: Callable[[float], bool]) -> int:
    """Find the first share of which a statement holds that holds for all larger ones, too."""
    return bisect_left(range(len(_SHARES)), True, key=lambda index: bool(holds(_SHARES[index])))  # noqa: FBT003 - what is looked for
