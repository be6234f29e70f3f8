"""Copies of requests count for the version that answers them, and not for the service."""

from __future__ import annotations

from dataclasses import replace

from seatrial.api.counts import Restart, Totals
from seatrial.api.status import Copies, Phase
from seatrial.api.strategy import Shadow, Step
from seatrial.judge.types import Counts, Verdict
from seatrial.rollout.copies import MAX_COPIES, running, since_step, without
from tests.unit.rollout import builders as b

SHADOW = Step(shadow=Shadow(percent=100), for_=60.0)
KEY = "scorer/availability"
BEGAN = Restart(candidate=Totals(400, 2), stable=Totals(3600, 0))
ENTRY = replace(b.evidence(total=1000, bad=5), step_total=400, restarts=(BEGAN,))
IN_SHADOW = b.at_step(SHADOW, 60.0, evidence=(ENTRY,))


def test_a_step_counts_from_where_the_test_began_afresh() -> None:
    assert since_step(ENTRY) == (Counts(600, 3), Counts(5400, 0))
    assert since_step(b.evidence(total=1000, bad=5)) == (Counts(1000, 5), Counts(9000, 0))


def test_a_later_restart_point_does_not_shorten_the_step() -> None:
    later = Restart(candidate=Totals(900, 4), stable=Totals(8000, 0))
    assert since_step(replace(ENTRY, restarts=(BEGAN, later)))[0] == Counts(600, 3)


def test_only_a_shadow_gets_copies() -> None:
    assert running(IN_SHADOW, b.NOW) == (Copies(KEY, b.B.hash, b.NOW, 600, 3),)
    assert running(b.on_trial(), b.NOW) == ()
    assert running(b.watching(), b.NOW) == ()


def test_they_are_remembered_when_the_shadow_ends_well_or_badly() -> None:
    passed = b.run(IN_SHADOW, b.at_ease(IN_SHADOW, evidence=(ENTRY,)))
    assert passed.status.trial
    assert passed.status.trial.step_index == 2
    burning = replace(ENTRY, verdict=Verdict.Burning.value)
    failed = b.run(IN_SHADOW, b.at_ease(IN_SHADOW, evidence=(burning,)))
    assert failed.status.phase is Phase.ROLLED_BACK
    for decision in (passed, failed):
        assert decision.status.copies == (Copies(KEY, b.B.hash, b.NOW, 600, 3),)


def test_their_number_is_bounded_and_the_newest_stay() -> None:
    old = tuple(Copies(KEY, b.C.hash, b.NOW - i, 1, 0) for i in range(MAX_COPIES))
    status = replace(IN_SHADOW, copies=old)
    after = b.run(status, b.at_ease(status, evidence=(ENTRY,))).status.copies
    assert len(after) == MAX_COPIES
    assert after[0].version == b.B.hash


def test_the_service_is_counted_without_them_in_every_window_that_holds_them() -> None:
    counts = {60.0: {b.B.hash: (10, 0)}, 3600.0: {b.A.hash: (9000, 4), b.B.hash: (700, 3)}}
    copies = [Copies(KEY, b.B.hash, b.NOW - 100, 600, 3), Copies("scorer/latency", b.B.hash, b.NOW, 700, 3)]
    left = without(counts, copies, KEY, b.NOW)
    assert left == {60.0: {b.B.hash: (10, 0)}, 3600.0: {b.A.hash: (9000, 4), b.B.hash: (100, 0)}}


def test_more_copies_than_were_counted_leave_nothing_and_nothing_negative() -> None:
    left = without({3600.0: {b.B.hash: (500, 2)}}, [Copies(KEY, b.B.hash, b.NOW, 600, 1)], KEY, b.NOW)
    assert left == {3600.0: {b.B.hash: (0, 0)}}
