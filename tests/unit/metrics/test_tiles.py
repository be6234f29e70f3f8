"""Hours that are counted once and added up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seatrial.metrics.book import Owner
from seatrial.metrics.tiles import Tiles

ONE, TWO = Owner("ml", "m", "aaaaaaaaaa"), Owner("ml", "m", "bbbbbbbbbb")
DAY = 24


def test_hours_are_missing_until_they_are_put_in_runs_within_a_day() -> None:
    tiles = Tiles()
    assert list(tiles.missing(20, 27)) == [range(20, 24), range(24, 27)]
    tiles.put(21, {})
    tiles.put(24, {})
    assert list(tiles.missing(20, 27)) == [range(20, 21), range(22, 24), range(25, 27)]
    for hour in (20, 22, 23, 25, 26):
        tiles.put(hour, {})
    assert list(tiles.missing(20, 27)) == []


def test_versions_that_come_later_count_from_when_they_came() -> None:
    tiles = Tiles()
    tiles.put(100, {ONE: (5, 1)})
    tiles.put(101, {TWO: (7, 0), ONE: (1, 1)})
    tiles.put(102, {TWO: (2, 2)})
    assert tiles.since(100) == {ONE: (6, 2), TWO: (9, 2)}
    assert tiles.since(102) == {TWO: (2, 2)}


def test_a_window_holds_the_hours_that_lie_in_it_for_the_greater_part() -> None:
    tiles = Tiles()
    for hour in range(100, 110):
        tiles.put(hour, {ONE: (1, 0)})
    assert tiles.since(105.4)[ONE] == (5, 0)
    assert tiles.since(105.6)[ONE] == (4, 0)
    assert tiles.since(111) == {}


@given(hours=st.integers(1, 40 * DAY), first=st.integers(0, 3 * DAY))
def test_joining_hours_to_days_loses_nothing(hours: int, first: int) -> None:
    tiles = Tiles()
    end = first + hours
    for hour in range(first, end):
        tiles.put(hour, {ONE: (1 + hour, 1)})
    tiles.tidy(first, end)
    assert tiles.since(first)[ONE] == (sum(range(1 + first, 1 + end)), hours)
    assert list(tiles.missing(first, end)) == []
    # A beginning far back moves by half a day at most.
    assert abs(tiles.since(first + hours / 2).get(ONE, (0, 0))[1] - hours / 2) <= DAY / 2 + 1
    # The last three days stay exact to the hour.
    assert tiles.since(max(first, end - 3 * DAY))[ONE][1] == min(hours, 3 * DAY)


def test_what_lies_before_every_window_is_dropped() -> None:
    tiles = Tiles()
    for hour in range(10 * DAY):
        tiles.put(hour, {ONE: (1, 0)})
    tiles.tidy(0, 10 * DAY)
    tiles.tidy(5 * DAY, 10 * DAY)
    assert tiles.since(0)[ONE] == (5 * DAY, 0)
    assert list(tiles.missing(5 * DAY, 10 * DAY)) == []
