"""What a look adds to a status before anything is decided: evidence, the weight in the route, missing pods."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.fields import format_duration
from seatrial.api.sights import Split, Untaken
from seatrial.api.status import Kept, Phase, Queued
from seatrial.api.templates import BESIDE
from seatrial.api.trial import CheckRun
from seatrial.rollout import aftermath, faults, guards, seaworthy
from seatrial.rollout.blame import latest
from seatrial.rollout.cost import costed
from seatrial.rollout.experiment import experiment_result
from seatrial.rollout.fallback import watch_pages
from seatrial.rollout.labels import latest_labels
from seatrial.rollout.pods import pods_of_trial
from seatrial.rollout.target import drain_s, intended_weight, still_draining
from seatrial.rollout.undecided import waited
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from seatrial.api.commands import Hold
    from seatrial.api.status import Draining, ModelDeploymentStatus
    from seatrial.api.strategy import Check
    from seatrial.api.trial import Trial
    from seatrial.rollout.world import RouteView, World

SPLIT_SETTLES_S = 10.0
"""How long a new weight takes to reach every proxy and the counters of both sides."""


CHECK_GRACE_S = 30.0
"""So long after its timeout a check may still be told to be over."""


def note(status: ModelDeploymentStatus, world: World) -> ModelDeploymentStatus:
    """Remember what was seen of versions that are out, and of the trial; forget what people said for a time."""
    status = replace(status, paused=_lasting(status.paused, world), override=_lasting(status.override, world))
    draining = tuple(_drains(entry, world.route, world.now_s) for entry in status.draining if _there(entry, world))
    status = replace(status, drift=latest(status, world), labels=latest_labels(status, world))
    status = aftermath.noted(status, world)
    status = _keep(replace(status, draining=draining), world)
    status = watch_pages(status, world)
    if not status.trial or not status.candidate:
        return status
    trial = replace(status.trial, evidence=waited(status, world))
    trial = costed(status, _step_clock(status, trial, world), world)
    status = replace(status, trial=_found(trial, world))
    return replace(status, trial=_untaken(status, world))


def _lasting(hold: Hold | None, world: World) -> Hold | None:
    return hold if hold and (hold.until is None or world.now_s < hold.until) else None


def in_line(status: ModelDeploymentStatus, world: World) -> ModelDeploymentStatus:
    """Let a wish that could start now, but for its turn, join the line; one that could not loses its place."""
    rests = status.phase in {Phase.STABLE, Phase.ROLLED_BACK}
    if not world.limited or not rests or not guards.new_version(status, world, in_line=True):
        return replace(status, queued=None)
    version = world.wish.version if isinstance(world.wish, Wish) else ""
    waits = status.queued and status.queued.hash == version
    return status if waits else replace(status, queued=Queued(version, world.now_s))


def _there(entry: Draining, world: World) -> bool:
    """Tell whether anything of a draining version is left."""
    return entry.hash in world.workloads or bool(world.route and entry.hash in world.route.weights)


def _keep(status: ModelDeploymentStatus, world: World) -> ModelDeploymentStatus:
    """Put former versions that have drained among those that can be returned to, and let the oldest of these go."""
    keep = world.wish.keep if isinstance(world.wish, Wish) else None
    if keep is None:
        return status
    waits = still_draining(status, world.now_s, drain_s(status, world))
    routed = world.route.weights if world.route else {}
    guarded = aftermath.guarded(status)
    going = [entry for entry in status.draining if entry.hash not in {*waits, *routed}]
    over = [entry for entry in going if entry.keep or entry.hash == guarded]
    kept = (*(Kept(entry.hash, entry.label, world.now_s) for entry in reversed(over)), *status.kept)
    there = [k for k in kept if k.hash in world.workloads]
    fresh = [k for k in there if world.now_s - k.since < keep.for_][: keep.versions]
    stays = tuple(k for k in there if k in fresh or k.hash == guarded)
    names = {entry.hash for entry in stays}
    # What is over and not kept drains on as what goes: it is forgotten only when nothing of it is left.
    draining = (replace(entry, keep=False) if entry in over else entry for entry in status.draining)
    return replace(status, draining=tuple(entry for entry in draining if entry.hash not in names), kept=stays)


def _found(trial: Trial, world: World) -> Trial:
    """Note what the check or the experiment of the step says by now."""
    step = trial.plan.steps[trial.step_index]
    if step.check and trial.step_since is not None:
        trial = replace(trial, check=_in_time(step.check, world.check or trial.check, world.now_s - trial.step_since))
    if step.experiment and trial.step_since is not None:
        lasted_s = world.now_s - trial.step_since
        trial = replace(trial, experiment=experiment_result(trial, step.experiment, lasted_s) or trial.experiment)
    return trial


def _in_time(check: Check, run: CheckRun | None, lasted_s: float) -> CheckRun | None:
    """Let a check fail that is late: one that can't even be started would hold the trial for ever."""
    if (run and run.state != "Running") or lasted_s < check.timeout + CHECK_GRACE_S:
        return run
    said = f": {run.sentence}" if run else ""
    return CheckRun(check.name, "Failed", f"it was not over within {format_duration(check.timeout)}{said}")


def _drains(entry: Draining, route: RouteView | None, now_s: float) -> Draining:
    """Let the time to drain begin only once the gateway has taken the version's weight away."""
    weight = route.weights.get(entry.hash) if route else None
    if weight:
        return replace(entry, since=None)
    taken = weight is None or (route is not None and route.accepted)
    return replace(entry, since=now_s) if taken and entry.since is None else entry


def _step_clock(status: ModelDeploymentStatus, trial: Trial, world: World) -> Trial:
    """Note since when pods have been missing, and since when the route has carried the step's weight."""
    candidate = status.candidate.hash if status.candidate else ""
    waiting = status.phase in {Phase.DEPLOYING, Phase.STARTING}
    enough = seaworthy.ready_to_serve(status, world) if waiting else world.ready(candidate)
    trial = replace(trial, pods=pods_of_trial(status, world))
    if enough:
        trial = replace(trial, unready_since=None)
        if waiting and trial.ready_in is None:
            trial = replace(trial, ready_in=max(1.0, float(round(world.now_s - trial.started_at))))
    elif trial.unready_since is None:
        trial = replace(trial, unready_since=world.now_s)
    if status.phase is not Phase.TRIAL:
        return trial
    if not world.ready(candidate) or not guards.in_route(status, world, candidate, intended_weight(status)):
        return replace(trial, step_since=None, split_from=None)
    if trial.step_since is None:
        return replace(trial, step_since=world.now_s)
    if trial.split_from is None and trial.evidence and world.now_s - trial.step_since >= SPLIT_SETTLES_S:
        return replace(trial, split_from=requests_of(trial))
    return trial


def requests_of(trial: Trial) -> Split:
    """Count the requests of both sides since the trial began, by the objective that saw most of them.

    Objectives that count tokens, features or labels are left out, unless there are no others.
    """
    beside = {(p.slo, p.objective.name) for p in trial.plan.objectives if p.objective.sli.template in BESIDE}
    counted = [entry for entry in trial.evidence if (entry.slo, entry.objective) not in beside] or trial.evidence
    most = max(counted, key=lambda entry: entry.total + entry.stable.total)
    return Split(candidate=most.total, stable=most.stable.total)


def _untaken(status: ModelDeploymentStatus, world: World) -> Trial | None:
    """Note the first rollback that mode observe kept from being done."""
    trial = status.trial
    if not trial or trial.would_have_rolled_back or not world.observing:
        return trial
    fault = faults.fault(status, world)
    return replace(trial, would_have_rolled_back=Untaken(at=world.now_s, sentence=fault)) if fault else trial
