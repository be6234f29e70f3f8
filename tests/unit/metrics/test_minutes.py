"""The minutes of the last hours: each asked for once, in bounded memory, and what they say of bursts."""

from __future__ import annotations

import pytest

from seatrial.metrics.book import Owner
from seatrial.metrics.minutes import HISTORY, Minutes

OWNER = Owner("ml", "scorer", "aaaaaaaaaa")
NOON = 29_000_000 // 60 * 60


def fill(minutes: Minutes, end: int, bad_every: int, bad: int) -> None:
    for run in minutes.missing(end):
        for minute in run:
            minutes.put(minute, {OWNER: (1000, bad if minute % bad_every == 0 else 0)})


def test_each_minute_is_asked_for_once() -> None:
    minutes = Minutes()
    runs = list(minutes.missing(NOON))
    assert (runs[0].start, runs[-1].stop, max(map(len, runs))) == (NOON - HISTORY, NOON, 60)
    fill(minutes, NOON, 10, 1)
    assert list(minutes.missing(NOON)) == []
    assert list(minutes.missing(NOON + 2)) == [range(NOON, NOON + 2)]
    assert sum(map(len, minutes.missing(NOON + 10 * HISTORY))) == HISTORY


@pytest.mark.parametrize(("bad", "expected"), [(1, 1.0), (5, 5.0)])
def test_bursts_over_hours(bad: int, expected: float) -> None:
    minutes = Minutes()
    fill(minutes, NOON, 10, bad)
    assert minutes.dispersion() == {OWNER: pytest.approx(expected, rel=0.02)}


def test_hours_that_lie_too_far_back_are_forgotten() -> None:
    minutes = Minutes()
    fill(minutes, NOON, 10, 5)
    for end in range(NOON + 60, NOON + HISTORY + 120, 60):
        fill(minutes, end, 10, 1)
    assert minutes.dispersion() == {OWNER: 1.0}
    for minute in range(NOON + HISTORY + 60, NOON + 2 * HISTORY + 120):
        minutes.put(minute, {})
    assert minutes.dispersion() == {}
