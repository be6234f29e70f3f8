"""What pods can carry, and how many pods a weight takes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.rollout.capacity import carried, pods_for, swapped
from seatrial.rollout.world import Workload

weights = st.integers(1, 100)
counts = st.integers(1, 300)


def pods(ready: int, available: int | None = None, desired: int = 3) -> Workload:
    return Workload("bcdfghjklm", desired, ready, ready if available is None else available)


@pytest.mark.parametrize(
    ("weight", "workload", "present", "expected"),
    [
        (10, pods(3), 0, 10),
        (100, pods(3), 50, 100),
        (100, pods(2), 100, 66),  # one of three is gone: its share goes at once
        (50, pods(2), 50, 50),  # what is left carries this share
        (100, pods(3, 2), 66, 66),  # it is back, and not warm yet
        (100, pods(3, 2), 100, 100),  # weight that it has is not taken for being not warm
        (50, pods(3, 0), 0, 1),
        (1, pods(1), 0, 1),
        (50, pods(0), 50, 0),
        (0, pods(3), 50, 0),
        (50, None, 50, 0),
    ],
)
def test_weight_follows_pods(weight: int, workload: Workload | None, present: int, expected: int) -> None:
    assert carried(weight, 3, workload, present) == expected


def test_a_version_that_is_being_deleted_carries_nothing() -> None:
    assert carried(50, 3, Workload("bcdfghjklm", 3, 3, 3, terminating=True), 50) == 0


@given(weight=weights, need=counts, ready=st.integers(0, 300), warm=st.integers(0, 300), present=st.integers(0, 100))
def test_no_weight_above_what_is_asked_or_what_is_ready(
    weight: int, need: int, ready: int, warm: int, present: int
) -> None:
    found = carried(weight, need, pods(ready, min(ready, warm)), present)
    assert 0 <= found <= weight
    assert found <= max(1, 100 * ready // need)
    assert bool(found) == bool(ready)


@given(weight=weights, need=counts)
def test_the_pods_for_a_weight_carry_it(weight: int, need: int) -> None:
    found = pods_for(weight, need)
    assert 1 <= found <= need
    assert carried(weight, need, pods(found), 0) == weight


@pytest.mark.parametrize(
    ("weight", "total", "available", "expected"),
    [
        (0, 4, 0, (1, 3)),  # one pod to try
        (10, 4, 1, (1, 3)),
        (50, 4, 1, (2, 2)),
        (100, 4, 1, (2, 2)),  # one at a time
        (100, 4, 2, (3, 1)),
        (100, 4, 3, (3, 1)),  # stable keeps one to return to
        (50, 2, 1, (1, 1)),
        (50, 4, 0, (1, 3)),  # its pods went: stable gets theirs
    ],
)
def test_pods_change_hands_one_at_a_time(weight: int, total: int, available: int, expected: tuple[int, int]) -> None:
    assert swapped(weight, total, available) == expected


@given(weight=st.integers(0, 100), total=st.integers(2, 300), available=st.integers(0, 300))
def test_never_more_pods_than_one_version_has_and_never_none_of_stable(weight: int, total: int, available: int) -> None:
    candidate, stable = swapped(weight, total, available)
    assert candidate + stable == total
    assert candidate >= 1
    assert stable >= 1
    if weight < 100:
        # Rounding takes less than one pod from what stable's share needs, the first pod of a trial one at most.
        assert stable >= min(math.floor(total * (100 - weight) / 100), total - 1)
