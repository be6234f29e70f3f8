"""Rare bins: what chance makes of a measure, against exact laws and by simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]  # scipy ships no types

from seatrial.judge.drift.histogram import Histogram, Paired, paired
from seatrial.judge.drift.margins import LEAST_EXPECTED, joined, matched
from seatrial.judge.drift.statistics import Statistic, measure


def zipf(categories: int, power: float) -> np.ndarray:
    weights = 1 / np.arange(1, categories + 1) ** power
    return np.asarray(weights / weights.sum())


RARE = {
    "zipf": zipf(20, 1.0),
    "steep": zipf(20, 2.0),
    "many": zipf(200, 1.0),
    "two and eighteen rare": np.array([0.6, 0.382, *[0.001] * 18]),
    "one rare": np.array([0.998, 0.002]),
}


def sides(ours: np.ndarray, theirs: np.ndarray) -> Paired:
    names = tuple(f"c{i:03}" for i in range(len(ours)))
    mine, others = (Histogram(tuple(side.tolist()), categories=names) for side in (ours, theirs))
    return paired(mine, others)


def squared(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    n, m = 20, 30
    pooled = (n * p + m * q) / (n + m)
    return np.asarray((p - q) ** 2 / np.where(pooled > 0, pooled, 1.0))


def test_the_mean_is_exact_and_the_variance_is_near() -> None:
    """All tables of 20 and 30 observations with totals 14, 16 and 20, with their hypergeometric probabilities."""
    totals, scale = (14, 16, 20), 1 / 20 + 1 / 30
    values, chances = [], []
    for a, b in product(range(15), range(17)):
        c = 20 - a - b
        if 0 <= c <= 20:
            ours = np.array([a, b, c])
            values.append(squared(ours / 20, (totals - ours) / 30).sum() / scale)
            chances.append(stats.multivariate_hypergeom.pmf(ours, totals, 20))
    mean = np.average(values, weights=chances)
    variance = np.average((values - mean) ** 2, weights=chances)
    null = matched(squared, Paired(np.array([6.0, 6, 8]), np.array([8.0, 10, 12]), np.empty(0)), scale)
    assert null.freedom * null.scale / scale == pytest.approx(mean, rel=1e-9)
    assert 2 * null.freedom * (null.scale / scale) ** 2 == pytest.approx(variance, rel=0.1)


def test_bins_with_many_observations_have_the_usual_law() -> None:
    even = np.full(10, 1000.0)
    null = matched(squared, Paired(even, even, np.empty(0)), 0.01)
    assert [null.freedom, null.scale] == pytest.approx([9, 0.01])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=40))
def test_joining_keeps_all_observations_and_leaves_one_thin_bin_at_most(counts: list[tuple[int, int]]) -> None:
    ours, theirs = np.array(counts, dtype=float).T
    if not ours.sum() or not theirs.sum():
        return
    found = joined(Paired(ours, theirs, np.empty(0)))
    assert found.totals == (ours.sum(), theirs.sum())
    totals = found.ours + found.theirs
    thin = totals * min(found.totals) / sum(found.totals) < LEAST_EXPECTED / 2
    assert thin.sum() <= 1 or len(totals) == len(ours)


def test_a_new_category_is_hidden_by_no_common_one() -> None:
    """A quarter of ours are in a category of which theirs has none: by its total alone it is rare."""
    ours, theirs = np.array([700, 50, 250]), np.array([46_000, 4000, 0])
    for statistic in (Statistic.JS, Statistic.CHI_SQUARE, Statistic.KS):
        found = measure(statistic, sides(ours, theirs))
        assert found.null.p_value(found.value) < 1e-12
        assert found.value > 0.2


@pytest.mark.parametrize("statistic", list(Statistic))
@pytest.mark.parametrize("kind", list(RARE))
@pytest.mark.parametrize(("ours", "theirs"), [(200, 200), (300, 50_000)])
def test_chance_exceeds_the_critical_value_as_seldom_as_asked(
    statistic: Statistic, kind: str, ours: int, theirs: int
) -> None:
    """Also at the alpha that each look at a window and each of ten features has."""
    rng = np.random.default_rng(7)
    runs = 500
    p_values = np.ones(runs)
    for run in range(runs):
        drawn = sides(rng.multinomial(ours, RARE[kind]), rng.multinomial(theirs, RARE[kind]))
        if len(drawn.ours) > 1:
            found = measure(statistic, drawn)
            p_values[run] = found.null.p_value(found.value)
    for alpha in (0.02, 0.01 / 12, 0.01 / 120):
        assert (p_values < alpha).sum() <= stats.binom.isf(1e-4, runs, alpha * 1.3)


@pytest.mark.parametrize("kind", ["zipf", "steep"])
def test_total_variation_of_categories_is_told_from_chance(kind: str) -> None:
    """Every tenth row in another category than it was: 0.1 of total variation, at 1 % with 2,000 rows."""
    shares = RARE[kind]
    moved = 0.9 * shares + 0.1 * shares[::-1]
    found = measure(Statistic.KS, sides((2000 * moved).round().astype(int), (50_000 * shares).round().astype(int)))
    assert found.null.critical(0.01) < found.value
