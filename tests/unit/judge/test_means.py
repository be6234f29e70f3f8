"""Non-inferiority of means: "no more than 5 % slower than stable", from the buckets of a histogram."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad  # type: ignore[import-untyped]  # scipy ships no types

from seatrial.judge.compare import log_e_inferior, log_e_non_inferior
from seatrial.judge.means import Buckets, compare_mean, compare_means, log_e_mean, log_e_means
from seatrial.judge.types import Counts, Verdict

COUNTS = st.lists(st.integers(0, 400), min_size=4, max_size=4).map(tuple).filter(any)
VALUES = (0.05, 0.15, 0.6, 1.0)
USUAL = Buckets((0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5))


def histogram(values: np.ndarray, buckets: Buckets = USUAL) -> tuple[int, ...]:
    return tuple(int(n) for n in np.histogram(values, [0, *buckets.edges, np.inf])[0])


@given(
    st.integers(1, 3000), st.floats(0, 1), st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.5, 0.95, 1.0, 1.3])
)
@example(n=1, p=0.0, m=1, q=1.0, ratio=0.5)  # a node of the quadrature was rounded to its end
def test_of_two_values_it_is_the_comparison_of_shares(n: int, p: float, m: int, q: float, ratio: float) -> None:
    candidate, stable = Counts(n, int(n * p)), Counts(m, int(m * q))
    sides = [(c.bad, c.total - c.bad) for c in (candidate, stable)]
    above, below = log_e_means(sides[0], sides[1], (0.0, 1.0), ratio)
    assert below == pytest.approx(log_e_inferior(candidate, stable, ratio), abs=1e-9, rel=1e-9)
    assert above == pytest.approx(log_e_non_inferior(candidate, stable, ratio), abs=1e-9, rel=1e-9)


@pytest.mark.parametrize("shares", [(0.5, 0.3, 0.2), (0.9, 0.09, 0.01), (0.2, 0.0, 0.8)])
def test_at_the_true_mean_the_evidence_is_1_on_average(shares: tuple[float, ...]) -> None:
    """By all outcomes of five values: a martingale, whatever the distribution."""
    values = (0.1, 0.4, 1.0)
    mean = sum(share * value for share, value in zip(shares, values, strict=True))
    expected = 0.0
    for outcome in product(range(3), repeat=5):
        counts = tuple(outcome.count(k) for k in range(3))
        above, below = log_e_mean(counts, values, mean)
        # One of the two is the evidence against this very mean, the other one against the likeliest.
        expected += math.prod(shares[k] for k in outcome) * math.exp(max(above, below))
    assert expected == pytest.approx(1, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(COUNTS, st.floats(0.06, 0.95))
def test_the_capital_is_the_average_over_all_bets(counts: tuple[int, ...], mean: float) -> None:
    def log_capital(p: float) -> float:
        return sum(
            n * math.log(u * p / mean + (1 - u) * (1 - p) / (1 - mean))
            for n, u in zip(counts, VALUES, strict=True)
            if n
        )

    grid = np.linspace(1e-9, 1 - 1e-9, 4001)
    top = max(map(log_capital, grid))
    near = [float(p) for p in grid if log_capital(p) > top - 50]
    low, high = max(0.0, near[0] - 3e-4), min(1.0, near[-1] + 3e-4)
    points = sorted({float(grid[int(np.argmax([log_capital(p) for p in grid]))])} & {p for p in grid if low < p < high})
    found, _ = quad(lambda p: math.exp(log_capital(p) - top), low, high, points=points or None, limit=500, epsabs=0)
    assert max(log_e_mean(counts, VALUES, mean)) == pytest.approx(top + math.log(found), abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(COUNTS, COUNTS, st.sampled_from([1.0, 1.05, 1.3]))
def test_no_pair_of_means_on_the_edge_has_less_evidence(
    candidate: tuple[int, ...], stable: tuple[int, ...], ratio: float
) -> None:
    edge = max(log_e_means(candidate, stable, VALUES, ratio))
    for mean in np.geomspace(0.02, 0.99 / ratio, 20):
        pair = [max(log_e_mean(c, VALUES, at)) for c, at in ((candidate, float(ratio * mean)), (stable, float(mean)))]
        assert sum(pair) >= edge - 1e-8


@settings(max_examples=25, deadline=None)
@given(COUNTS, COUNTS, st.sampled_from([0.001, 1.0, 30.0]))
def test_units_do_not_matter(candidate: tuple[int, ...], stable: tuple[int, ...], scale: float) -> None:
    scaled = tuple(scale * value for value in VALUES)
    assert log_e_means(candidate, stable, scaled, 1.05) == pytest.approx(
        log_e_means(candidate, stable, VALUES, 1.05), abs=1e-7
    )


def test_values_are_the_middles_of_buckets_and_the_last_edge() -> None:
    buckets = Buckets((0.1, 0.25, 1.0))
    assert buckets.values == pytest.approx((0.05, 0.175, 0.625, 1.0))
    assert buckets.mean((2, 0, 1, 1)) == pytest.approx((0.05 * 2 + 0.625 + 1) / 4)


def test_verdicts_and_sentences() -> None:
    rng = np.random.default_rng(5)
    stable = histogram(rng.lognormal(math.log(0.1), 0.5, 20_000))
    slow = histogram(rng.lognormal(math.log(0.125), 0.5, 20_000))
    worse = compare_means(slow, stable, USUAL, margin=0.05)
    assert worse.verdict is Verdict.Burning
    assert worse.sentence.startswith("mean 159 ms against 130 ms of stable: worse by more than 5 %; chance explains")
    assert worse.effect == pytest.approx(USUAL.mean(slow) / USUAL.mean(stable))
    same = histogram(rng.lognormal(math.log(0.1), 0.5, 20_000))
    assert compare_means(same, stable, USUAL, margin=0.05).verdict is Verdict.Healthy
    assert compare_means(same[:5] + (0,) * 7, stable, USUAL, margin=0.05).verdict is not Verdict.Burning
    few = histogram(rng.lognormal(math.log(0.125), 0.5, 50))
    assert compare_means(few, stable, USUAL, margin=0.05).verdict is Verdict.Inconclusive
    assert compare_means((0,) * 12, stable, USUAL, margin=0.05).verdict is Verdict.NoData
    assert compare_means(slow, stable, USUAL, margin=0.05, dispersion=1000).verdict is Verdict.Inconclusive


def test_a_mean_measured_offline() -> None:
    rng = np.random.default_rng(6)
    counts = histogram(rng.lognormal(math.log(0.1), 0.5, 20_000))
    worse = compare_mean(counts, 0.11, USUAL, margin=0.05)
    assert worse.verdict is Verdict.Burning
    assert "mean 129 ms against 110 ms offline: worse by more than 5 %" in worse.sentence
    assert compare_mean(counts, 0.135, USUAL, margin=0.05).verdict is Verdict.Healthy
    assert compare_mean((0,) * 12, 0.13, USUAL, margin=0.05).verdict is Verdict.NoData
    assert "mean 0.4 against 0.3 offline" in compare_mean((4, 6), 0.3, Buckets((0.5,), timed=False), margin=0).sentence


@pytest.mark.parametrize("counts", [(7, 0, 0, 0), (0, 0, 0, 7), (10**8, 10**6, 10**4, 100), (0, 10**9, 0, 1)])
def test_extreme_counts_are_finite(counts: tuple[int, ...]) -> None:
    for found in (log_e_mean(counts, VALUES, 0.3), log_e_means(counts, (5, 4, 3, 2), VALUES, 1.05)):
        assert all(map(math.isfinite, found))
