"""Small statuses and worlds to decide on: each world is at ease with its status until a test says what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seatrial.api.aftermath import LabelWatch
from seatrial.api.capacity import OpenInference, Readiness
from seatrial.api.cost import Cost, CostStatus
from seatrial.api.drift import DriftStatus
from seatrial.api.keeping import Keep, Watch
from seatrial.api.labels import LabelStatus
from seatrial.api.sights import Restarts
from seatrial.api.status import (
    DEPLOYMENT_STATUS,
    Draining,
    HistoryEntry,
    Kept,
    ModelDeploymentStatus,
    Outcome,
    Phase,
    dump,
)
from seatrial.api.strategy import Check, Experiment, Gate, Match, Step
from seatrial.api.trial import CheckRun, Order, Trial, VersionRef
from seatrial.judge.types import Verdict
from seatrial.metrics.types import Checkpoint, Measurements, Reading
from seatrial.rollout.evidence import weigh
from seatrial.rollout.machine import decide
from seatrial.rollout.target import target
from seatrial.rollout.wish import wish_of
from seatrial.rollout.world import RouteView, Wish, Workload, World
from tests.unit.rollout.consistency import check, check_target

if TYPE_CHECKING:
    from seatrial.api.commands import Verb
    from seatrial.api.trial import ObjectiveEvidence, Plan, PlannedObjective
    from seatrial.rollout.decision import Decision, Division

NOW = 1_795_000_000.0
LOOK_S = 5.0
PODS = 2
A, B, C = (VersionRef(letter * 10, label) for letter, label in (("a", "1"), ("b", "2"), ("c", "3")))
OUTAGE = "Prometheus can't be reached"
EVERYTHING = 100


SPEC: dict[str, Any] = {
    "model": {"name": "scorer", "version": "1"},
    "replicas": PODS,
    "template": {"spec": {"containers": [{"name": "model", "image": "example/scorer:1"}]}},
    "port": 8080,
    "traffic": {"gateway": {"parentRefs": [{"name": "public"}], "hostnames": ["scorer.example.com"]}},
    "slos": [{"name": "scorer"}],
    "strategy": {"steps": [{"weight": 10, "for": "1m"}, {"weight": 50, "for": "2m", "minRequests": 500}]},
}
SLI = {"template": "http-availability", "server": "mlserver"}
SLO: dict[str, Any] = {
    "objectives": [{"name": "availability", "target": "99", "sli": SLI}],
    "drift": {"features": {}},
    "labels": {"brier": "0.2", "action": "rollback"},
}


def plan_of(spec: dict[str, Any], **slos: dict[str, Any]) -> Plan:
    """Make the plan that a manifest asks for."""
    found = wish_of(spec, slos, lambda _: None)
    assert isinstance(found, Wish), found
    return found.plan


PLAN = plan_of(SPEC, scorer=SLO)
STEPS = PLAN.steps


def objective(name: str = "availability") -> PlannedObjective:
    planned = PLAN.objectives[0]
    return replace(planned, objective=planned.objective.model_copy(update={"name": name}))


def evidence(verdict: Verdict = Verdict.Healthy, total: int = 1000, bad: int = 0, **changes: Any) -> ObjectiveEvidence:
    trial = Trial(B, NOW - 1000, PLAN, NOW - 900)
    readings = {
        (B.hash, PLAN.objectives[0].key): Reading(total, bad, NOW - 1, Checkpoint(NOW - 20, total, bad)),
        (A.hash, PLAN.objectives[0].key): Reading(9 * total, 0, NOW - 1, Checkpoint(NOW - 20, 9 * total, 0)),
    }
    known = weigh(trial, B.hash, A.hash, Measurements(NOW, None, readings, {}), fresh_s=10.0)[0]
    said = {"verdict": verdict.value, "sentence": f"{bad} of {total} requests were bad."}
    return replace(known, **(said | changes))


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


def stable(
    *draining: VersionRef, since: float | None = NOW - 10, quarantined: tuple[str, ...] = ()
) -> ModelDeploymentStatus:
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
    trial = Trial(B, NOW - 1000, PLAN, NOW - 900, step, since, restarts_from=Restarts(0, 0), evidence=(evidence(),))
    return ModelDeploymentStatus(phase=Phase.TRIAL, stable=A, candidate=B, trial=trial)


def promoting() -> ModelDeploymentStatus:
    return replace(on_trial(len(STEPS) - 1, 200.0), phase=Phase.PROMOTING)


WATCH = Watch(for_=600.0)
KEEP = Keep(versions=2, for_=86400.0)


def watched(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Let the strategy ask for a watch."""
    assert status.trial
    return replace(status, trial=replace(status.trial, plan=replace(status.trial.plan, watch=WATCH)))


def watching(held_s: float = 60.0) -> ModelDeploymentStatus:
    """Make the status of a version that has had all requests for ``held_s`` seconds and is watched."""
    return watched(replace(on_trial(len(STEPS) - 1, held_s), phase=Phase.WATCHING))


def late_trial() -> Trial:
    """Make the trial of B, over by now, with an objective that is judged by labels."""
    accuracy = objective("accuracy")
    sli = accuracy.objective.sli.model_copy(update={"template": "label-accuracy", "server": None})
    accuracy = replace(accuracy, objective=accuracy.objective.model_copy(update={"sli": sli}))
    plan = replace(PLAN, objectives=(objective(), accuracy), watch=Watch(for_=600.0, labels=86400.0))
    return Trial(B, NOW - 9000, plan, NOW - 8000, 1, NOW - 7000, ready_in=20.0)


def late() -> ModelDeploymentStatus:
    """Make the status of a stable B whose late labels are watched, with A kept without pods to be returned to."""
    trial = late_trial()
    return ModelDeploymentStatus(
        phase=Phase.STABLE,
        stable=B,
        trial=trial,
        kept=(Kept(A.hash, A.label, NOW - 6000),),
        history=(
            HistoryEntry(B.hash, B.label, Outcome.PROMOTED, NOW - 9000, NOW - 6400, "it was good", 20.0),
            HistoryEntry(A.hash, A.label, Outcome.DEPLOYED, NOW - 99000, NOW - 98000, "the first one", 43.0),
        ),
        label_watch=LabelWatch(A, NOW - 6400, NOW - 7000 + 86400, trial),
    )


def coming_back() -> ModelDeploymentStatus:
    """Make the status of a former version, B, which has all requests again, since labels found A at fault."""
    status = promoting()
    assert status.trial
    trial = replace(status.trial, ready_in=43.0, returning=True, fault="version 1 was often wrong")
    return replace(status, trial=trial, quarantined=(A.hash,))


COLD = {A.hash: pods(A, ready=0, desired=0), B.hash: pods(B)}
"""The pods of B, and none of A."""


def too_dear(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Let the predictions of the version on trial have cost more than they may."""
    assert status.trial
    cap = Cost.model_validate(
        {"objective": "availability", "perThousand": "0.5", "bad": 2, "of": 3, "action": "rollback"}
    )
    cost = CostStatus(NOW, 0, "xox", "2 of the last 3 slices were above the cap")
    return replace(status, trial=replace(status.trial, plan=replace(status.trial.plan, cost=cap), cost=cost))


def waited(status: ModelDeploymentStatus, since_s: float, *entries: ObjectiveEvidence) -> ModelDeploymentStatus:
    """Let objectives have had the verdicts that they have since then."""
    assert status.trial
    since = tuple(replace(entry, undecided_since=since_s) for entry in entries)
    return replace(status, trial=replace(status.trial, evidence=since))


def at_step(step: Step, held_s: float = 10.0, **known: Any) -> ModelDeploymentStatus:
    """Make the status of a trial that stands at a step between the others."""
    status = on_trial(1, held_s)
    assert status.trial
    plan = replace(PLAN, steps=(STEPS[0], step, STEPS[1]))
    return replace(status, trial=replace(status.trial, plan=plan, **known))


def ordered(status: ModelDeploymentStatus, verb: Verb) -> ModelDeploymentStatus:
    """Let a command wait to be carried out."""
    assert status.trial
    return replace(status, trial=replace(status.trial, ordered=Order(verb, "ann asked for it")))


def asked(status: ModelDeploymentStatus, **changes: Any) -> ModelDeploymentStatus:
    """Let the spec ask the model whether it is ready."""
    assert status.trial
    readiness = Readiness(open_inference=OpenInference(model="scorer"), **changes)
    return replace(status, trial=replace(status.trial, plan=replace(status.trial.plan, readiness=readiness)))


GATE = Step(gate=Gate(name="review"))
CHECK = Step(check=Check(name="golden", job="golden"))
EXPERIMENT = Step(experiment=Experiment(match=Match(header="x-group", value="b"), objective="scorer/availability"))
FAILED = CheckRun("golden", "Failed", "12 of 100 answers differ")


MISLABELLED = LabelStatus(
    at=NOW - 20, version=B.hash, verdict="Burning", sentence="brier: 0.4", acts="watch", action="rollback"
)
DRIFTED = DriftStatus(
    at=NOW - 20, version=B.hash, cause="FeaturesApart", remedy="rollback", sentence="age: psi 0.6", confirmed=True
)


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
    "watching": watching(),
    "at a gate": at_step(GATE),
    "at a check": at_step(CHECK),
    "in an experiment": at_step(EXPERIMENT),
}
"""A status for each stage in which there is both a stable version and a candidate."""

RESTING = {
    "pending": pending(),
    "deploying": deploying(),
    "stable": stable(),
    "rolled back": rolled_back(),
    "labels watched": late(),
}
EVERY = RESTING | UNDERWAY


def at_ease(status: ModelDeploymentStatus, **changes: Any) -> World:
    """Make the world in which everything is as the status wants it, with some changes."""
    there = [ref for ref in (status.stable, status.candidate) if ref]
    gone = [VersionRef(entry.hash, entry.label) for entry in status.draining]
    cold = {entry.hash: pods(VersionRef(entry.hash, entry.label), ready=0, desired=0) for entry in status.kept}
    measured = status.phase in {Phase.TRIAL, Phase.PROMOTING, Phase.WATCHING}
    world = World(
        now_s=NOW,
        generation=4,
        wish=wish(there[-1] if there else A),
        workloads={ref.hash: pods(ref) for ref in (*there, *gone)} | cold,
        evidence=(evidence(),) if measured else (),
        targets_up={ref.hash: PODS for ref in there},
    )
    route = in_force(target(status, world).division)
    return replace(world, **({"route": route} | changes))


def in_force(division: Division) -> RouteView | None:
    """Make the route that carries a division, taken by its gateway."""
    if not division.weights:
        return None
    extras = {part: getattr(division, part) for part in ("mirror", "group", "sticky", "preview", "fallback")}
    idle = division.fallback is not None and division.fallback.active
    return RouteView(
        dict.fromkeys(division.weights, 0) if idle else division.weights, accepted=True, resolved=True, **extras
    )


def run(status: ModelDeploymentStatus, world: World) -> Decision:
    """Decide on a possible world only, and take no answer that leads to an impossible one, or that can't be written."""
    check(status, world)
    decision = decide(status, world, look_s=LOOK_S)
    json.dumps(dump(DEPLOYMENT_STATUS, decision.status), allow_nan=False)
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
