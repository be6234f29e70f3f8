"""Guards of the phase table that start a rollout and let it go on: each gives the sentence that justifies its move.

They read only the status and the world, and give None when the move is not due. What rolls back is in faults.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.commands import Verb
from seatrial.api.fields import format_duration
from seatrial.api.status import Phase
from seatrial.judge.types import Verdict
from seatrial.rollout.blame import held_by_drift
from seatrial.rollout.label_objectives import AFTER_WATCH, labelled, unhurried
from seatrial.rollout.seaworthy import all_available, mismatch, model_waits, ready_to_serve, seen
from seatrial.rollout.steps import current_step, described, has_traffic, on_trial
from seatrial.rollout.target import ALL, division, intended_weight
from seatrial.rollout.undecided import blocking, past_deadline
from seatrial.rollout.windows import closed
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.windows import Closed
    from seatrial.rollout.world import World

    Guard = Callable[[ModelDeploymentStatus, World], str | None]

MAX_DRAINING = 8
"""A new trial waits while so many versions drain: their number in status is bounded."""


def superseded(status: ModelDeploymentStatus, world: World) -> str | None:
    """The user wishes for another version than the candidate; one that is returned to was never wished for."""
    wish, trial = world.wish, status.trial
    if not isinstance(wish, Wish) or not status.candidate or wish.version == status.candidate.hash:
        return None
    if trial and trial.returning and (trial.fault or wish.version in status.quarantined):
        return None  # a rollback that the operator has begun is brought to its end first
    return f"{on_trial(status)} is no longer wished for: the spec now asks for version {wish.label}"


def stable_wished_back(status: ModelDeploymentStatus, world: World) -> str | None:
    """While the candidate has all requests and is watched, the user wishes for stable again."""
    return superseded(status, world) if stable_wished(status, world) else None


def another_wished(status: ModelDeploymentStatus, world: World) -> str | None:
    """The user wishes for a third version: what is watched has passed its steps and becomes stable first."""
    return superseded(status, world)


def return_asked(status: ModelDeploymentStatus, _: World) -> str | None:
    """Somebody wants a former version back."""
    if not status.return_to or not status.stable:
        return None
    former = status.return_to.version
    return f"version {former.label} ({former.hash}) is returned to: {status.return_to.sentence}"


def route_serves(status: ModelDeploymentStatus, world: World) -> str | None:
    """Nothing is remembered, yet a route carries traffic to a version that is there."""
    serving = serving_version(world)
    if status.stable or not serving:
        return None
    return f"the status was empty, but the route leads to {serving}: it is taken for the stable version"


def serving_version(world: World) -> str | None:
    """Find the ready version with the most weight in the route."""
    weights = world.route.weights if world.route else {}
    ready = [version for version, weight in weights.items() if weight and world.ready(version)]
    return max(ready, key=lambda version: (weights[version], version), default=None)


def first(status: ModelDeploymentStatus, world: World) -> str | None:
    """A first version is wished for: it has nothing to be compared with and nobody to take its traffic."""
    if status.stable or not isinstance(world.wish, Wish) or world.wish.paused or len(status.draining) >= MAX_DRAINING:
        return None
    return f"version {world.wish.label} is the first one: it is deployed without a trial"


def first_ready(status: ModelDeploymentStatus, world: World) -> str | None:
    """The first version can serve, and nobody holds it."""
    return ready_to_serve(status, world) if may_go_on(world) else None


def may_go_on(world: World) -> bool:
    """Tell whether the user lets a rollout go on: the spec can be used and isn't paused."""
    return isinstance(world.wish, Wish) and not world.wish.paused


def _goes_on(status: ModelDeploymentStatus, world: World) -> bool:
    """Tell whether a version may take over all requests; a rollback waits for nobody."""
    return may_go_on(world) or bool(status.trial and status.trial.fault)


def window_closed(world: World) -> Closed | None:
    """Tell whether the user's change windows hold starts and steps now."""
    return closed(world.wish.windows, world.now_s) if isinstance(world.wish, Wish) else None


def stable_wished(status: ModelDeploymentStatus, world: World) -> str | None:
    """The spec asks for the stable version again."""
    if isinstance(world.wish, Wish) and status.stable and world.wish.version == status.stable.hash:
        return f"the spec asks for version {world.wish.label} again, which is stable: nothing to do"
    return None


def new_version(status: ModelDeploymentStatus, world: World, *, in_line: bool = False) -> str | None:
    """The spec asks for a version that is neither stable nor quarantined."""
    wish = world.wish
    if not isinstance(wish, Wish) or wish.paused or not status.stable or len(status.draining) >= MAX_DRAINING:
        return None
    if wish.version == status.stable.hash or wish.version in status.quarantined:
        return None
    if (world.frozen and not world.override) or window_closed(world) or (not in_line and world.queued):
        return None
    despite = f", although {world.frozen} ({world.override.reason})" if world.frozen and world.override else ""
    return f"version {wish.label} goes on trial beside version {status.stable.label}{despite}"


def may_get_weight(status: ModelDeploymentStatus, world: World) -> str | None:
    """Pods are ready and warm, the gateway knows the backend, and Prometheus already sees it."""
    if not status.candidate or not status.trial or not may_go_on(world) or window_closed(world):
        return None
    if not ready_to_serve(status, world) or mismatch(status, world) or world.metrics_down or not seen(status, world):
        return None
    if not in_route(status, world, status.candidate.hash, 0):
        return None
    return f"{on_trial(status)} is ready, warm and seen by Prometheus: it {described(status.trial.plan.steps, 0)}"


def straight_on(status: ModelDeploymentStatus, world: World) -> str | None:
    """A version that takes no steps, or no further ones, can get all requests: somebody asked for it."""
    trial = status.trial
    if not status.candidate or not trial or not _goes_on(status, world) or not all_available(status, world):
        return None
    if status.phase is Phase.STARTING and model_waits(status, world):
        return None
    skipped = trial.ordered and trial.ordered.verb is Verb.PROMOTE_FULL
    if not (trial.returning or skipped) or not in_route(status, world, status.candidate.hash, intended_weight(status)):
        return None
    why = f": {trial.ordered.sentence}" if trial.ordered else f": {trial.fault or 'somebody returns to it'}"
    return f"{on_trial(status)} gets all requests{why}"


def step_passed(status: ModelDeploymentStatus, world: World) -> str | None:
    """The step is over and another one follows."""
    trial = status.trial
    if not trial or trial.step_index + 1 >= len(trial.plan.steps) or not (why := _step_over(status, world)):
        return None
    return f"{on_trial(status)} {why}: it {described(trial.plan.steps, trial.step_index + 1)}"


def last_step_passed(status: ModelDeploymentStatus, world: World) -> str | None:
    """The last step is over."""
    trial = status.trial
    if not trial or trial.step_index + 1 < len(trial.plan.steps) or not (why := _step_over(status, world)):
        return None
    return f"{on_trial(status)} {why}, the last one: it gets all requests"


def to_be_watched(status: ModelDeploymentStatus, world: World) -> str | None:
    """The candidate has all requests, and the strategy asks that it is judged on before stable may go."""
    watch = status.trial.plan.watch if status.trial else None
    if not watch or not status.stable or not _serves_alone(status, world) or (status.trial and status.trial.returning):
        return None
    warm = f"version {status.stable.label} is kept warm for {format_duration(watch.for_)}"
    return f"{on_trial(status)} serves all requests and is watched; {warm}"


def all_traffic_seen(status: ModelDeploymentStatus, world: World) -> str | None:
    """The gateway has taken the route that leads to the candidate alone, and nothing is left to be watched."""
    watched = status.trial and status.trial.plan.watch and not status.trial.returning and status.stable
    if watched or not _serves_alone(status, world):
        return None
    return f"{on_trial(status)} is promoted: it serves all requests and is stable now"


def watch_over(status: ModelDeploymentStatus, world: World) -> str | None:
    """The time of the watch is over, and what is known of the version is not silence."""
    trial = status.trial
    if not trial or not trial.plan.watch or trial.step_since is None or not may_go_on(world):
        return None
    past_s = world.now_s - trial.step_since - trial.plan.watch.for_
    unknown = [e for e in world.evidence if e.verdict in {Verdict.NoData, Verdict.Unavailable, Verdict.Environment}]
    # Labels that come late have a time of their own.
    later = labelled(trial.plan) if trial.plan.watch.labels is not None else unhurried(status, AFTER_WATCH)
    blind = any(entry.key not in later for entry in unknown)
    if past_s < 0 or (blind and past_s < trial.plan.undecided.deadline and not world.observing):
        return None
    return f"{on_trial(status)} was watched for {format_duration(trial.plan.watch.for_)} and is stable now"


def _serves_alone(status: ModelDeploymentStatus, world: World) -> bool:
    if not status.candidate or not _goes_on(status, world) or not world.ready(status.candidate.hash):
        return False
    return in_route(status, world, status.candidate.hash, ALL)


def in_route(status: ModelDeploymentStatus, world: World, version: str, weight: int) -> bool:
    """Tell whether the gateway has taken this weight for a version, stable's rest, and what the step asks besides.

    While stable has no ready pod, a version with weight has to have all of it: no trial waits for stable to recover.
    """
    route = world.route
    if not route or not route.programmed or route.unable or not route.does(division(status, world, {})):
        return False
    if weight and status.stable and not world.ready(status.stable.hash):
        weight = ALL
    if route.weights.get(version) != weight:
        return False
    return status.stable is None or route.weights.get(status.stable.hash) == ALL - weight


def _step_over(status: ModelDeploymentStatus, world: World) -> str | None:
    """Say how a step ended: long enough and found well, decided by people, or waved through; None when it goes on."""
    trial, step = status.trial, current_step(status)
    if not trial or not step or trial.step_since is None or not may_go_on(world):
        return None
    if not in_route(status, world, status.candidate.hash if status.candidate else "", intended_weight(status)):
        return None
    number = f"step {trial.step_index + 1}"
    if trial.ordered and trial.ordered.verb is Verb.PROMOTE:
        return f"is let through {number}, {trial.ordered.sentence}"
    if window_closed(world) or held_by_drift(status, world) or not _waited_for(status, world):
        return None
    weighed = has_traffic(trial.plan.steps, trial.step_index)
    if weighed and (not world.evidence or blocking(status, world)) and not past_deadline(status, world, "promote"):
        return None
    return f"passed {number}" + (f", gate {step.gate.name} ({', '.join(trial.approvals)})" if step.gate else "")


def _waited_for(status: ModelDeploymentStatus, world: World) -> bool:
    """Tell whether what a step waits for has come: its time, people, or a test."""
    trial, step = status.trial, current_step(status)
    if not trial or not step or trial.step_since is None:
        return False
    if step.gate:
        return len(trial.approvals) >= step.gate.approvals
    if step.check:
        return bool(trial.check and trial.check.state == "Passed")
    if step.experiment:
        return bool(trial.experiment and trial.experiment.verdict == Verdict.Healthy)
    return world.now_s - trial.step_since >= step.lasts_s
