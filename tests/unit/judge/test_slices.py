"""Slices of time: which are bad, whose fault they are, and how many are too many."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.judge.slices import ALONE, BOTH, GOOD, SliceRule, judge_slices, mark
from seatrial.judge.types import Counts, Verdict

RULE = SliceRule(Decimal(95), 20, bad=3, of=5)
FRESH, STALE = Counts(100, 0), Counts(100, 60)


@pytest.mark.parametrize(
    ("counts", "marked"),
    [
        (Counts(100, 5), GOOD),
        (Counts(100, 6), ALONE),
        (Counts(20, 1), GOOD),
        (Counts(20, 2), ALONE),
        (Counts(19, 19), GOOD),
    ],
    ids=["just as many as promised", "one too few", "few, at the limit", "few, below it", "too few to say anything"],
)
def test_a_slice_is_bad_when_too_few_of_enough_events_were_good(counts: Counts, marked: str) -> None:
    assert mark(counts, FRESH, RULE) == marked


@pytest.mark.parametrize(
    ("mine", "theirs", "marked"),
    [(FRESH, STALE, GOOD), (STALE, FRESH, ALONE), (STALE, STALE, BOTH), (STALE, Counts(0, 0), ALONE)],
    ids=["stable alone", "the candidate alone", "both", "stable serves nobody"],
)
def test_a_slice_that_is_bad_on_stable_too_is_told_apart(mine: Counts, theirs: Counts, marked: str) -> None:
    assert mark(mine, theirs, RULE) == marked


def test_shares_are_compared_exactly() -> None:
    rule = RULE._replace(good=Decimal("99.9"))
    assert mark(Counts(1000, 1), FRESH, rule) == GOOD
    assert mark(Counts(999, 1), FRESH, rule) == ALONE


@pytest.mark.parametrize(
    ("last", "verdict", "said"),
    [
        ("", Verdict.Inconclusive, "none is over yet."),
        ("oo", Verdict.Inconclusive, "these are too few to tell"),
        (
            "ooo",
            Verdict.Healthy,
            "in 0 of the last 3 fewer than 95 % of the events were good, and 3 of 5 are too many.",
        ),
        ("oooox", Verdict.Inconclusive, "the newest one is bad"),
        ("xxooo", Verdict.Healthy, "in 2 of the last 5"),
        ("xxoox", Verdict.Burning, "3 were bad on this version alone."),
        ("xxx", Verdict.Burning, "in 3 of the last 3"),
        ("===", Verdict.Environment, "But 3 of them were bad on stable too: the surroundings are to blame."),
        ("x=x", Verdict.Environment, "But 1 of them were bad on stable too"),
        ("=x=xx", Verdict.Burning, "in 5 of the last 5"),
        ("xxxooooo", Verdict.Healthy, "in 0 of the last 5"),
        ("==ooo", Verdict.Healthy, "in 2 of the last 5"),
    ],
)
def test_verdicts(last: str, verdict: Verdict, said: str) -> None:
    found, sentence = judge_slices(last, RULE)
    assert found is verdict
    assert said in sentence


@given(st.text("ox=", max_size=20), st.integers(1, 8), st.data())
def test_only_bad_slices_of_its_own_condemn_and_only_good_ones_acquit(last: str, of: int, data: st.DataObject) -> None:
    rule = RULE._replace(of=of, bad=data.draw(st.integers(1, of)))
    verdict, _ = judge_slices(last, rule)
    seen = last[-of:]
    assert (verdict is Verdict.Burning) == (seen.count(ALONE) >= rule.bad)
    if verdict is Verdict.Healthy:
        missing = of - len(seen)
        assert len(seen) - seen.count(GOOD) + missing < rule.bad, "whatever those are that are missing"
