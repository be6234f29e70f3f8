"""Small statuses and worlds to decide on: each world is at ease with its status until a test says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from seatrial.api import model_slo
from seatrial.api.model_deployment import Step, Undecided
from seatrial.api.status import (
    Draining,
    ModelDeploymentStatus,
    ObjectiveEvidence,
    Phase,
    Plan,
    PlannedObjective,
    Settled,
    Totals,
    Trial,
    VersionRef,
)
from seatrial.judge.types import Verdict
from seatrial.rollout.machine import decide
from seatrial.rollout.target import target
from seatrial.rollout.world import RouteView, Wish, Workload, World
from tests.unit.rollout.consistency import check, check_target

if TYPE_CHECKING:
    from seatrial.rollout.decision import Decision

NOW = 1_795_000_000.0
LOOK_S = 5.0
PODS = 2
A, B, C = (VersionRef(letter * 10, label) for letter, label in (("a", "1"), ("b", "2"), ("c", "3")))
STEPS = (Step(weight=10, for_=60.0), Step(weight=50, for_=120.0, min_requests=500))
OUTAGE = "Prometheus can't be reached"
EVERYTHING = 100


def objective(name: str = "availability", burn_rate: str = "2") -> PlannedObjective:
    return PlannedObjective(
        slo="scorer",
        objective=model_slo.Objective(
            name=name, target=Decimal(99), sli=model_slo.Sli(template="http-availability", server="mlserver")
        ),
        rollback=model_slo.Rollback(burn_rate=Decimal(burn_rate)),
    )


PLAN = Plan(
    steps=STEPS,
    warm_up=10.0,
    ready_deadline=600.0,
    drain=30.0,
    strict=False,
    undecided=Undecided(),
    objectives=(objective(),),
)


def evidence(verdict: Verdict = Verdict.Healthy, total: int = 1000, bad: int = 0, **changes: Any) -> ObjectiveEvidence:
    known = ObjectiveEvidence(
        slo="scorer",
        objective="availability",
        total=total,
        bad=bad,
        burn_rate=0.0,
        e_value=0.5,
        threshold=100.0,
        verdict=verdict.value,
        sentence=f"{bad} of {total} requests were bad.",
        step_total=0,
        stable=Totals(9 * total, 0),
        candidate_settled=Settled(NOW - 20, total, bad),
        stable_settled=Settled(NOW - 20, 9 * total, 0),
    )
    return replace(known, **changes)


def wish(version: VersionRef = B, *, paused: bool = False, replicas: int = PODS, plan: Plan = PLAN) -> Wish:
    return Wish(version=version.hash, label=version.label, replicas=replicas, paused=paused, plan=plan)


def pods(
    version: VersionRef, ready: int = PODS, desired: int = PODS, available: int | None = None, **why: Any
) -> Workload:
    return Workload(version.hash, desired, ready, ready if available is None else available, **why)


def pending() -> ModelDeploymentStatus:
    return ModelDeploymentStatus()


def deploying() -> ModelDeploymentStatus:
    return ModelDeploymentStatus(phase=Phase.DEPLOYING, candidate=A, trial=Trial(A, NOW - 30, PLAN))


def stable(*draining: VersionRef, since: float = NOW - 10, quarantined: tuple[str, ...] = ()) -> ModelDeploymentStatus:
    return ModelDeploymentStatus(
        phase=Phase.STABLE,
        stable=A,
        draining=tuple(Draining(version.hash, version.label, since) for version in draining),
        quarantined=quarantined,
    )


def starting() -> ModelDeploymentStatus:
    return ModelDeploymentStatus(phase=Phase.STARTING, stable=A, candidate=B, trial=Trial(B, NOW - 30, PLAN))


def on_trial(step: int = 0, held_s: float | None = 10.0) -> ModelDeploymentStatus:
    """Make the status of a trial whose step has lasted ``held_s`` seconds; None: the route hasn't been seen yet."""
    since = None if held_s is None else NOW - held_s
    trial = Trial(B, NOW - 1000, PLAN, NOW - 900, step, step_since=since, evidence=(evidence(),))
    return ModelDeploymentStatus(phase=Phase.TRIAL, stable=A, candidate=B, trial=trial)


def promoting() -> ModelDeploymentStatus:
    return replace(on_trial(len(STEPS) - 1, 200.0), phase=Phase.PROMOTING)


def rolled_back(*draining: VersionRef, since: float = NOW - 10) -> ModelDeploymentStatus:
    """Make the status after the rollback of B."""
    entries = tuple(Draining(version.hash, version.label, since) for version in draining)
    return replace(on_trial(), phase=Phase.ROLLED_BACK, candidate=None, draining=entries, quarantined=(B.hash,))


UNDERWAY = {
    "starting": starting(),
    "first step": on_trial(0),
    "first step, route not seen": on_trial(0, None),
    "last step": on_trial(1),
    "promoting": promoting(),
}
"""A status for each stage in which there is both a stable version and a candidate."""

RESTING = {
    "pending": pending(),
    "deploying": deploying(),
    "stable": stable(),
    "rolled back": rolled_back(),
}
EVERY = RESTING | UNDERWAY


def at_ease(status: ModelDeploymentStatus, **changes: Any) -> World:
    """Make the world in which everything is as the status wants it, with some changes."""
    there = [ref for ref in (status.stable, status.candidate) if ref]
    gone = [VersionRef(entry.hash, entry.label) for entry in status.draining]
    measured = status.phase in {Phase.TRIAL, Phase.PROMOTING}
    world = World(
        now_s=NOW,
        generation=4,
        wish=wish(there[-1] if there else A),
        workloads={ref.hash: pods(ref) for ref in (*there, *gone)},
        evidence=(evidence(),) if measured else (),
        targets_up={ref.hash: PODS for ref in there},
    )
    weights = target(status, world, PLAN.drain).weights
    route = RouteView(weights, accepted=True, resolved=True) if weights else None
    return replace(world, **({"route": route} | changes))


def run(status: ModelDeploymentStatus, world: World) -> Decision:
    """Decide on a possible world only, and take no answer that leads to an impossible one."""
    check(status, world)
    decision = decide(status, world, look_s=LOOK_S)
    check(decision.status, replace(world, evidence=()))
    check_target(decision, world)
    return decision


def candidate_weight(decision: Decision, version: VersionRef = B) -> int:
    return decision.target.weights.get(version.hash, 0)


def reasons(decision: Decision) -> list[str]:
    return [notice.reason for notice in decision.notices]


def condition(decision: Decision, kind: str) -> tuple[str, str]:
    """Return status and reason of a condition."""
    found = next(c for c in decision.status.conditions if c.type == kind)
    return found.status, found.reason


def said(decision: Decision, kind: str) -> str:
    """Return the sentence of a condition."""
    return next(c.message for c in decision.status.conditions if c.type == kind)
