"""The record of decisions: each move with the numbers that it rests on, those of its own version."""

from __future__ import annotations

from dataclasses import replace

from seatrial.judge.types import Verdict
from seatrial.rollout.record import MAX_DECISIONS, objectives_hash
from tests.unit.rollout import builders as b


def test_rollback_is_on_record_with_its_numbers() -> None:
    burning = b.evidence(Verdict.Burning, bad=300)
    entry = b.run(b.on_trial(), b.at_ease(b.on_trial(), evidence=(burning,))).status.decisions[0]
    assert (entry.id, entry.at, entry.event, entry.version, entry.weight) == (1, b.NOW, "RolledBack", b.B.hash, 0)
    told = entry.evidence[0]
    assert (told.objective, told.verdict, told.total, told.bad) == ("scorer/availability", "Burning", 1000, 300)
    assert (told.e_value, told.threshold) == (burning.e_value, burning.threshold)


def test_new_trial_is_not_recorded_with_the_evidence_of_the_last() -> None:
    after = b.rolled_back()
    assert after.trial
    assert after.trial.evidence
    entry = b.run(after, b.at_ease(after, wish=b.wish(b.C))).status.decisions[0]
    assert (entry.event, entry.version, entry.evidence) == ("TrialStarting", b.C.hash, ())


def test_looks_leave_no_record_and_the_newest_ten_stay() -> None:
    status = b.on_trial()
    assert b.run(status, b.at_ease(status)).status.decisions == ()
    for _ in range(MAX_DECISIONS + 3):
        dropped = b.run(status, b.at_ease(status, wish=b.wish(b.C))).status
        status = replace(b.on_trial(), decisions=dropped.decisions)
    assert [entry.id for entry in status.decisions] == list(range(13, 3, -1))


def test_objectives_that_differ_have_another_hash() -> None:
    assert objectives_hash(b.PLAN) == objectives_hash(replace(b.PLAN, drain=99.0))
    assert objectives_hash(b.PLAN) != objectives_hash(replace(b.PLAN, objectives=(b.objective("latency"),)))
