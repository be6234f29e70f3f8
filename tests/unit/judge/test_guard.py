"""The absolute guard."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seatrial.judge.guard import MIN_ALLOWANCE, allowance, excess, overspent
from seatrial.judge.judge import judge
from seatrial.judge.types import Counts, Evidence, Objective, Verdict

AVAILABILITY = Objective("availability", "shop", Decimal("99.9"))
BUDGET = AVAILABILITY.error_budget


def test_allowance_is_a_share_of_the_window_and_never_above_what_remains() -> None:
    assert allowance(BUDGET * 10_000_000) == pytest.approx(200)
    assert allowance(BUDGET * 10_000_000, remaining=Decimal(50)) == pytest.approx(50)
    assert allowance(BUDGET * 10_000_000, remaining=Decimal(-50)) == 0


def test_time_to_spend_the_allowance_agrees_with_the_formula() -> None:
    """phi W / (share burn), 28 d, phi 2 %, share 10 %: 8.1 min at 100 % errors, 2.7 h at 5 %, 13.4 h at 1 %."""
    requests_per_s = 100.0
    granted = allowance(BUDGET * round(requests_per_s * 28 * 86400))
    for error_ratio, hours in ((1.0, 8.1 / 60), (0.05, 2.7), (0.01, 13.4)):
        seconds = granted / (0.1 * requests_per_s * error_ratio)
        assert seconds / 3600 == pytest.approx(hours, rel=0.01)


def test_living_within_the_promise_spends_nothing() -> None:
    counts = Counts(1_000_000, 1000)
    assert excess(counts, float(BUDGET)) == pytest.approx(0)
    assert not overspent(counts, float(BUDGET), MIN_ALLOWANCE)


def test_slow_burn_below_the_limit_is_stopped_by_the_guard() -> None:
    counts = Counts(1_000_000, 1500)
    assert judge([AVAILABILITY], [Evidence(counts)])[0].verdict is Verdict.Healthy
    stopped = judge([AVAILABILITY], [Evidence(counts, allowance=500.0)])[0]
    assert stopped.verdict is Verdict.Burning
    assert "500" in stopped.sentence
    assert judge([AVAILABILITY], [Evidence(counts, allowance=501.0)])[0].verdict is Verdict.Healthy


def test_allowance_too_small_to_tell_from_chance_guards_nothing() -> None:
    assert not overspent(Counts(1000, 12), float(BUDGET), MIN_ALLOWANCE - 1)
    assert overspent(Counts(1000, 12), float(BUDGET), MIN_ALLOWANCE)
