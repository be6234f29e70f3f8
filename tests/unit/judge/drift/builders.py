"""Histograms for tests: exact ones of normal distributions on decile edges, and samples of them."""

from __future__ import annotations

import numpy as np
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from seatrial.judge.drift.histogram import Histogram

DECILES = (*stats.norm.ppf(np.arange(0.1, 0.95, 0.1)).tolist(), float("inf"))


def normal(mean: float, *, n: int = 10**9, edges: tuple[float, ...] = DECILES) -> Histogram:
    reached = np.round(stats.norm.cdf(np.asarray(edges) - mean) * n).astype(int)
    return Histogram(tuple(np.diff(reached, prepend=0).tolist()), edges=edges)


def drawn(rng: np.random.Generator, n: int, mean: float = 0.0) -> Histogram:
    counts = np.histogram(rng.normal(mean, 1, n), bins=[-np.inf, *DECILES])[0]
    return Histogram(tuple(counts.tolist()), edges=DECILES)


def binned(values: np.ndarray, inner: np.ndarray) -> Histogram:
    counts = np.bincount(np.searchsorted(inner, values), minlength=len(inner) + 1)
    return Histogram(tuple(counts.tolist()), edges=(*inner.tolist(), float("inf")))
