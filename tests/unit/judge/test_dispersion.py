"""How clustered errors are, and that taking it into account never condemns anybody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.judge.dispersion import LARGEST_OWN, NO_EVENTS, Clustering, own_dispersion, usual_dispersion
from seatrial.judge.evalue import log_e_restart, log_e_value


def seen(bad: list[int], total: int = 100) -> Clustering:
    found = NO_EVENTS
    for count in bad:
        found = found.then(total, count)
    return found


def drawn(mean: float, burst: int, intervals: int, seed: int = 3) -> list[int]:
    return [int(n) for n in burst * np.random.default_rng(seed).poisson(mean / burst, intervals)]


@pytest.mark.parametrize("mean", [0.05, 0.5, 5.0])
def test_independent_errors_have_dispersion_one(mean: float) -> None:
    assert seen(drawn(mean, 1, 20_000), total=1000).dispersion == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("mean", [0.05, 0.5, 5.0])
def test_bursts_of_five_have_dispersion_five(mean: float) -> None:
    assert seen(drawn(mean, 5, 20_000), total=1000).dispersion == pytest.approx(5, rel=0.06)


def test_swings_of_traffic_are_no_bursts() -> None:
    rng = np.random.default_rng(5)
    found = NO_EVENTS
    for total in rng.integers(10, 2000, 20_000).tolist():
        found = found.then(total, int(rng.binomial(total, 0.01)))
    assert found.dispersion == pytest.approx(1, abs=0.05)


def test_a_breakage_moves_it_once_and_bursts_each_time() -> None:
    broken = seen([0] * 50 + [4] * 10)
    assert broken.dispersion == 1
    assert seen([0] * 50 + [4, 0] * 10).dispersion == pytest.approx(4, rel=0.03)


def test_errors_of_one_scrape_are_one_burst_but_a_total_outage_does_not_wait() -> None:
    assert own_dispersion(seen([0, 0, 7])) == pytest.approx(7, rel=0.04)
    assert own_dispersion(seen([0, 0, 60])) == LARGEST_OWN
    assert own_dispersion(seen([5])) == pytest.approx(5, rel=0.03)


@pytest.mark.parametrize("bad", [[], [0, 0, 0], [2] * 50])
def test_never_below_one(bad: list[int]) -> None:
    assert seen(bad).dispersion == 1


def test_intervals_without_events_are_passed_over() -> None:
    assert seen([1, 2]).then(0, 0).then(100, 3) == seen([1, 2, 3])


def hours(*bad: list[int]) -> list[Clustering]:
    return [seen(one, total=600) for one in bad]


def test_usual_dispersion_leaves_the_loudest_hour_out() -> None:
    quiet = [drawn(0.5, 1, 60, seed) for seed in range(5)]
    outage = [0] * 30 + [600, 600, 600] + [0] * 27
    assert usual_dispersion(hours(*quiet)) == 1
    assert usual_dispersion(hours(*quiet, outage)) == 1
    bursty = [drawn(1.0, 5, 60, seed) for seed in range(5)]
    assert usual_dispersion(hours(*bursty, outage)) == pytest.approx(5, rel=0.2)


def test_usual_dispersion_of_too_little_is_not_known() -> None:
    assert usual_dispersion([]) is None
    assert usual_dispersion(hours([5] + [0] * 59, [5] + [0] * 59)) is None


def test_doubt_is_no_reason_to_be_slow() -> None:
    """Independent errors: at most a few in a hundred histories of hours are taken for bursts."""
    found = [usual_dispersion(hours(*(drawn(0.3, 1, 60, 100 * seed + i) for i in range(6)))) for seed in range(200)]
    assert sum(one is not None and one > 1 for one in found) <= 10


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=25),
    st.floats(1, 50),
    st.floats(1e-4, 0.3),
)
def test_tempering_never_condemns(counts: list[tuple[int, int]], dispersion: float, p0: float) -> None:
    """Whatever the dispersion is made from: what is condemned with it would be condemned without it."""
    total, bad = np.array([(max(pair), min(pair)) for pair in counts]).T
    log_e, order = log_e_value(total, bad, p0), np.arange(len(counts))
    plain, tempered = (float(log_e_restart(x, [0], order)[0]) for x in (log_e, log_e / dispersion))
    assert tempered <= max(0.0, plain) / dispersion + 1e-9 or tempered <= 1e-9
