"""What holds a rollout where it is: no weight moves, and people are told why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.trial import VersionRef
from seatrial.judge.types import Verdict
from seatrial.rollout.guards import MAX_DRAINING
from seatrial.rollout.world import Refusal, RouteView
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus

REFUSAL = Refusal("SLOMissing", "ModelSLO scorer doesn't exist: apply it")
OVER = b.STEPS[0].lasts_s


@dataclass(frozen=True)
class Hold:
    """A state in which a move would be due but for the changes, and what Progressing says then."""

    status: ModelDeploymentStatus
    reason: str
    sentence: str
    changes: dict[str, Any] = field(default_factory=dict)
    value: str = "False"


def ripe(step: int = 0) -> ModelDeploymentStatus:
    return b.on_trial(step, b.STEPS[step].lasts_s)


def judged(verdict: Verdict) -> dict[str, Any]:
    down = {"metrics_down": b.OUTAGE} if verdict is Verdict.Unavailable else {}
    return {"evidence": (b.evidence(verdict),), **down}


def with_pods(**pods: Any) -> dict[str, Any]:
    return {"workloads": {b.A.hash: b.pods(b.A), b.B.hash: b.pods(b.B, **pods)}}


def routed(a: int, c: int, *, accepted: bool = True, resolved: bool = True) -> dict[str, Any]:
    return {"route": RouteView({b.A.hash: a, b.B.hash: c}, accepted=accepted, resolved=resolved)}


CROWD = tuple(VersionRef(f"{number:010}", str(number)) for number in range(MAX_DRAINING))

HOLDS = {
    "pending, paused": Hold(b.pending(), "Paused", "nothing has been deployed yet", {"wish": b.wish(b.A, paused=True)}),
    "pending, refused": Hold(b.pending(), "SLOMissing", "doesn't exist: apply it", {"wish": REFUSAL}),
    "deploying, paused": Hold(b.deploying(), "Paused", "is ready and waits", {"wish": b.wish(b.A, paused=True)}),
    "deploying, refused": Hold(b.deploying(), "SLOMissing", "nothing moves on", {"wish": REFUSAL}),
    "deploying, not all pods": Hold(
        b.deploying(),
        "WaitingForPods",
        "1 of 2 pods are ready",
        {"workloads": {b.A.hash: b.pods(b.A, ready=1)}},
        "True",
    ),
    "stable, nothing new": Hold(b.stable(), "Complete", "version 1 serves all requests", {"wish": b.wish(b.A)}),
    "stable, paused": Hold(b.stable(), "Paused", "version 2 waits: paused", {"wish": b.wish(paused=True)}),
    "stable, refused": Hold(b.stable(), "SLOMissing", "nothing moves on", {"wish": REFUSAL}),
    "stable, quarantined": Hold(
        b.stable(quarantined=(b.B.hash,)), "RolledBack", "it was rolled back", {"wish": b.wish(b.B)}
    ),
    "stable, too many drain": Hold(b.stable(*CROWD), "Waiting", "version 2 is next", {"wish": b.wish(b.B)}),
    "rolled back, same wish": Hold(b.rolled_back(), "RolledBack", "serves all requests", {"wish": b.wish(b.B)}),
    "rolled back, paused": Hold(b.rolled_back(), "Paused", "version 3 waits", {"wish": b.wish(b.C, paused=True)}),
    "starting, paused": Hold(b.starting(), "Paused", "is ready and waits", {"wish": b.wish(paused=True)}),
    "starting, refused": Hold(b.starting(), "SLOMissing", "nothing moves on", {"wish": REFUSAL}),
    "starting, no pods yet": Hold(
        b.starting(), "WaitingForPods", "pods are being created", {"workloads": {b.A.hash: b.pods(b.A)}}, "True"
    ),
    "starting, one pod short": Hold(
        b.starting(), "WaitingForPods", "1 of 2 pods are ready", with_pods(ready=1), "True"
    ),
    "starting, not warm": Hold(b.starting(), "WaitingForPods", "2 of 2", with_pods(ready=2, available=1), "True"),
    "starting, stuck": Hold(
        b.starting(), "WaitingForPods", "no node has a GPU", with_pods(ready=0, stuck="no node has a GPU"), "True"
    ),
    "starting, going": Hold(b.starting(), "WaitingForPods", "", with_pods(terminating=True), "True"),
    "starting, metrics down": Hold(
        b.starting(), "WaitingForMetrics", "once Prometheus sees", {"metrics_down": b.OUTAGE}, "True"
    ),
    "starting, not scraped": Hold(
        b.starting(), "WaitingForMetrics", "once Prometheus sees", {"targets_up": {b.B.hash: 1}}, "True"
    ),
    "starting, no route": Hold(b.starting(), "WaitingForRoute", "once the gateway knows it", {"route": None}, "True"),
    "starting, backend not in the route": Hold(
        b.starting(),
        "WaitingForRoute",
        "once the gateway knows it",
        {"route": RouteView({b.A.hash: 100}, accepted=True, resolved=True)},
        "True",
    ),
    "starting, route not taken": Hold(
        b.starting(), "WaitingForRoute", "once the gateway knows it", routed(100, 0, accepted=False), "True"
    ),
    "starting, backend unknown": Hold(
        b.starting(), "WaitingForRoute", "once the gateway knows it", routed(100, 0, resolved=False), "True"
    ),
    "trial, too early": Hold(b.on_trial(0, OVER - 0.001), "Judging", "step 1 of 2, gets 10 %", {}, "True"),
    "trial, NoData": Hold(ripe(), "NoData", "held: scorer/availability", judged(Verdict.NoData)),
    "trial, Unavailable": Hold(ripe(), "Unavailable", "held: scorer/availability", judged(Verdict.Unavailable)),
    "trial, Inconclusive": Hold(ripe(), "Inconclusive", "held: scorer/availability", judged(Verdict.Inconclusive)),
    "trial, Environment": Hold(ripe(), "Environment", "held: scorer/availability", judged(Verdict.Environment)),
    "trial, nothing measured": Hold(
        replace(ripe(), trial=replace(ripe().trial, evidence=())),  # type: ignore[type-var] # a trial has one
        "Judging",
        "nothing was measured yet",
        {"evidence": ()},
        "True",
    ),
    "trial, paused": Hold(ripe(), "Paused", "it is judged all the same", {"wish": b.wish(paused=True)}),
    "trial, refused": Hold(ripe(), "SLOMissing", "nothing moves on", {"wish": REFUSAL}),
    "trial, other weights": Hold(ripe(), "WaitingForRoute", "gateway is taking the weight", routed(100, 0), "True"),
    "trial, route not taken": Hold(
        ripe(), "WaitingForRoute", "gateway is taking the weight", routed(90, 10, accepted=False), "True"
    ),
    "trial, somebody else has a share": Hold(
        ripe(),
        "WaitingForRoute",
        "gateway is taking the weight",
        {"route": RouteView({b.A.hash: 40, b.B.hash: 10, b.C.hash: 50}, accepted=True, resolved=True)},
        "True",
    ),
    "trial, no route": Hold(ripe(), "WaitingForRoute", "gateway is taking the weight", {"route": None}, "True"),
    "trial, no ready pod": Hold(ripe(), "NoReadyPod", "gets no traffic until it has", with_pods(ready=0)),
    "last step, Inconclusive": Hold(ripe(1), "Inconclusive", "step 2 of 2, gets 50 %", judged(Verdict.Inconclusive)),
    "promoting, paused": Hold(b.promoting(), "Paused", "not promoted yet", {"wish": b.wish(paused=True)}),
    "promoting, refused": Hold(b.promoting(), "SLOMissing", "nothing moves on", {"wish": REFUSAL}),
    "promoting, route not taken": Hold(
        b.promoting(), "Promoting", "takes over all requests", routed(0, 100, accepted=False), "True"
    ),
    "promoting, not all traffic": Hold(b.promoting(), "Promoting", "takes over all requests", routed(50, 50), "True"),
    "promoting, no ready pod": Hold(b.promoting(), "Promoting", "takes over", with_pods(ready=0), "True"),
}


@pytest.mark.parametrize("hold", HOLDS.values(), ids=HOLDS.keys())
def test_held(hold: Hold) -> None:
    world = b.at_ease(hold.status, **hold.changes)
    decision = b.run(hold.status, world)
    assert decision.status.phase is hold.status.phase
    assert decision.status.history == ()
    assert b.condition(decision, "Progressing") == (hold.value, hold.reason)
    assert hold.sentence in b.said(decision, "Progressing")
    assert decision.status.summary == b.said(decision, "Progressing")
    assert not decision.urgent
    if hold.status.trial and decision.status.trial:
        assert decision.status.trial.step_index == hold.status.trial.step_index


@pytest.mark.parametrize("verdict", [v for v in Verdict if v not in {Verdict.Healthy, Verdict.Burning}])
@pytest.mark.parametrize("step", [0, 1])
def test_only_healthy_goes_on_however_long_it_takes(verdict: Verdict, step: int) -> None:
    status = b.on_trial(step, 800.0)
    decision = b.run(status, b.at_ease(status, **judged(verdict)))
    assert b.candidate_weight(decision) == b.STEPS[step].weight
    assert decision.look_again_s == b.LOOK_S


def test_one_objective_that_is_not_healthy_holds_all() -> None:
    plan = replace(b.PLAN, objectives=(b.objective(), b.objective("latency")))
    status = ripe()
    assert status.trial
    status = replace(status, trial=replace(status.trial, plan=plan))
    doubt = b.evidence(Verdict.Inconclusive, objective="latency")
    decision = b.run(status, b.at_ease(status, evidence=(b.evidence(), doubt)))
    assert b.condition(decision, "Progressing") == ("False", "Inconclusive")
    assert decision.status.verdict == "Inconclusive"
    assert "scorer/latency" in decision.status.summary


@pytest.mark.parametrize("status", b.UNDERWAY.values(), ids=b.UNDERWAY.keys())
@pytest.mark.parametrize("wish", [b.wish(paused=True), REFUSAL, b.wish(b.C)], ids=["paused", "refused", "superseded"])
@pytest.mark.parametrize("route", ["as wanted", None])
def test_nothing_delays_a_rollback(status: ModelDeploymentStatus, wish: Any, route: Any) -> None:
    """No pause, no bad spec, no newer wish, no missing route, no outage that began after the counts."""
    evidence = (b.evidence(Verdict.Burning, bad=900),) if b.at_ease(status).evidence else ()
    crash = with_pods(crash_looping="container model") if not evidence else {}
    changes = {"wish": wish, "evidence": evidence, **crash} | ({} if route else {"route": None})
    decision = b.run(status, b.at_ease(status, **changes))
    assert b.reasons(decision)[0] == "RolledBack"
    assert b.candidate_weight(decision) == 0
    assert decision.target.weights[b.A.hash] == 100
    assert b.B.hash in decision.status.quarantined


@pytest.mark.parametrize("ready", [0, 1])
def test_a_rollback_does_not_wait_for_stable_to_be_whole(ready: int) -> None:
    short = {b.A.hash: b.pods(b.A, ready=ready), b.B.hash: b.pods(b.B)}
    decision = b.run(b.on_trial(), b.at_ease(b.on_trial(), workloads=short, evidence=(b.evidence(Verdict.Burning),)))
    assert b.reasons(decision)[0] == "RolledBack"
    assert decision.target.weights == {b.A.hash: 100, b.B.hash: 0}


def test_a_pause_holds_steps_and_neither_scale_nor_repair() -> None:
    paused = b.at_ease(ripe(), wish=b.wish(paused=True, replicas=5), **routed(30, 70))
    decision = b.run(ripe(), paused)
    assert decision.target.replicas == {b.A.hash: 5, b.B.hash: 5}
    assert decision.target.weights == {b.A.hash: 90, b.B.hash: 10}


def test_pause_does_not_reset_the_step() -> None:
    paused = b.run(b.on_trial(0, 10.0), b.at_ease(b.on_trial(), wish=b.wish(paused=True))).status
    later = replace(b.at_ease(b.on_trial()), now_s=b.NOW + OVER)
    assert b.reasons(b.run(paused, later)) == ["StepStarted"]
