"""What goes on, in one plain sentence: the condition Progressing, phase by phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.fields import format_duration, format_time
from seatrial.api.status import Phase
from seatrial.rollout import guards, seaworthy
from seatrial.rollout.aftermath import watched_labels
from seatrial.rollout.blame import held_by_drift
from seatrial.rollout.steps import current_step, described
from seatrial.rollout.target import intended_weight
from seatrial.rollout.undecided import blocking, worst_of
from seatrial.rollout.world import Refusal

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ExperimentResult, ObjectiveEvidence, Trial
    from seatrial.rollout.world import World

    Found = tuple[str, str, str]
    """Status, reason and message of a condition."""


def progress(status: ModelDeploymentStatus, world: World, worst: ObjectiveEvidence | None) -> Found:
    """Say what goes on: status, reason and message of the condition Progressing.

    Parameters
    ----------
    status, world
        What is remembered and what was seen.
    worst
        The objective that says most against the version on trial.
    """
    if status.trial and status.trial.fault and status.candidate and status.stable:
        return _rolling_back(status, world, status.trial)
    if isinstance(world.wish, Refusal):
        return "False", world.wish.reason, f"nothing moves on: {world.wish.sentence}"
    match status.phase:
        case Phase.PENDING:
            waits = "nothing has been deployed yet"
            return ("False", "Paused", f"{waits}: paused") if world.wish.paused else ("False", "Pending", waits)
        case Phase.DEPLOYING | Phase.STARTING:
            return _starting(status, world)
        case Phase.TRIAL:
            return _on_trial(status, world, worst)
        case Phase.PROMOTING:
            return _promoting(status.candidate.label if status.candidate else "", paused=world.wish.paused)
        case Phase.WATCHING:
            return _watching(status, worst)
        case Phase.STABLE | Phase.ROLLED_BACK:
            return _at_rest(status, world)


def _rolling_back(status: ModelDeploymentStatus, world: World, trial: Trial) -> Found:
    """Say how far a former version is that has to be started before it gets all requests back."""
    workload = world.workloads.get(trial.version.hash)
    pods = f"{workload.ready} of {workload.desired} pods are ready" if workload else "its pods are being created"
    if workload and (why := workload.crash_looping or workload.stuck):
        pods += f": {why}"
    serves = f"version {status.stable.label} serves meanwhile" if status.stable else ""
    return "True", "RollingBack", f"version {trial.version.label} is started again, {pods}; {serves}. {trial.fault}"


def _starting(status: ModelDeploymentStatus, world: World) -> Found:
    if not status.candidate or not status.trial or isinstance(world.wish, Refusal):
        return "False", "Pending", "no version is wished for"
    label = status.candidate.label
    workload = world.workloads.get(status.candidate.hash)
    if not seaworthy.all_available(status, world):
        ready = f"{workload.ready} of {workload.desired} pods are ready" if workload else "its pods are being created"
        late = status.trial.unready_since is not None and (
            world.now_s - status.trial.unready_since >= status.trial.plan.ready_deadline
        )
        why = (workload.crash_looping or workload.stuck) if workload else None
        reason = "DeadlineExceeded" if late else "WaitingForPods"
        return "False" if late else "True", reason, f"version {label}: {ready}" + (f": {why}" if why else "")
    if waits := seaworthy.model_waits(status, world):
        return "True", "WaitingForModel", waits
    if differs := seaworthy.mismatch(status, world):
        return "False", "SignatureDiffers", f"{differs}; it gets no weight"
    if world.wish.paused:
        return "False", "Paused", f"version {label} is ready and waits: the rollout is paused"
    if world.metrics_down or not seaworthy.seen(status, world):
        waits = f"version {label} is ready and gets weight once Prometheus sees all its pods"
        return "False" if seaworthy.late(status, world) else "True", "WaitingForMetrics", waits
    return "True", "WaitingForRoute", f"version {label} is ready and gets weight once the gateway knows it"


def _on_trial(status: ModelDeploymentStatus, world: World, worst: ObjectiveEvidence | None) -> Found:
    trial, candidate = status.trial, status.candidate
    if not trial or not candidate or isinstance(world.wish, Refusal):
        return "False", "Pending", "no version is wished for"
    step = trial.plan.steps[trial.step_index]
    where = _where(status, world, trial, candidate.label)
    frozen = "" if world.wish.plan == trial.plan else " (this trial keeps the steps and objectives it began with)"
    if short := _short_of_pods(status, world, where, frozen):
        return short
    if world.wish.paused:
        return "False", "Paused", f"{where}: {_paused(status)}; it is judged all the same{frozen}"
    if trial.step_since is None:
        return "True", "WaitingForRoute", f"{where}: the gateway is taking the weight{frozen}"
    if step.gate or step.check:
        return _waiting(status, where, frozen)
    if shut := guards.window_closed(world):
        return "False", "WindowClosed", f"{where}: {shut.sentence}{frozen}"
    if (drift := held_by_drift(status, world)) and world.now_s - trial.step_since >= step.lasts_s:
        return "False", drift.cause, f"{where}, held: {drift.sentence}{frozen}"
    if trial.experiment:
        return _comparing(trial.experiment, where, frozen)
    held = worst_of(blocking(status, world))
    if held and world.now_s - trial.step_since >= step.lasts_s:
        return "False", held.verdict, f"{where}, held: {held.key}: {held.sentence}{frozen}"
    said = f"{worst.key}: {worst.sentence}" if worst else "nothing was measured yet"
    return "True", "Judging", f"{where} for {format_duration(step.lasts_s)}: {said}{frozen}"


def _comparing(found: ExperimentResult, where: str, frozen: str) -> Found:
    """Say how an experiment goes, or that its time is over."""
    if not found.capped:
        return "True", "Comparing", f"{where}: {found.sentence}{frozen}"
    waits = "its time is over and nothing is decided: promote lets the version pass, abort takes it out"
    return "False", "ExperimentUndecided", f"{where}: {waits}. {found.sentence}{frozen}"


def _where(status: ModelDeploymentStatus, world: World, trial: Trial, label: str) -> str:
    """Say where a trial stands, and what its version gets there."""
    has = described(trial.plan.steps, trial.step_index)
    alone = intended_weight(status) and not world.ready(status.stable.hash if status.stable else None)
    more = " and, while stable has no ready pod, all of them" if alone else ""
    return f"version {label}, step {trial.step_index + 1} of {len(trial.plan.steps)}, {has}{more}"


def _short_of_pods(status: ModelDeploymentStatus, world: World, where: str, frozen: str) -> Found | None:
    """Say that the candidate's pods can't carry what the step gives it."""
    if not world.ready(status.candidate.hash if status.candidate else None):
        return "False", "NoReadyPod", f"{where}: it has no ready pod and gets no traffic until it has{frozen}"
    cut = seaworthy.cut_short(status, world)
    return ("False", "WaitingForCapacity", f"{where}: {cut}{frozen}") if cut else None


def _waiting(status: ModelDeploymentStatus, where: str, frozen: str) -> Found:
    """Say whom or what a step waits for that has no time of its own."""
    trial, step = status.trial, current_step(status)
    if not trial or not step:
        return "False", "Pending", "no version is wished for"
    if step.gate:
        so_far = f"; {', '.join(trial.approvals)} said promote" if trial.approvals else ""
        return "False", "WaitingForApproval", f"{where}{so_far}{frozen}"
    run = trial.check
    if run and run.state == "Failed":
        return "False", "CheckFailed", f"{where}, which failed: {run.sentence}{frozen}"
    return "True", "Checking", f"{where}: {run.sentence if run else 'it is being started'}{frozen}"


def _paused(status: ModelDeploymentStatus) -> str:
    """Say who holds a rollout."""
    if not status.paused:
        return "paused"
    until = f" until {format_time(status.paused.until)}" if status.paused.until else ""
    why = f" ({status.paused.reason})" if status.paused.reason else ""
    return f"paused by {status.paused.by}{until}{why}"


def _promoting(label: str, *, paused: bool) -> Found:
    if paused:
        return "False", "Paused", f"version {label} gets all requests and is not promoted yet: paused"
    return "True", "Promoting", f"version {label} takes over all requests"


def _watching(status: ModelDeploymentStatus, worst: ObjectiveEvidence | None) -> Found:
    trial, stable = status.trial, status.stable
    if not trial or not stable or not trial.plan.watch or trial.step_since is None:
        return "False", "Pending", "no version is wished for"
    until = format_time(trial.step_since + trial.plan.watch.for_)
    said = f"{worst.key}: {worst.sentence}" if worst else "nothing was measured yet"
    way_back = f"version {stable.label} is kept warm, so that a rollback takes seconds"
    return (
        "True",
        "Watching",
        f"version {trial.version.label} has all requests and is watched until {until}; {way_back}. {said}",
    )


def _at_rest(status: ModelDeploymentStatus, world: World) -> Found:
    if isinstance(world.wish, Refusal) or not status.stable:
        return "False", "Pending", "no version is wished for"
    label = status.stable.label
    if world.wish.version == status.stable.hash:
        late = f"; {watched_labels(status.label_watch)}" if status.label_watch else ""
        return "False", "Complete", f"version {label} serves all requests{late}"
    if world.wish.version in status.quarantined:
        fate = next(
            (entry.sentence for entry in status.history if entry.hash == world.wish.version), "it was rolled back"
        )
        return "False", "RolledBack", f"version {label} serves all requests; {fate}"
    if world.wish.paused:
        waits = f"version {label} serves all requests; version {world.wish.label} waits"
        return "False", "Paused", f"{waits}: {_paused(status)}"
    if shut := guards.window_closed(world):
        return (
            "False",
            "WindowClosed",
            f"version {label} serves all requests; version {world.wish.label} waits: {shut.sentence}",
        )
    if world.frozen and not world.override:
        return (
            "False",
            "BudgetSpent",
            f"version {label} serves all requests; version {world.wish.label} waits: {world.frozen}",
        )
    if world.queued:
        waits = f"version {label} serves all requests; version {world.wish.label} waits: {world.queued}"
        return "False", "Queued", waits
    return "False", "Waiting", f"version {label} serves all requests; version {world.wish.label} is next"
