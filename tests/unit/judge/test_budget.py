"""Budget arithmetic against the SRE workbook's figures, windows against the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from seatrial.judge.budget import Period, calendar_window, freeze, rolling_window, spend
from seatrial.judge.types import Counts

BUDGET = Decimal("0.001")
THIRTY_DAYS_S = 30 * 86400.0
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(("burn_rate", "minutes"), [(1, 30 * 1440), (2, 15 * 1440), (10, 3 * 1440), (1000, 43)])
def test_time_to_exhaustion_of_table_5_2(burn_rate: float, minutes: float) -> None:
    untouched = spend(Counts(1_000_000, 0), BUDGET, window_s=THIRTY_DAYS_S, present_burn_rate=burn_rate)
    assert untouched.exhaustion_s == pytest.approx(60 * minutes, rel=0.01)


def test_total_outage_of_26_seconds_spends_five_nines_of_a_month() -> None:
    monthly = spend(Counts(2_592_000, 26), Decimal("0.00001"), window_s=THIRTY_DAYS_S)
    assert monthly.consumed == pytest.approx(1, abs=0.01)


def test_ten_requests_an_hour_one_failure_is_a_burn_of_100() -> None:
    """The book says 1,000 times beside 13.9 % of the budget; 10 % / 0.1 % is 100, which the 13.9 % agrees with."""
    assert spend(Counts(10, 1), BUDGET, window_s=THIRTY_DAYS_S).burn_rate == pytest.approx(100)
    assert spend(Counts(10, 1), BUDGET, window_s=THIRTY_DAYS_S, elapsed=1 / 720).consumed == pytest.approx(
        0.139, abs=5e-4
    )


def test_overspent_budget_is_negative_and_exhausted() -> None:
    state = spend(Counts(1000, 3), BUDGET, window_s=THIRTY_DAYS_S)
    assert state.remaining == pytest.approx(-2)
    assert state.remaining_bad == Decimal(-2)
    assert state.exhaustion_s == 0


def test_no_events_touch_no_budget() -> None:
    state = spend(Counts(0, 0), BUDGET, window_s=THIRTY_DAYS_S)
    assert (state.consumed, state.remaining, state.burn_rate, state.exhaustion_s) == (0, 1, 0, None)


def test_budget_arithmetic_is_exact() -> None:
    assert spend(Counts(1000, 1), BUDGET, window_s=THIRTY_DAYS_S).remaining == 0


def test_rolling_window_ends_now() -> None:
    now = datetime(2026, 3, 29, 12, tzinfo=UTC)
    window = rolling_window(now, timedelta(days=28))
    assert (window.length_s, window.elapsed(now)) == (28 * 86400, 1)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (Period.Week, (2026, 3, 23), (2026, 3, 30)),
        (Period.Month, (2026, 3, 1), (2026, 4, 1)),
        (Period.Quarter, (2026, 1, 1), (2026, 4, 1)),
        (Period.Year, (2026, 1, 1), (2027, 1, 1)),
    ],
)
def test_calendar_windows(period: Period, start: tuple[int, int, int], end: tuple[int, int, int]) -> None:
    window = calendar_window(datetime(2026, 3, 29, 12, tzinfo=PARIS), period)
    assert window.start == datetime(*start, tzinfo=PARIS)
    assert window.end == datetime(*end, tzinfo=PARIS)


def test_a_month_with_a_change_of_clocks_is_an_hour_shorter() -> None:
    march = calendar_window(datetime(2026, 3, 5, tzinfo=PARIS), Period.Month)
    assert march.length_s == 31 * 86400 - 3600


def test_a_month_begins_at_local_midnight() -> None:
    just_after = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert calendar_window(just_after.astimezone(PARIS), Period.Month).start.month == 4
    assert calendar_window(just_after, Period.Month).start.month == 3


def test_december_ends_in_january() -> None:
    assert calendar_window(datetime(2026, 12, 31, tzinfo=PARIS), Period.Quarter).end == datetime(
        2027, 1, 1, tzinfo=PARIS
    )


def test_time_zone_is_needed() -> None:
    with pytest.raises(ValueError, match="time zone"):
        calendar_window(datetime(2026, 3, 1), Period.Month)  # noqa: DTZ001 - the very thing that is refused


def test_elapsed_share_is_checked() -> None:
    with pytest.raises(ValueError, match="elapsed"):
        spend(Counts(1, 0), BUDGET, window_s=1, elapsed=0)


def test_freeze_when_spent_or_when_a_bad_release_costs_more_than_remains() -> None:
    spent = spend(Counts(1000, 1), BUDGET, window_s=THIRTY_DAYS_S)
    tight = spend(Counts(100_000, 99), BUDGET, window_s=THIRTY_DAYS_S)
    assert "0 % of the error budget remains" in (freeze(spent) or "")
    assert freeze(tight) is None
    assert freeze(tight, level=0.05) is not None
    assert "would cost 2 %" in (freeze(tight, expected_cost=0.02) or "")
