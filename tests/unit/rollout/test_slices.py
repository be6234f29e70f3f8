"""Objectives that count slices of time, look by look: freshness, which is bad in runs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.counts import Totals
from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus, dump
from seatrial.api.strategy import Shadow, Step
from seatrial.api.trial import Trial
from seatrial.metrics.types import Checkpoint, Measurements, Reading, Slicing
from seatrial.rollout.copies import running
from seatrial.rollout.counts import open_step
from seatrial.rollout.evidence import Service, weigh
from seatrial.rollout.slices import slicing
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.trial import ObjectiveEvidence

KEY = "scorer/freshness"
LOOK_S = 10
MINUTE = 6
"""Looks in a slice of a minute."""
FRESHNESS = {"name": "freshness", "target": "99", "sli": {"template": "feature-freshness", "threshold": "5m"}}
PLAN = b.plan_of(b.SPEC, scorer={"objectives": [FRESHNESS]})
BEGUN = Trial(b.B, b.NOW - 10, PLAN, b.NOW, step_since=b.NOW)

FRESH, STALE = (5, 0), (5, 5)
"""Events and bad ones of a version between two looks."""


class Watcher:
    """Looks every ten seconds at what both versions have counted."""

    def __init__(self, trial: Trial = BEGUN) -> None:
        self.trial, self.now_s = trial, b.NOW
        self.counted = {b.B.hash: (0, 0), b.A.hash: (0, 0)}
        self.look()

    def look(self, *, unavailable: str | None = None, age_s: float = 1.0, **known: Any) -> ObjectiveEvidence:
        readings = {
            (version, KEY): Reading(total, bad, self.now_s - age_s, Checkpoint(self.now_s - 20, total, bad), **known)
            for version, (total, bad) in self.counted.items()
        }
        measured = Measurements(self.now_s, unavailable, readings, {})
        evidence = weigh(self.trial, b.B.hash, b.A.hash, measured, fresh_s=6.0, service={KEY: Service(allowance=10.0)})
        self.trial = replace(self.trial, evidence=evidence)
        return evidence[0]

    def pass_by(
        self, mine: tuple[int, int], theirs: tuple[int, int] = FRESH, looks: int = MINUTE, **how: Any
    ) -> ObjectiveEvidence:
        for _ in range(looks):
            self.now_s += LOOK_S
            for version, (total, bad) in ((b.B.hash, mine), (b.A.hash, theirs)):
                known_total, known_bad = self.counted[version]
                self.counted[version] = known_total + total, known_bad + bad
            entry = self.look(**how)
        return entry


def last(entry: ObjectiveEvidence) -> str:
    assert entry.slices
    return entry.slices.last


def test_freshness_is_always_counted_in_slices() -> None:
    assert slicing(PLAN.objectives[0]) == Slicing(60, Decimal(95), 20)
    assert slicing(b.PLAN.objectives[0]) is None


def test_a_fresh_version_is_healthy_once_no_slice_that_is_missing_could_make_them_too_many() -> None:
    watcher = Watcher()
    verdicts = [watcher.pass_by(FRESH).verdict for _ in range(3)]
    assert verdicts == ["Inconclusive", "Inconclusive", "Healthy"]


def test_one_stale_minute_holds_and_three_of_five_roll_back() -> None:
    watcher = Watcher()
    watcher.pass_by(FRESH, looks=3 * MINUTE)
    one, two, three = (watcher.pass_by(STALE) for _ in range(3))
    assert (one.verdict, two.verdict, three.verdict) == ("Inconclusive", "Inconclusive", "Burning")
    assert three.sentence == (
        "Slices of 1m: in 3 of the last 5 fewer than 95 % of the events were good, and 3 of 5 are too many; "
        "3 were bad on this version alone."
    )
    assert last(three) == "oooxxx"
    assert three.burn_rate == 50, "half of the slices are bad, where 1 % may be"
    assert three.counted == Totals(6, 3)


def test_the_sequential_test_has_no_say_however_many_events_were_bad() -> None:
    """All thirty events of the first minute are bad, more than the release's allowance: that is one bad slice."""
    entry = Watcher().pass_by(STALE, looks=MINUTE)
    assert (entry.verdict, entry.e_value, entry.bad) == ("Inconclusive", 1.0, 30)


def test_a_feed_that_is_stale_for_both_is_nobodys_fault() -> None:
    watcher = Watcher()
    entry = watcher.pass_by(STALE, STALE, looks=5 * MINUTE)
    assert entry.verdict == "Environment"
    assert last(entry) == "====="


def test_with_little_traffic_a_slice_lasts_until_it_can_say_something() -> None:
    watcher = Watcher()
    entry = watcher.pass_by((1, 1), looks=3 * MINUTE)
    assert last(entry) == ""
    assert last(watcher.pass_by((1, 1), looks=2)) == "x", "twenty events in 200 seconds"


def test_a_slice_goes_on_while_prometheus_is_away() -> None:
    watcher = Watcher()
    watcher.pass_by(FRESH, looks=3 * MINUTE)
    away = watcher.pass_by((0, 0), (0, 0), looks=10 * MINUTE, unavailable=b.OUTAGE)
    assert away.verdict == "Unavailable"
    assert b.OUTAGE in away.sentence
    assert last(away) == "ooo"
    assert last(watcher.pass_by(FRESH, looks=4)) == "oooo"


def test_what_condemned_a_version_keeps_its_meaning_when_prometheus_goes_away() -> None:
    watcher = Watcher()
    watcher.pass_by(STALE, looks=3 * MINUTE)
    assert watcher.look(unavailable=b.OUTAGE).verdict == "Burning"


@pytest.mark.parametrize(
    ("how", "verdict", "said"),
    [
        ({"age_s": 30.0}, "NoData", "No recent sample of this version; last known: Slices of 1m: in 0 of the last 3"),
        ({"problem": "two series"}, "Unavailable", "It can't be counted now: two series"),
        ({"note": "300 counts instead"}, "Healthy", "are too many. Here 300 counts instead."),
    ],
)
def test_what_else_is_said(how: dict[str, Any], verdict: str, said: str) -> None:
    watcher = Watcher()
    watcher.pass_by(FRESH, looks=3 * MINUTE)
    entry = watcher.look(**how)
    assert entry.verdict == verdict
    assert said in entry.sentence


def test_a_step_asks_for_events_of_its_own() -> None:
    watcher = Watcher()
    watcher.pass_by(FRESH, looks=3 * MINUTE)
    opened = tuple(open_step(entry) for entry in watcher.trial.evidence)
    watcher.trial = replace(watcher.trial, step_index=1, evidence=opened)
    entry = watcher.look()
    assert entry.verdict == "Inconclusive"
    assert "0 of the 500 events that this step asks for were seen" in entry.sentence
    assert watcher.pass_by((90, 0)).verdict == "Healthy"


def test_a_restarted_operator_goes_on_with_the_slice_under_way() -> None:
    watcher = Watcher()
    watcher.pass_by(STALE, looks=2 * MINUTE + 3)
    status = ModelDeploymentStatus(stable=b.A, candidate=b.B, trial=watcher.trial)
    read = DEPLOYMENT_STATUS.validate_python(dump(DEPLOYMENT_STATUS, status)).trial
    assert read == watcher.trial
    watcher.trial = read
    assert last(watcher.pass_by(STALE, looks=3)) == "xxx"


def test_slices_of_a_shadow_are_left_out_of_the_budget() -> None:
    watcher = Watcher()
    watcher.pass_by(STALE, looks=2 * MINUTE)
    watcher.trial = replace(watcher.trial, evidence=tuple(open_step(entry) for entry in watcher.trial.evidence))
    watcher.pass_by(STALE, looks=MINUTE)
    shadow = Step(shadow=Shadow(), for_=60.0)
    trial = replace(watcher.trial, plan=replace(PLAN, steps=(shadow, *PLAN.steps)))
    status = replace(b.on_trial(), trial=trial)
    assert [(copies.total, copies.bad) for copies in running(status, watcher.now_s)] == [(1, 1)]
