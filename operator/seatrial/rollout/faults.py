"""Guards of the phase table that roll a version back: each gives the sentence that justifies it, or None.

They read only the status and the world, and wait for nothing: no gate, no pause, no window, no check delays them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING

from seatrial.api.commands import Verb
from seatrial.api.fields import format_duration
from seatrial.api.status import UNDERWAY, Phase
from seatrial.judge.pod_events import Exposure, judge_pod_events
from seatrial.judge.types import Verdict
from seatrial.rollout.blame import drifted
from seatrial.rollout.cost import costly
from seatrial.rollout.guards import may_go_on
from seatrial.rollout.labels import mislabelled
from seatrial.rollout.seaworthy import mismatch, model_waits
from seatrial.rollout.steps import current_step, on_trial
from seatrial.rollout.undecided import action_on, past_deadline

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.guards import Guard
    from seatrial.rollout.world import World


def burning(status: ModelDeploymentStatus, world: World) -> str | None:
    """An objective's sequential test has fired, and the objective asks for a rollback then."""
    if world.override:
        return None
    for entry in world.evidence:
        if entry.verdict == Verdict.Burning and action_on(status.trial, entry) == "auto":
            return f"{on_trial(status)} burns its error budget, {entry.key}: {entry.sentence}"
    return None


def crash_loop(status: ModelDeploymentStatus, world: World) -> str | None:
    """Its containers restart over and over: no statistics are needed."""
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    if workload and workload.crash_looping:
        return f"{on_trial(status)} crashes over and over: {workload.crash_looping}"
    return None


def restarting(status: ModelDeploymentStatus, world: World) -> str | None:
    """Since it got weight its containers restart more often than those of stable, though not in a loop."""
    trial = status.trial
    mine = world.workloads.get(status.candidate.hash) if status.candidate else None
    theirs = world.workloads.get(status.stable.hash) if status.stable else None
    if not trial or not mine or not theirs or trial.weighted_at is None or trial.restarts_from is None:
        return None
    age_s = world.now_s - trial.weighted_at
    before = trial.restarts_from
    judgement = judge_pod_events(
        "restarts",
        Exposure(max(0, mine.restarts - before.candidate), age_s * mine.desired),
        Exposure(max(0, theirs.restarts - before.stable), age_s * theirs.desired),
    )
    if judgement.verdict is not Verdict.Burning:
        return None
    return f"{on_trial(status)} restarts more often than stable: {judgement.sentence}"


def unready(status: ModelDeploymentStatus, world: World) -> str | None:
    """It has been without the pods it needs for longer than the deadline."""
    trial = status.trial
    if not trial or trial.unready_since is None or world.now_s - trial.unready_since < trial.plan.ready_deadline:
        return None
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    starting = status.phase is Phase.STARTING
    said = (workload.stuck if workload else None) or (model_waits(status, world) if starting else None)
    why = f": {said}" if said else ""
    deadline = format_duration(trial.plan.ready_deadline)
    return f"{on_trial(status)} has been without the ready pods it needs for {deadline}{why}"


def other_signature(status: ModelDeploymentStatus, world: World) -> str | None:
    """Before it had any weight: its model takes or gives something else than stable's, and the spec says roll back."""
    readiness = status.trial.plan.readiness if status.trial else None
    return mismatch(status, world) if readiness and readiness.signature == "rollback" else None


def undecided(status: ModelDeploymentStatus, world: World) -> str | None:
    """The step stayed undecided past its deadline, and the strategy asks for a rollback then."""
    return past_deadline(status, world, "rollback") if may_go_on(world) else None


def check_failed(status: ModelDeploymentStatus, _: World) -> str | None:
    """A test of the candidate has failed, and the step asks for a rollback then."""
    step, run = current_step(status), status.trial.check if status.trial else None
    if status.phase is not Phase.TRIAL or not step or not step.check or not run or run.state != "Failed":
        return None
    rolls_back = step.check.on_failure == "rollback"
    return f"{on_trial(status)} failed check {run.name}: {run.sentence}" if rolls_back else None


def experiment_lost(status: ModelDeploymentStatus, _: World) -> str | None:
    """The experiment has found the candidate worse than stable."""
    found = status.trial.experiment if status.trial else None
    if status.phase is not Phase.TRIAL or not found or found.verdict != Verdict.Burning:
        return None
    return f"{on_trial(status)} lost its experiment: {found.sentence}"


def aborted(status: ModelDeploymentStatus, _: World) -> str | None:
    """A person wants it rolled back."""
    ordered = status.trial.ordered if status.trial else None
    if not ordered or ordered.verb not in {Verb.ABORT, Verb.ROLLBACK}:
        return None
    return f"{on_trial(status)} is aborted: {ordered.sentence}"


def fault(status: ModelDeploymentStatus, world: World) -> str | None:
    """Anything that the operator rolls a version back for by itself."""
    found = (one.guard(status, world) for one in FAULTS if status.phase in one.phases)
    return next((sentence for sentence in found if sentence), None)


def enforced(guard: Guard) -> Guard:
    """Let a guard act only when verdicts are more than told."""

    @wraps(guard)
    def guarded(status: ModelDeploymentStatus, world: World) -> str | None:
        return None if world.observing else guard(status, world)

    return guarded


@dataclass(frozen=True, slots=True)
class Fault:
    """What the operator rolls a version back for by itself, and the phases in which it does."""

    name: str
    guard: Guard
    phases: frozenset[Phase]


FAULTS = (
    Fault("burning", burning, UNDERWAY),
    Fault("crash loop", crash_loop, UNDERWAY),
    Fault("restarts", restarting, UNDERWAY - {Phase.STARTING}),
    Fault("not ready", unready, UNDERWAY),
    Fault("other signature", other_signature, frozenset({Phase.STARTING})),
    Fault("undecided", undecided, UNDERWAY),
    Fault("check failed", check_failed, frozenset({Phase.TRIAL})),
    Fault("experiment lost", experiment_lost, frozenset({Phase.TRIAL})),
    Fault("drifted", drifted, frozenset({Phase.TRIAL})),
    Fault("labels", mislabelled, UNDERWAY - {Phase.STARTING}),
    Fault("too dear", costly, frozenset({Phase.WATCHING})),
)
"""The most telling reason first: each is a row of the phase table, and what mode observe tells instead."""
