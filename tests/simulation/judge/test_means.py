"""How often means are compared wrongly at the very margin, and how soon a slow version is found."""

from __future__ import annotations

import math

import numpy as np

from seatrial.judge.means import Buckets, compare_means
from seatrial.judge.types import Verdict

BUCKETS = Buckets((0.025, 0.05, 0.1, 0.25, 0.5, 1.0))
MARGIN = 0.05
LOOKS, SCRAPE = 25, 120


def shares(median_s: float) -> np.ndarray:
    """Return the share of each bucket for lognormal times that scatter by half of themselves."""
    below = [0.5 * (1 + math.erf(math.log(edge / median_s) / (0.5 * math.sqrt(2)))) for edge in BUCKETS.edges]
    return np.diff([0.0, *below, 1.0])


def mean(median_s: float) -> float:
    return float(shares(median_s) @ np.array(BUCKETS.values))


def at_the_margin(stable_s: float) -> float:
    """Find the median at which the candidate's mean is larger by exactly the margin."""
    low, high = stable_s, 2 * stable_s
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if mean(middle) < (1 + MARGIN) * mean(stable_s) else (low, middle)
    return low


def called(candidate_s: float, runs: int, alpha: float, seed: int) -> dict[Verdict, int]:
    """Look at each scrape until something is called; count the runs by what was called first."""
    rng = np.random.default_rng(seed)
    found = dict.fromkeys(Verdict, 0)
    for _ in range(runs):
        mine, theirs = (
            rng.multinomial(size, shares(median_s), LOOKS).cumsum(axis=0)
            for size, median_s in ((SCRAPE, candidate_s), (4 * SCRAPE, 0.1))
        )
        for one, other in zip(mine.tolist(), theirs.tolist(), strict=True):
            verdict = compare_means(tuple(one), tuple(other), BUCKETS, margin=MARGIN, alpha=alpha).verdict
            if verdict is not Verdict.Inconclusive:
                break
        found[verdict] += 1
    return found


def test_at_the_very_margin_looks_at_every_scrape_call_nothing_more_often_than_alpha() -> None:
    """Of 60 runs at an alpha of 20 %, 12 are granted to each mistake; 22 would be chance once in a thousand."""
    found = called(at_the_margin(0.1), runs=60, alpha=0.2, seed=3)
    assert found[Verdict.Burning] <= 22
    assert found[Verdict.Healthy] <= 22
    assert found[Verdict.Burning] + found[Verdict.Healthy] <= 24


def test_a_version_that_is_half_slower_again_is_found_within_three_thousand_requests() -> None:
    assert called(0.15, runs=10, alpha=0.01, seed=4)[Verdict.Burning] == 10
