"""The e-value against figures that were published or computed elsewhere, and against its own promises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad  # type: ignore[import-untyped]  # scipy ships no types

from seatrial.judge.evalue import log_e_health, log_e_restart, log_e_value

if TYPE_CHECKING:
    from fractions import Fraction

# With k bad requests the test fires up to this request number (target 99.9 %, alpha .01); computed independently.
K = (2, 3, 4, 5, 8)
LATEST_REQUEST = {
    1.0: (39, 150, 332, 574, 1560),
    2.0: (20, 78, 171, 294, 794),
    4.0: (11, 41, 89, 152, 405),
    6.0: (8, 28, 61, 103, 274),
    14.4: (3, 13, 27, 46, 119),
}


@pytest.mark.parametrize(("burn_rate", "latest"), LATEST_REQUEST.items())
def test_kth_error_must_come_by_this_request(burn_rate: float, latest: tuple[int, ...]) -> None:
    p0 = burn_rate * 0.001
    assert (log_e_value(latest, K, p0) >= math.log(100)).all()
    assert (log_e_value(np.add(latest, 1), K, p0) < math.log(100)).all()


@pytest.mark.parametrize(("bad", "e_value"), [(1, 4.0), (2, 110), (3, 6086)])
def test_one_two_three_errors_in_twenty_requests(bad: int, e_value: float) -> None:
    assert math.exp(log_e_value(20, bad, 0.002)[0]) == pytest.approx(e_value, rel=0.005)


@pytest.mark.parametrize(("total", "bad", "p0"), [(20, 3, 0.002), (500, 0, 0.01), (3000, 45, 0.01), (200, 30, 0.4)])
def test_grid_agrees_with_the_integral_it_stands_for(total: int, bad: int, p0: float) -> None:
    log_p0 = math.log(p0)

    def ratio(u: float) -> float:
        p = math.exp(log_p0 * (1 - u))
        return math.exp(bad * math.log(p / p0) + (total - bad) * math.log((1 - p) / (1 - p0)))

    exact, _ = quad(ratio, 0, 1, limit=400)
    assert math.exp(log_e_value(total, bad, p0)[0]) == pytest.approx(exact, rel=0.01)


@given(st.integers(0, 60), st.fractions("1/500", "1/3"))
def test_expected_value_is_one_at_the_limit(total: int, p0: Fraction) -> None:
    p = float(p0)
    bad = np.arange(total + 1)
    log_choose = np.array([math.log(math.comb(total, k)) for k in bad])
    log_probability = log_choose + bad * math.log(p) + (total - bad) * math.log1p(-p)
    expected = np.exp(log_probability + log_e_value(np.full(total + 1, total), bad, p)).sum()
    assert expected == pytest.approx(1, rel=1e-9)


@given(st.integers(1, 10**9), st.floats(0, 1), st.floats(1e-6, 0.9))
def test_more_bad_is_more_evidence_and_more_good_is_less(total: int, share: float, p0: float) -> None:
    bad = min(total - 1, int(total * share))
    log_e = log_e_value([total, total, total + 1], [bad, bad + 1, bad], p0)
    assert np.isfinite(log_e).all()
    assert log_e[1] > log_e[0] > log_e[2] or total > 10**7  # beyond, one event is below the resolution of a double


@given(st.integers(0, 10**6), st.floats(1e-4, 0.9))
def test_evidence_depends_on_each_row_alone(total: int, p0: float) -> None:
    alone = log_e_value(total, total // 7, p0)[0]
    rows = 600
    among = log_e_value(np.full(rows, total), np.full(rows, total // 7), np.r_[np.full(rows - 1, p0), 0.5])
    assert (among[:-1] == alone).all()


def test_scale_free_in_the_budget() -> None:
    """A hundredth of the budget with a hundred times the requests is nearly the same evidence."""
    coarse = log_e_value(500, 6, 0.002)[0] * 1.0
    fine = log_e_value(50_000, 6, 0.00002)[0]
    # the only difference is the width of the prior, ln(1/p0)
    assert math.exp(fine - coarse) == pytest.approx(math.log(0.002) / math.log(0.00002), rel=0.05)


def test_restart_mixture_is_the_sum_of_its_parts_and_the_idle_rest() -> None:
    log_e = np.log([5.0, 3.0, 0.5, 7.0])
    mixture = np.exp(log_e_restart(log_e, first=[0, 3], order=[0, 1, 2, 0]))
    assert mixture == pytest.approx([5 / 2 + 3 / 6 + 0.5 / 12 + 1 / 4, 7 / 2 + 1 / 2])


def test_opening_a_restart_point_changes_nothing_at_that_moment() -> None:
    before = log_e_restart([1.7, 0.4], first=[0], order=[0, 1])
    after = log_e_restart([1.7, 0.4, 0.0], first=[0], order=[0, 1, 2])
    assert after == pytest.approx(before)


def test_retired_points_give_up_their_part_and_keep_the_weights_of_the_others() -> None:
    assert np.exp(log_e_restart(np.log([4.0, 9.0]), first=[0], order=[0, 5])) == pytest.approx([4 / 2 + 9 / 42 + 1 / 7])


@pytest.mark.parametrize(("burn_rate", "least"), [(1.0, 4603), (2.0, 2300), (4.0, 1149), (14.4, 317)])
def test_proof_of_health_needs_many_requests(burn_rate: float, least: int) -> None:
    """Computed independently: ln(100) / p0 requests without error for the best possible bet, more for a mixture."""
    p0 = burn_rate * 0.001
    assert log_e_health(least, 0, p0)[0] < math.log(100)
    assert log_e_health(1.6 * least, 0, p0)[0] > math.log(100)
    assert log_e_health(3 * least, math.ceil(3 * least * p0), p0)[0] < 0


@given(st.integers(0, 60), st.fractions("1/500", "1/3"))
def test_expected_value_of_the_proof_of_health_is_one_at_the_limit(total: int, p0: Fraction) -> None:
    p = float(p0)
    bad = np.arange(total + 1)
    log_choose = np.array([math.log(math.comb(total, k)) for k in bad])
    log_probability = log_choose + bad * math.log(p) + (total - bad) * math.log1p(-p)
    assert np.exp(log_probability + log_e_health(total, bad, p)).sum() == pytest.approx(1, rel=1e-9)
