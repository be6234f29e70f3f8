"""E-values: evidence that may be looked at as often as one likes.

The question is whether a version's true share of bad requests ``p`` is above its limit ``p0``. A p-value answers it
once: a 1 % test asked every five seconds finds "significance" in any healthy version before long. An e-value answers
it for ever. Think of a gambler who bets against the claim ``p <= p0`` at fair odds, starting with a capital of 1.
While the claim holds his capital does not grow on average, whenever he chooses to look (it is a non-negative
supermartingale), so by Ville's inequality (1939)

    P(the capital ever reaches 1/alpha | p <= p0) <= alpha.

The capital is the e-value. The bet used here is the likelihood ratio of each ``p_j`` above the limit, averaged over a
grid of them:

    E(total, bad) = mean_j (p_j / p0)^bad * ((1 - p_j) / (1 - p0))^(total - bad)

- A likelihood ratio is a martingale at ``p = p0`` and a supermartingale below it, because it is monotone in ``bad``;
  so is the average.
- ``p_j`` lies log-uniformly in (p0, 1), so that a total outage and a slight excess are both found soon.
- It depends on the two totals alone: the order of requests, the rhythm of looks and a restart of the operator change
  nothing.

**Late breakage.** A version that served 18,000 good requests and then breaks has won much credit, which it must lose
first. The remedy is to divide the capital before the first bet: the share ``w_j = 1 / ((j + 1)(j + 2))`` is set aside
for a fresh bet that opens at restart point ``s_j`` (j = 0 is the beginning of the trial). The shares sum to 1. What
is not opened yet lies idle and counts as it is:

    M = sum_{j <= J} w_j E(since s_j)  +  1 / (J + 2),        1 / (J + 2) = sum_{j > J} w_j

``M`` begins at 1, and each part is a non-negative supermartingale: constant until its restart point, which is chosen
from the past alone, and an e-value after it. So ``M`` is an e-process too, and Ville's bound holds for it. Counting
idle shares as 0 would be valid but wasteful; opening a bet with capital that was not set aside at the beginning would
not be valid. A bet may be given up at any time (its part becomes 0), which is how the list of restart points stays
bounded.

**Clustered errors.** Retries make errors come in bursts, and a burst is less evidence than as many single errors.
``E^gamma`` with ``gamma = mean / variance`` of the bad events per scrape, at most 1 and fixed beforehand, takes that
into account; it is a supermartingale whenever ``E`` is, as ``x^gamma`` is concave (Jensen).

Sources: Ville 1939; Wald 1945 (mixture of likelihood ratios); Ramdas, Gruenwald, Vovk and Shafer, "Game-theoretic
statistics and safe anytime-valid inference", Statistical Science 2023; for the restarts Shin, Ramdas and Rinaldo,
"E-detectors", 2023.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["GRID_POINTS", "log_e_health", "log_e_restart", "log_e_value", "log_mean_exp"]

GRID_POINTS = 240
"""Number of alternatives ``p_j``; more change no figure that anyone reads."""

_CHUNK_ROWS = 512
"""Rows computed at once: at most a megabyte of intermediate results, which stays in the processor's cache."""

_STRIDE = 8
"""Every so many grid points it is looked whether those around matter."""

_NOTHING = -60.0
"""Log of a part of the largest term that 240 of it don't change the sum of doubles."""

_LOWEST_SHARE = 1 / 1000
"""Healthiest alternative of the proof of health, as a share of the limit."""

FloatArray = NDArray[np.float64]


def log_e_value(total: ArrayLike, bad: ArrayLike, p0: ArrayLike) -> FloatArray:
    """Log of the evidence that a share of bad events is above its limit.

    Parameters
    ----------
    total
        Events, shape (m,), >= 0.
    bad
        Bad events, shape (m,), 0 <= bad <= total.
    p0
        Limit, shape (m,) or a scalar, 0 < p0 < 1.

    Returns
    -------
    ndarray
        Natural log of ``E(total, bad)``, shape (m,); 0 is no evidence, ln(100) is 1 % of Ville's inequality.
    """
    limits, which = np.unique(np.atleast_1d(np.asarray(p0, dtype=np.float64)), return_inverse=True)
    return _log_mixture(total, bad, which, limits, -np.log(limits))


def log_e_health(total: ArrayLike, bad: ArrayLike, p0: ArrayLike) -> FloatArray:
    """Log of the evidence that a share of bad events is below its limit: the proof of health.

    The same bet from the other side, against the claim ``p >= p0``, with ``p_j`` log-uniform in (p0 / 1000, p0). Even
    without any bad event it takes at least ``ln(1/alpha) / -ln(1 - p0)`` requests.

    Parameters
    ----------
    total, bad, p0
        As for :func:`log_e_value`.

    Returns
    -------
    ndarray
        Natural log of the evidence, shape (m,).
    """
    limits, which = np.unique(np.atleast_1d(np.asarray(p0, dtype=np.float64)), return_inverse=True)
    return _log_mixture(total, bad, which, limits, np.full(len(limits), np.log(_LOWEST_SHARE)))


def log_e_restart(log_e: ArrayLike, first: ArrayLike, order: ArrayLike) -> FloatArray:
    """Log of the restart mixture ``M`` of the module's description.

    Parameters
    ----------
    log_e
        Log e-values since each restart point, the points of all m objectives one after another, shape (sum of points,).
    first
        Where the points of each objective begin in ``log_e``, strictly rising, shape (m,); every objective has at
        least one.
    order
        The ``j`` of each point, rising inside an objective, shape as ``log_e``.

    Returns
    -------
    ndarray
        Natural log of ``M``, shape (m,).
    """
    log_e, order = np.asarray(log_e, dtype=np.float64), np.asarray(order, dtype=np.float64)
    first = np.asarray(first, dtype=np.intp)
    last = np.append(first[1:], len(log_e)) - 1
    log_weight = -np.log((order + 1) * (order + 2))
    idle = -np.log(order[last] + 2)
    mixture: FloatArray = np.logaddexp(np.logaddexp.reduceat(log_weight + log_e, first), idle)
    return mixture


def log_mean_exp(log_values: FloatArray) -> FloatArray:
    """Log of the mean of exponentials along the last axis, without overflow; (m, g) -> (m,). Overwrites its input."""
    highest = log_values.max(axis=-1)
    np.subtract(log_values, highest[:, None], out=log_values)
    np.exp(log_values, out=log_values)
    log_mean: FloatArray = np.log(log_values.mean(axis=-1)) + highest
    return log_mean


def _log_mixture(
    total: ArrayLike, bad: ArrayLike, which: NDArray[np.intp], limits: FloatArray, log_widths: FloatArray
) -> FloatArray:
    """Log likelihood ratio against ``limits[which]``, averaged log-uniformly over (limit, limit * e^log_width)."""
    n, k, limit_of = np.broadcast_arrays(
        np.atleast_1d(np.asarray(total, dtype=np.float64)), np.atleast_1d(np.asarray(bad, dtype=np.float64)), which
    )
    steps = (np.arange(GRID_POINTS) + 0.5) / GRID_POINTS  # midpoints, so that no alternative is the limit or 1
    result = np.empty(n.shape)
    by_size = np.lexsort((n, limit_of))  # rows of a kind together: they need the same alternatives
    bounds = np.searchsorted(limit_of[by_size], np.arange(len(limits) + 1))
    for limit, width, (begin, end) in zip(limits, log_widths, pairwise(bounds.tolist()), strict=True):
        log_hit = width * steps
        log_miss = np.log1p(-limit * np.exp(log_hit)) - np.log1p(-limit)
        for start in range(begin, end, _CHUNK_ROWS):
            rows = by_size[start : min(start + _CHUNK_ROWS, end)]
            result[rows] = _log_mean(n[rows], k[rows], np.log(limit) / width, log_hit, log_miss)
    return result


def _log_mean(n: FloatArray, k: FloatArray, origin: float, log_hit: FloatArray, log_miss: FloatArray) -> FloatArray:
    """Log of the mean likelihood ratio over the grid, of rows with one limit; ``origin`` is its logarithm in widths.

    The logarithm of the ratio is concave along the grid, so its highest point is next to the observed share, and what
    lies far from it on either side adds nothing that a double could hold. Each row is computed in the same way whatever
    others there are, to the last bit.
    """
    with np.errstate(divide="ignore"):
        observed = np.log(k / np.maximum(n, 1)) / (log_hit[1] - log_hit[0]) - origin * GRID_POINTS
    nearest = np.clip(observed, 1, GRID_POINTS - 2).astype(np.intp)
    highest = np.max([k * log_hit[at] + (n - k) * log_miss[at] for at in (nearest - 1, nearest, nearest + 1)], axis=0)

    def log_ratio(columns: slice) -> FloatArray:
        ratio = k[:, None] * log_hit[columns]
        ratio += (n - k)[:, None] * log_miss[columns]
        ratio -= highest[:, None]
        return ratio

    matter = np.flatnonzero((log_ratio(slice(None, None, _STRIDE)) > _NOTHING).any(axis=0)) * _STRIDE
    ends = np.concatenate((nearest - 1, nearest + 2, matter - _STRIDE, matter + _STRIDE))
    columns = slice(max(0, int(ends.min())), int(ends.max()))
    ratios = np.zeros((len(n), GRID_POINTS))
    np.exp(log_ratio(columns), out=ratios[:, columns])
    log_mean: FloatArray = np.log(ratios.mean(axis=1)) + highest
    return log_mean
