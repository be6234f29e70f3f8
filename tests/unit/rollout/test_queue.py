"""Whose turn it is: first come, first served, and never more than may run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seatrial.rollout.queue import Place, waits

places = st.lists(
    st.builds(Place, st.sampled_from([0.0, 1.0, 2.0]), st.just("ml"), st.sampled_from("abcdefgh")),
    unique_by=lambda place: place.name,
)


def test_a_wish_that_has_not_joined_waits_even_when_nothing_runs() -> None:
    assert waits(None, (), 0, 1) == "it waits for its turn: 0 of at most 1 trials run"


def test_it_says_how_many_run_and_how_many_come_before() -> None:
    first, second = Place(1.0, "ml", "a"), Place(2.0, "ml", "b")
    assert waits(first, (first, second), 1, 2) is None
    assert waits(second, (first, second), 1, 2) == (
        "it waits for its turn: 1 of at most 2 trials run, and 1 wait before it"
    )


@given(line=places, running=st.integers(0, 5), limit=st.integers(1, 5))
def test_free_places_go_to_those_who_came_first(line: list[Place], running: int, limit: int) -> None:
    free = max(0, limit - running)
    may_start = [place for place in sorted(line) if waits(place, line, running, limit) is None]
    assert may_start == sorted(line)[:free]
