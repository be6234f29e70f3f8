"""The interval of a share of bad events."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial.judge.share import share_interval
from seatrial.judge.types import Counts

ALPHA = 0.05
RUNS = 100


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5])
def test_it_holds_the_true_share_at_every_look_but_for_alpha(share: float) -> None:
    random = np.random.default_rng(7)
    missed = 0
    for _ in range(RUNS):
        bad = np.cumsum(random.binomial(100, share, size=30))
        looks = [share_interval(Counts(100 * (i + 1), int(b)), alpha=ALPHA) for i, b in enumerate(bad) if i % 10 == 9]
        missed += any(not low <= share <= high for low, high in looks)
    assert missed <= RUNS * ALPHA


def test_it_narrows_as_events_come_in_and_holds_what_was_seen() -> None:
    wide, narrow = (share_interval(Counts(n, n // 50)) for n in (500, 50_000))
    assert wide[0] < narrow[0] < 0.02 < narrow[1] < wide[1]
    assert narrow[1] - narrow[0] < 0.01


@pytest.mark.parametrize(("counts", "low", "high"), [((0, 0), 0, 1), ((1000, 0), 0, 0.02), ((1000, 1000), 0.98, 1)])
def test_the_ends_of_the_scale(counts: tuple[int, int], low: float, high: float) -> None:
    found = share_interval(Counts(*counts))
    assert found == pytest.approx((low, high), abs=0.015)


def test_clustered_errors_prove_less() -> None:
    single, bursts = (share_interval(Counts(2000, 40), dispersion=dispersion) for dispersion in (1, 4))
    assert bursts[0] < single[0] < single[1] < bursts[1]
