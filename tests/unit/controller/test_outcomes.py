"""How versions fared, counted from the decisions themselves."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry

from seatrial.api.status import Draining
from seatrial.controller.outcomes import Outcomes
from seatrial.judge.types import Verdict
from tests.unit.rollout import builders as b


def counted() -> tuple[CollectorRegistry, Outcomes]:
    registry = CollectorRegistry()
    return registry, Outcomes(registry)


def test_a_rollback_is_counted_with_its_cause_and_the_time_that_it_took_to_decide() -> None:
    registry, outcomes = counted()
    status = b.on_trial()
    assert status.trial
    status = replace(status, trial=replace(status.trial, weighted_at=b.NOW - 12))
    decision = b.run(status, b.at_ease(status, evidence=(b.evidence(Verdict.Burning, bad=300),)))
    outcomes.note(status, decision)
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
        outcomes.note(before, replace(still, status=seen))
    assert registry.get_sample_value("seatrial_weight_zero_seconds_count") == 1
    assert round(registry.get_sample_value("seatrial_weight_zero_seconds_sum") or 0, 3) == 0.4


def test_a_promotion_is_no_rollback_and_an_uneventful_look_is_nothing() -> None:
    registry, outcomes = counted()
    promoted = b.run(b.promoting(), b.at_ease(b.promoting()))
    outcomes.note(b.promoting(), promoted)
    outcomes.note(promoted.status, replace(promoted, move=""))
    assert registry.get_sample_value("seatrial_trials_total", {"outcome": "Promoted"}) == 1
    assert registry.get_sample_value("seatrial_rollback_decision_seconds_count") == 0
