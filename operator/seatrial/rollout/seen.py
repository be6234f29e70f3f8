"""What a look adds to a status before anything is decided: evidence, the weight in the route, missing pods."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.status import Phase
from seatrial.api.trial import Split, Untaken
from seatrial.rollout import guards
from seatrial.rollout.target import intended_weight

if TYPE_CHECKING:
    from seatrial.api.status import Draining, ModelDeploymentStatus
    from seatrial.api.trial import Trial
    from seatrial.rollout.world import RouteView, World

SPLIT_SETTLES_S = 10.0
"""How long a new weight takes to reach every proxy and the counters of both sides."""


def note(status: ModelDeploymentStatus, world: World) -> ModelDeploymentStatus:
    """Remember what was seen of draining versions and of the trial."""
    draining = tuple(_drains(entry, world.route, world.now_s) for entry in status.draining if _there(entry, world))
    status = replace(status, draining=draining)
    if not status.trial or not status.candidate:
        return status
    trial = replace(status.trial, evidence=world.evidence or status.trial.evidence)
    status = replace(status, trial=_step_clock(status, trial, world))
    return replace(status, trial=_untaken(status, world))


def _there(entry: Draining, world: World) -> bool:
    """Tell whether anything of a draining version is left."""
    return entry.hash in world.workloads or bool(world.route and entry.hash in world.route.weights)


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
    enough = guards.all_available(status, world) if waiting else world.ready(candidate)
    if enough:
        trial = replace(trial, unready_since=None)
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
    """Count the requests of both sides since the trial began, by the objective that saw most of them."""
    most = max(trial.evidence, key=lambda entry: entry.total + entry.stable.total)
    return Split(candidate=most.total, stable=most.stable.total)


def _untaken(status: ModelDeploymentStatus, world: World) -> Trial | None:
    """Note the first rollback that mode observe kept from being done."""
    trial = status.trial
    if not trial or trial.would_have_rolled_back or not world.observing:
        return trial
    fault = guards.fault(status, world)
    return replace(trial, would_have_rolled_back=Untaken(at=world.now_s, sentence=fault)) if fault else trial
