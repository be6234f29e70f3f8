"""What people see: columns, conditions and their sentences, Events, and when the operator looks again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.conditions import Condition
from seatrial.judge.types import Verdict
from seatrial.rollout.world import Refusal, RouteView
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus

TYPES = ["Accepted", "Ready", "Progressing", "TrafficInSync", "SplitAsTold", "MetricsAvailable"]


def route(a: int, c: int, **words: Any) -> dict[str, Any]:
    told = {"accepted": True, "resolved": True} | words
    return {"route": RouteView({b.A.hash: a, b.B.hash: c}, **told)}


def without_pods(version: Any) -> dict[str, Any]:
    return {"workloads": {ref.hash: b.pods(ref, ready=0 if ref == version else b.PODS) for ref in (b.A, b.B)}}


@pytest.mark.parametrize("status", b.EVERY.values(), ids=b.EVERY.keys())
def test_every_condition_is_there_with_a_sentence(status: ModelDeploymentStatus) -> None:
    after = b.run(status, b.at_ease(status)).status
    assert [c.type for c in after.conditions] == TYPES
    assert all(c.message and c.reason.isalnum() and c.reason[0].isupper() for c in after.conditions)
    assert {c.observed_generation for c in after.conditions} == {after.observed_generation} == {4}


@pytest.mark.parametrize(
    ("status", "changes", "kind", "expected", "sentence"),
    [
        (b.stable(), {}, "Accepted", ("True", "Accepted"), "can be used"),
        (b.stable(), {"wish": Refusal("InvalidSpec", "no steps")}, "Accepted", ("False", "InvalidSpec"), "no steps"),
        (b.pending(), {}, "Ready", ("False", "NothingDeployed"), "no version"),
        (b.deploying(), {}, "Ready", ("False", "RouteNotProgrammed"), "has not taken it yet"),
        (b.stable(), {}, "Ready", ("True", "Serving"), "version 1 serves with 2 ready pods"),
        (b.on_trial(), without_pods(b.A), "Ready", ("False", "NoReadyPod"), "version 1 has no ready pod"),
        (
            b.on_trial(),
            route(90, 10, accepted=False, problem="no listener has this host name"),
            "Ready",
            ("False", "RouteNotProgrammed"),
            "no listener has this host name",
        ),
        (b.pending(), {}, "TrafficInSync", ("Unknown", "NoRoute"), "no version is ready"),
        (b.on_trial(), {}, "TrafficInSync", ("True", "InSync"), "has taken the weights"),
        (b.on_trial(), {"route": None}, "TrafficInSync", ("False", "RouteMissing"), "isn't there yet"),
        (b.on_trial(), route(100, 0), "TrafficInSync", ("False", "WeightsDiffer"), "is being brought"),
        (b.on_trial(), route(90, 10, resolved=False), "TrafficInSync", ("False", "NotProgrammed"), "newest route"),
        (b.on_trial(), {"act_problem": "forbidden"}, "TrafficInSync", ("False", "CannotAct"), "forbidden"),
        (b.stable(), {}, "MetricsAvailable", ("Unknown", "NotNeeded"), "nothing is on trial"),
        (b.deploying(), {}, "MetricsAvailable", ("Unknown", "NotNeeded"), "nothing is on trial"),
        (b.on_trial(), {}, "MetricsAvailable", ("True", "Available"), "sees every pod"),
        (b.starting(), {"targets_up": {}}, "MetricsAvailable", ("Unknown", "NotScraped"), "scrapes 0 pods"),
        (
            b.starting(),
            {"targets_up": {}, "unlabelled": {b.B.hash: ("model-b-1", "model-b-2")}},
            "MetricsAvailable",
            ("False", "VersionUnlabelled"),
            "scrapes 2 pods of version",
        ),
        (b.on_trial(), {"targets_up": {b.B.hash: 1}}, "MetricsAvailable", ("False", "NotScraped"), "scrapes 1 pods"),
        (
            b.on_trial(),
            {"metrics_down": b.OUTAGE, "evidence": (b.evidence(Verdict.Unavailable),)},
            "MetricsAvailable",
            ("False", "Unavailable"),
            "the weight is held: Prometheus can't be reached",
        ),
        (
            b.on_trial(),
            {"evidence": (replace(b.evidence(Verdict.Unavailable), sentence="its edges are 0.1, 0.5"),)},
            "MetricsAvailable",
            ("False", "NotCounted"),
            "availability: its edges are 0.1, 0.5",
        ),
    ],
)
def test_conditions(
    status: ModelDeploymentStatus, changes: dict[str, Any], kind: str, expected: tuple[str, str], sentence: str
) -> None:
    decision = b.run(status, b.at_ease(status, **changes))
    assert b.condition(decision, kind) == expected
    assert sentence in b.said(decision, kind)


def test_condition_keeps_its_time_until_its_status_turns() -> None:
    old = tuple(Condition(kind, "True", "Old", "old", b.NOW - 500) for kind in TYPES)
    status = replace(b.on_trial(), conditions=old)
    after = b.run(status, b.at_ease(status, **route(100, 0))).status
    times = {c.type: c.last_transition_time for c in after.conditions}
    assert times["TrafficInSync"] == b.NOW
    assert times["Accepted"] == times["MetricsAvailable"] == b.NOW - 500


@pytest.mark.parametrize(
    ("status", "step", "weight"),
    [
        (b.pending(), "", 0),
        (b.deploying(), "", 0),
        (b.starting(), "0/2", 0),
        (b.on_trial(0), "1/2", 10),
        (b.on_trial(1), "2/2", 50),
        (b.rolled_back(), "", 0),
    ],
)
def test_columns(status: ModelDeploymentStatus, step: str, weight: int) -> None:
    paused = replace(b.at_ease(status), wish=b.wish(b.A if not status.stable else b.B, paused=True))
    after = b.run(status, paused).status
    assert (after.step, after.weight) == (step, weight)


def test_columns_while_all_traffic_moves() -> None:
    after = b.run(b.promoting(), b.at_ease(b.promoting(), **route(50, 50))).status
    assert (after.step, after.weight) == ("2/2", 100)


@pytest.mark.parametrize(
    ("first", "second", "worst"),
    [
        (Verdict.Healthy, Verdict.Inconclusive, "Inconclusive"),
        (Verdict.Environment, Verdict.Inconclusive, "Environment"),
        (Verdict.NoData, Verdict.Environment, "NoData"),
        (Verdict.Unavailable, Verdict.NoData, "Unavailable"),
        (Verdict.Burning, Verdict.Unavailable, "Burning"),
    ],
)
def test_worst_verdict_is_shown(first: Verdict, second: Verdict, worst: str) -> None:
    plan = replace(b.PLAN, objectives=(b.objective(), b.objective("latency")))
    status = b.on_trial()
    assert status.trial
    status = replace(status, trial=replace(status.trial, plan=plan))
    for verdicts in ((first, second), (second, first)):
        evidence = (b.evidence(verdicts[0]), b.evidence(verdicts[1], objective="latency"))
        assert b.run(status, b.at_ease(status, evidence=evidence)).status.verdict == worst


def test_weight_shown_is_the_weight_asked_for() -> None:
    decision = b.run(b.on_trial(), b.at_ease(b.on_trial(), **without_pods(b.B)))
    assert decision.status.weight == b.candidate_weight(decision) == 0


def told(status: ModelDeploymentStatus, **changes: Any) -> list[tuple[str, str]]:
    """Decide twice in the same world: what is told is told once."""
    settled = b.run(status, b.at_ease(status)).status
    world = b.at_ease(settled, **changes)
    decision = b.run(settled, world)
    assert b.run(decision.status, world).notices == () or decision.look_again_s == 0
    return [(notice.type, notice.reason) for notice in decision.notices]


DOWN = {"metrics_down": b.OUTAGE, "evidence": (b.evidence(Verdict.Unavailable),)}


def test_events_of_conditions() -> None:
    early = b.on_trial()
    assert told(early) == []
    assert told(early, **DOWN) == [("Warning", "Unavailable")]
    assert told(early, wish=Refusal("InvalidSLO", "x")) == [("Warning", "InvalidSLO")]
    assert told(early, targets_up={}) == [("Warning", "NotScraped")]


def test_discovery_takes_seconds_and_that_is_no_warning() -> None:
    assert b.run(b.starting(), b.at_ease(b.starting(), targets_up={})).notices == ()


def test_a_candidate_that_prometheus_does_not_see_for_long_is_a_warning() -> None:
    status = b.starting()
    assert status.trial
    since = b.NOW - status.trial.plan.ready_deadline
    late = replace(status, trial=replace(status.trial, started_at=since))
    decision = b.run(late, b.at_ease(late, targets_up={}))
    assert b.reasons(decision) == ["NotScraped"]
    assert b.condition(decision, "Progressing") == ("False", "WaitingForMetrics")


def test_event_says_when_it_is_over() -> None:
    down = b.run(b.on_trial(), b.at_ease(b.on_trial(), **DOWN)).status
    notices = b.run(down, b.at_ease(down)).notices
    assert [(notice.type, notice.reason) for notice in notices] == [("Normal", "Available")]


@pytest.mark.parametrize("status", b.UNDERWAY.values(), ids=b.UNDERWAY.keys())
def test_versions_underway_are_looked_at(status: ModelDeploymentStatus) -> None:
    held = b.at_ease(status, wish=b.wish(paused=True))
    assert b.run(status, held).look_again_s == b.LOOK_S


@pytest.mark.parametrize(
    ("status", "look_s"),
    [
        (b.pending(), None),
        (b.stable(), None),
        (b.rolled_back(), None),
        (b.stable(b.C, since=b.NOW - 10), 20.0),  # of 30 s
        (b.stable(b.C, since=b.NOW - 30), 1.0),  # its pods are going
        (b.deploying(), 1.0),
    ],
)
def test_rest_costs_nothing(status: ModelDeploymentStatus, look_s: float | None) -> None:
    wish = b.wish(b.A if not status.stable else b.B, paused=True)
    assert b.run(status, b.at_ease(status, wish=wish)).look_again_s == look_s


BURNING = (b.evidence(Verdict.Burning, bad=300),)


@pytest.mark.parametrize(
    ("status", "changes", "urgent"),
    [
        (b.on_trial(), {"evidence": BURNING}, True),
        (b.promoting(), {"evidence": BURNING}, True),
        (b.starting(), {"workloads": {b.B.hash: b.pods(b.B, crash_looping="x")}}, False),  # it has no weight yet
        (b.on_trial(), {"wish": b.wish(b.C)}, False),
        (b.promoting(), {}, False),
        (b.rolled_back(b.B), route(90, 10), True),  # recorded, but the operator died before it acted
        (b.rolled_back(b.B), route(100, 0), False),
        (b.rolled_back(b.B), {"route": None}, False),
    ],
)
def test_only_rescues_are_urgent(status: ModelDeploymentStatus, changes: dict[str, Any], urgent: bool) -> None:
    assert b.run(status, b.at_ease(status, **changes)).urgent is urgent
