"""How versions fared, counted from the decisions themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from prometheus_client import CollectorRegistry

from seatrial.api.commands import Verb
from seatrial.api.counts import Restart, Totals
from seatrial.api.drift import DriftIncident
from seatrial.api.status import Draining
from seatrial.controller.outcomes import Outcomes
from seatrial.judge.types import Verdict
from seatrial.rollout.faults import FAULTS
from seatrial.rollout.machine import TRANSITIONS
from tests.unit.rollout import builders as b
from tests.unit.rollout.test_retrain import WORLD

NOW_S = b.NOW


def counted() -> tuple[CollectorRegistry, Outcomes]:
    registry = CollectorRegistry()
    return registry, Outcomes(registry)


def test_a_rollback_is_counted_with_its_cause_and_the_time_that_it_took_to_decide() -> None:
    registry, outcomes = counted()
    status = b.on_trial()
    assert status.trial
    status = replace(status, trial=replace(status.trial, weighted_at=b.NOW - 12))
    burning = (b.evidence(Verdict.Burning, bad=300),)
    decision = b.run(status, b.at_ease(status, evidence=burning))
    outcomes.note(status, decision, {"scorer/availability": 3000})
    assert registry.get_sample_value("seatrial_rollbacks_total", {"cause": "burning"}) == 1
    assert registry.get_sample_value("seatrial_trials_total", {"outcome": "RolledBack"}) == 1
    assert registry.get_sample_value("seatrial_rollback_decision_seconds_sum") == 12


def test_weight_zero_is_timed_once_from_the_decision() -> None:
    registry, outcomes = counted()
    status = b.on_trial()
    fallen = b.run(status, b.at_ease(status, evidence=(b.evidence(Verdict.Burning, bad=300),))).status
    seen = replace(fallen, draining=(Draining(b.B.hash, "2", fallen.history[0].ended_at + 0.4),))
    still = b.run(b.stable(), b.at_ease(b.stable()))
    for before in (fallen, seen):
        outcomes.note(before, replace(still, status=seen), {})
    assert registry.get_sample_value("seatrial_weight_zero_seconds_count") == 1
    assert round(registry.get_sample_value("seatrial_weight_zero_seconds_sum") or 0, 3) == 0.4


def test_a_promotion_is_no_rollback_and_an_uneventful_look_is_nothing() -> None:
    registry, outcomes = counted()
    promoted = b.run(b.promoting(), b.at_ease(b.promoting()))
    outcomes.note(b.promoting(), promoted, {})
    outcomes.note(promoted.status, replace(promoted, move=""), {})
    assert registry.get_sample_value("seatrial_trials_total", {"outcome": "Promoted"}) == 1
    assert registry.get_sample_value("seatrial_rollback_decision_seconds_count") == 0


def test_what_a_version_spent_of_the_budget_is_counted_by_the_cause_of_its_end() -> None:
    """300 bad requests of the 3,000 that the window grants are a tenth of it."""
    registry, outcomes = counted()
    status = b.on_trial()
    fallen = b.run(status, b.at_ease(status, evidence=(b.evidence(Verdict.Burning, bad=300),)))
    outcomes.note(status, fallen, {"scorer/availability": 3000.0})
    assert registry.get_sample_value("seatrial_budget_spent_ratio_total", {"cause": "burning"}) == 0.1
    risen = b.run(b.promoting(), b.at_ease(b.promoting(), evidence=(b.evidence(bad=30),)))
    outcomes.note(b.promoting(), risen, {"scorer/availability": 3000.0})
    assert registry.get_sample_value("seatrial_budget_spent_ratio_total", {"cause": "promoted"}) == 0.01


def test_a_budget_that_is_not_known_yet_is_not_spent() -> None:
    registry, outcomes = counted()
    status = b.on_trial()
    fallen = b.run(status, b.at_ease(status, evidence=(b.evidence(Verdict.Burning, bad=300),)))
    outcomes.note(status, fallen, {})
    assert registry.get_sample_value("seatrial_budget_spent_ratio_total", {"cause": "burning"}) == 0


def test_drift_is_timed_when_it_is_confirmed_and_when_it_is_remedied_each_once() -> None:
    registry, outcomes = counted()
    calm = b.run(b.stable(), b.at_ease(b.stable()))
    opened = replace(WORLD, incident=DriftIncident(b.A.hash, "WorldChanged", "age", NOW_S - 1800, NOW_S, NOW_S))
    assert opened.incident
    incident = replace(opened.incident, last_seen=NOW_S + 7200, promoted_at=NOW_S + 3600, closed_at=NOW_S + 10_800)
    closed = replace(opened, incident=incident)
    course = (None, opened, opened, closed, closed)
    for before, after in pairwise(course):
        status, now = (replace(b.stable(), drift=drift) for drift in (before, after))
        outcomes.note(status, replace(calm, status=now), {})
    found = {
        part: [registry.get_sample_value(f"seatrial_drift_{part}_seconds_{of}") for of in ("count", "sum")]
        for part in ("detection", "remedy")
    }
    assert found == {"detection": [1, 1800], "remedy": [1, 7200]}


def test_what_can_be_counted_is_there_from_the_beginning_so_that_the_first_one_is_an_increase() -> None:
    registry, _ = counted()
    causes = {row.name for row in TRANSITIONS if row.event in {"RolledBack", "RollingBack"}} - {"former is back"}
    assert {fault.name for fault in FAULTS} | {"aborted", "late labels"} == causes
    for cause in causes:
        assert registry.get_sample_value("seatrial_rollbacks_total", {"cause": cause}) == 0
        assert registry.get_sample_value("seatrial_budget_spent_ratio_total", {"cause": cause}) == 0
    for cause in ("promoted", "superseded", "returned", "deployed"):
        assert registry.get_sample_value("seatrial_budget_spent_ratio_total", {"cause": cause}) == 0
    assert registry.get_sample_value("seatrial_rollbacks_total", {"cause": "promoted"}) is None


def test_a_version_that_breaks_late_is_found_in_the_time_since_then() -> None:
    registry, outcomes = counted()
    status = b.on_trial()
    assert status.trial
    late = Restart(Totals(30_000, 10), Totals(270_000, 0), at=b.NOW - 40, bad_at=b.NOW - 8)
    known = replace(b.evidence(total=31_000, bad=30), restarts=(late,), bad_at=b.NOW - 10_000)
    status = replace(status, trial=replace(status.trial, weighted_at=b.NOW - 10_800, evidence=(known,)))
    burning = replace(known, total=31_500, bad=310, verdict=Verdict.Burning)
    outcomes.note(status, b.run(status, b.at_ease(status, evidence=(burning,))), {})
    assert registry.get_sample_value("seatrial_rollback_decision_seconds_sum") == 8


def test_what_a_person_ends_was_not_detected() -> None:
    registry, outcomes = counted()
    status = b.ordered(b.on_trial(), Verb.ABORT)
    outcomes.note(status, b.run(status, b.at_ease(status)), {})
    assert registry.get_sample_value("seatrial_rollbacks_total", {"cause": "aborted"}) == 1
    assert registry.get_sample_value("seatrial_rollback_decision_seconds_count") == 0
