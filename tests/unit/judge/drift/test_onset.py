"""When a drift began: the split of time that explains the counts best."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial.judge.drift.histogram import Histogram
from seatrial.judge.drift.onset import onset
from tests.unit.judge.drift.builders import drawn, normal

TILES = 24


@pytest.mark.parametrize("change", [1, 12, 18, 23])
def test_exact_counts_tell_the_tile(change: int) -> None:
    tiles = [normal(0.7 if tile >= change else 0.0, n=1000) for tile in range(TILES)]
    assert onset([tiles]) == change


def test_few_rows_tell_about_when() -> None:
    """Thirty rows in a tile, a shift of half a deviation: the median is off by no more than a tile."""
    rng = np.random.default_rng(3)
    found = [onset([[drawn(rng, 30, 0.5 if tile >= 16 else 0.0) for tile in range(TILES)]]) for _ in range(100)]
    off = [abs(first - 16) for first in found if first is not None]
    assert len(off) == 100
    assert np.median(off) <= 1


def test_features_are_taken_together() -> None:
    rng = np.random.default_rng(4)

    def feature() -> list[Histogram]:
        return [drawn(rng, 20, 0.4 if tile >= 12 else 0.0) for tile in range(TILES)]

    found = [onset([feature() for _ in range(4)]) for _ in range(50)]
    assert np.median([abs(first - 12) for first in found if first is not None]) <= 1


def test_what_has_not_changed_is_as_old_as_its_counts() -> None:
    empty = Histogram(())
    assert onset([[empty, empty, *[normal(0.7, n=1000)] * 10]]) == 2
    rng = np.random.default_rng(5)
    called = sum(onset([[drawn(rng, 200) for _ in range(TILES)]]) != 0 for _ in range(300))
    assert called <= 9  # alpha is 1 %, and the splits are counted


def test_without_counts_nothing_is_told() -> None:
    assert onset([]) is None
    assert onset([[Histogram(())] * TILES]) is None


def test_categories_that_come_up_are_a_change() -> None:
    old, new = Histogram.of_categories({"a": 90, "b": 10}), Histogram.of_categories({"a": 60, "b": 10, "c": 30})
    assert onset([[old] * 5 + [new] * 3]) == 5
