"""Guards of the phase table: each gives the sentence that justifies its move, or None.

They read only the status and the world. Nothing here changes anything.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from seatrial.api.fields import format_duration
from seatrial.api.status import Phase
from seatrial.judge.judge import SEVERITY
from seatrial.judge.pod_events import Exposure, judge_pod_events
from seatrial.judge.types import Verdict
from seatrial.rollout.target import ALL, intended_weight
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ObjectiveEvidence
    from seatrial.rollout.world import World

    Guard = Callable[[ModelDeploymentStatus, World], str | None]

MAX_DRAINING = 8
"""A new trial waits while so many versions drain: their number in status is bounded."""


def burning(status: ModelDeploymentStatus, world: World) -> str | None:
    """An objective's sequential test has fired, and the objective asks for a rollback then."""
    if world.override:
        return None
    for entry in world.evidence:
        if entry.verdict == Verdict.Burning and _action(status, entry) == "auto":
            return f"{_candidate(status)} burns its error budget, {entry.slo}/{entry.objective}: {entry.sentence}"
    return None


def crash_loop(status: ModelDeploymentStatus, world: World) -> str | None:
    """Its containers restart over and over: no statistics are needed."""
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    if workload and workload.crash_looping:
        return f"{_candidate(status)} crashes over and over: {workload.crash_looping}"
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
    return f"{_candidate(status)} restarts more often than stable: {judgement.sentence}"


def unready(status: ModelDeploymentStatus, world: World) -> str | None:
    """It has been without the pods it needs for longer than the deadline."""
    trial = status.trial
    if not trial or trial.unready_since is None or world.now_s - trial.unready_since < trial.plan.ready_deadline:
        return None
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    why = f": {workload.stuck}" if workload and workload.stuck else ""
    deadline = format_duration(trial.plan.ready_deadline)
    return f"{_candidate(status)} has been without the ready pods it needs for {deadline}{why}"


def undecided(status: ModelDeploymentStatus, world: World) -> str | None:
    """The step stayed undecided past its deadline, and the strategy asks for a rollback then."""
    return _past_deadline(status, world, "rollback") if may_go_on(world) else None


def fault(status: ModelDeploymentStatus, world: World) -> str | None:
    """Anything that rolls a version back."""
    found = (guard(status, world) for guard in (burning, crash_loop, restarting, unready, undecided))
    return next((sentence for sentence in found if sentence), None)


def enforced(guard: Guard) -> Guard:
    """Let a guard act only when verdicts are more than told."""

    @wraps(guard)
    def guarded(status: ModelDeploymentStatus, world: World) -> str | None:
        return None if world.observing else guard(status, world)

    return guarded


def superseded(status: ModelDeploymentStatus, world: World) -> str | None:
    """The user wishes for another version than the candidate."""
    if not isinstance(world.wish, Wish) or not status.candidate or world.wish.version == status.candidate.hash:
        return None
    return f"{_candidate(status)} is no longer wished for: the spec now asks for version {world.wish.label}"


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


def all_available(status: ModelDeploymentStatus, world: World) -> str | None:
    """All pods of the candidate are ready and warmed up."""
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    if not workload or workload.terminating or not 0 < workload.desired <= workload.available:
        return None
    return f"{_candidate(status)} is ready with {workload.available} of {workload.desired} pods"


def first_ready(status: ModelDeploymentStatus, world: World) -> str | None:
    """The first version can serve, and nobody holds it."""
    return all_available(status, world) if may_go_on(world) else None


def may_go_on(world: World) -> bool:
    """Tell whether the user lets a rollout go on: the spec can be used and isn't paused."""
    return isinstance(world.wish, Wish) and not world.wish.paused


def stable_wished(status: ModelDeploymentStatus, world: World) -> str | None:
    """The spec asks for the stable version again."""
    if isinstance(world.wish, Wish) and status.stable and world.wish.version == status.stable.hash:
        return f"the spec asks for version {world.wish.label} again, which is stable: nothing to do"
    return None


def new_version(status: ModelDeploymentStatus, world: World) -> str | None:
    """The spec asks for a version that is neither stable nor quarantined."""
    wish = world.wish
    if not isinstance(wish, Wish) or wish.paused or not status.stable or len(status.draining) >= MAX_DRAINING:
        return None
    if wish.version == status.stable.hash or wish.version in status.quarantined:
        return None
    if world.frozen and not world.override:
        return None
    despite = f", although {world.frozen} ({world.override.reason})" if world.frozen and world.override else ""
    return f"version {wish.label} goes on trial beside version {status.stable.label}{despite}"


def may_get_weight(status: ModelDeploymentStatus, world: World) -> str | None:
    """Pods are ready and warm, the gateway knows the backend, and Prometheus already sees it."""
    if not status.candidate or not status.trial or not may_go_on(world):
        return None
    if not all_available(status, world) or world.metrics_down or not seen(status, world):
        return None
    if not in_route(status, world, status.candidate.hash, 0):
        return None
    step = status.trial.plan.steps[0]
    return f"{_candidate(status)} is ready, warm and seen by Prometheus: it gets {step.weight} % of the requests"


def seen(status: ModelDeploymentStatus, world: World) -> bool:
    """Tell whether Prometheus scrapes every pod of the candidate: weight before that would be judged blindly."""
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    return workload is not None and world.targets_up.get(workload.version, 0) >= workload.desired


def step_passed(status: ModelDeploymentStatus, world: World) -> str | None:
    """The step is over and another one follows."""
    trial = status.trial
    if not trial or not _step_over(status, world) or trial.step_index + 1 >= len(trial.plan.steps):
        return None
    following = trial.plan.steps[trial.step_index + 1]
    return f"{_candidate(status)} passed step {trial.step_index + 1}: it gets {following.weight} % of the requests"


def last_step_passed(status: ModelDeploymentStatus, world: World) -> str | None:
    """The last step is over."""
    if not _step_over(status, world):
        return None
    return f"{_candidate(status)} passed all steps: it gets all requests"


def all_traffic_seen(status: ModelDeploymentStatus, world: World) -> str | None:
    """The gateway has taken the route that leads to the candidate alone."""
    if not status.candidate or not may_go_on(world) or not world.ready(status.candidate.hash):
        return None
    if not in_route(status, world, status.candidate.hash, ALL):
        return None
    return f"{_candidate(status)} is promoted: it serves all requests and is stable now"


def in_route(status: ModelDeploymentStatus, world: World, version: str, weight: int) -> bool:
    """Tell whether the route carries just this weight for a version, stable the rest, and the gateway has taken it."""
    route = world.route
    if not route or not route.programmed or route.weights.get(version) != weight:
        return False
    return status.stable is None or route.weights.get(status.stable.hash) == ALL - weight


def _step_over(status: ModelDeploymentStatus, world: World) -> bool:
    """Long enough at this weight, every objective Healthy, and nobody holds it."""
    trial = status.trial
    if not trial or trial.step_since is None or not may_go_on(world):
        return False
    if not in_route(status, world, status.candidate.hash if status.candidate else "", intended_weight(status)):
        return False
    if world.now_s - trial.step_since < trial.plan.steps[trial.step_index].for_:
        return False
    return bool(world.evidence) and (not blocking(status, world) or bool(_past_deadline(status, world, "promote")))


def blocking(status: ModelDeploymentStatus, world: World) -> tuple[ObjectiveEvidence, ...]:
    """Find the objectives that keep a step from being passed."""
    if world.observing or world.override:
        return ()
    return tuple(e for e in world.evidence if e.verdict != Verdict.Healthy and _action(status, e) != "notify")


def _past_deadline(status: ModelDeploymentStatus, world: World, policy: str) -> str | None:
    """Say that a step has been undecided for too long, when that leads to this policy.

    One objective that asks for a rollback is enough for it; a promotion needs the word of all that block it.
    """
    trial, found = status.trial, blocking(status, world)
    if status.phase is not Phase.TRIAL or not trial or trial.step_since is None or not found:
        return None
    rules = trial.plan.undecided
    if world.now_s - trial.step_since < trial.plan.steps[trial.step_index].for_ + rules.deadline:
        return None
    policies: dict[str, str] = {
        Verdict.Inconclusive: rules.inconclusive,
        Verdict.NoData: rules.no_data,
        Verdict.Unavailable: rules.unavailable,
        Verdict.Environment: rules.environment,
    }
    asking = [entry for entry in found if policies.get(entry.verdict, "hold") == policy]
    if not asking or (policy == "promote" and len(asking) < len(found)):
        return None
    worst = min(asking, key=lambda entry: SEVERITY.index(Verdict(entry.verdict)))
    where = f"{worst.slo}/{worst.objective} stayed {worst.verdict} for {format_duration(rules.deadline)}"
    return f"{_candidate(status)}: {where}: {worst.sentence}"


def _action(status: ModelDeploymentStatus, entry: ObjectiveEvidence) -> str:
    """Tell what the plan asks for when an objective burns."""
    objectives = status.trial.plan.objectives if status.trial else ()
    found = (p.rollback.action for p in objectives if (p.slo, p.objective.name) == (entry.slo, entry.objective))
    return next(found, "auto")


def _candidate(status: ModelDeploymentStatus) -> str:
    return f"version {status.candidate.label} ({status.candidate.hash})" if status.candidate else "no version"
