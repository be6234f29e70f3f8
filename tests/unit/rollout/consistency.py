"""What can't be: worlds and statuses on which a test would prove nothing, and answers that no actuator could carry out.

The idea is that of the consistency checker of canonical/operator's scenario tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.status import Phase
from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Decision
    from seatrial.rollout.world import World

WITH_CANDIDATE = {Phase.DEPLOYING, Phase.STARTING, Phase.TRIAL, Phase.PROMOTING, Phase.WATCHING}
WITHOUT_STABLE = {Phase.PENDING, Phase.DEPLOYING}
WEIGHTED = {Phase.TRIAL, Phase.PROMOTING, Phase.WATCHING}


class Impossible(Exception):  # noqa: N818 - it says what the world is, not what the program did wrong
    """This can't be."""


def check(status: ModelDeploymentStatus, world: World) -> None:
    """Raise Impossible for a status or a world that could never be seen."""
    wrong = [*_status(status, world.now_s), *_world(status, world)]
    if wrong:
        raise Impossible("; ".join(wrong))


def check_target(decision: Decision, world: World) -> None:
    """Raise Impossible for a target that would harm requests, whatever the status behind it."""
    weights, replicas = decision.target.weights, decision.target.replicas
    lost = set(world.workloads) - set(replicas)
    wrong = [f"weight {w} of {v} is no share" for v, w in weights.items() if not 0 <= w <= 100]
    wrong += [f"{v} gets {w} % and loses its pods" for v, w in weights.items() if w and v in lost]
    wrong += [f"{v} is in the route and loses its pods" for v in lost if world.route and v in world.route.weights]
    kept = {entry.hash for entry in decision.status.kept}
    wrong += [f"{v} is to have {n} pods" for v, n in replicas.items() if n < 1 and v not in kept]
    if wrong:
        raise Impossible("; ".join(wrong))


def _status(status: ModelDeploymentStatus, now_s: float) -> Iterator[str]:
    phase, trial, candidate = status.phase, status.trial, status.candidate
    if (phase in WITH_CANDIDATE) != (candidate is not None):
        yield f"{phase} with candidate {candidate}"
    if (phase in WITHOUT_STABLE) != (status.stable is None):
        yield f"{phase} with stable {status.stable}"
    if candidate and (not trial or trial.version != candidate):
        yield "a candidate without a trial of its own"
    if candidate and candidate == status.stable:
        yield "the candidate is stable already"
    gone = [entry.hash for entry in status.draining]
    if len(set(gone)) < len(gone) or {ref.hash for ref in (status.stable, candidate) if ref} & set(gone):
        yield "a version drains twice, or drains and serves"
    if phase in WITHOUT_STABLE and status.quarantined:
        yield "a version was rolled back with nothing to roll back to"
    if candidate and candidate.hash in status.quarantined:
        yield "a quarantined version is on trial"
    times = [entry.since for entry in status.draining if entry.since is not None]
    times += [c.last_transition_time for c in status.conditions]
    if trial:
        yield from _trial(status)
        times += [at for at in (trial.started_at, trial.weighted_at, trial.step_since, trial.unready_since) if at]
    if any(at > now_s for at in times):
        yield "the status knows the future"


def _trial(status: ModelDeploymentStatus) -> Iterator[str]:
    trial = status.trial
    if not trial or not status.candidate:
        return
    if (trial.weighted_at is not None) != (status.phase in WEIGHTED):
        yield f"{status.phase}, weighted at {trial.weighted_at}"
    if trial.step_since is not None and status.phase not in WEIGHTED:
        yield f"{status.phase} in the middle of a step"
    if not 0 <= trial.step_index < len(trial.plan.steps):
        yield f"step {trial.step_index} of {len(trial.plan.steps)}"
    weights = [step.weight for step in trial.plan.steps if step.weight is not None]
    if weights != sorted(set(weights)):
        yield f"weights {weights} don't rise"
    if status.phase is Phase.WATCHING and not trial.plan.watch:
        yield "a version is watched although nobody asked for it"
    if trial.evidence and status.phase not in WEIGHTED:
        yield f"{status.phase}, yet judged"


def _world(status: ModelDeploymentStatus, world: World) -> Iterator[str]:
    for version, workload in world.workloads.items():
        if workload.version != version:
            yield f"{version} is {workload.version}"
        if not 0 <= workload.available <= workload.ready <= workload.desired:
            yield f"{version}: {workload.available} available, {workload.ready} ready, {workload.desired} desired"
    if any(up < 0 for up in world.targets_up.values()):
        yield f"targets {dict(world.targets_up)}"
    if world.route:
        weights = world.route.weights
        idle = not weights or bool(world.route.fallback and world.route.fallback.active)
        if sum(weights.values()) != (0 if idle else 100) or not all(0 <= weight <= 100 for weight in weights.values()):
            yield f"weights {dict(weights)} are no division"
    if world.evidence:
        yield from _evidence(status, world)


def _evidence(status: ModelDeploymentStatus, world: World) -> Iterator[str]:
    if not status.candidate or status.phase not in WEIGHTED or not status.trial:
        yield f"evidence in phase {status.phase}"
        return
    asked = [(planned.slo, planned.objective.name) for planned in status.trial.plan.objectives]
    if [(entry.slo, entry.objective) for entry in world.evidence] != asked:
        yield "evidence of other objectives than the trial's"
    for entry in world.evidence:
        if not 0 <= entry.bad <= entry.total or entry.step_total > entry.total:
            yield f"{entry.bad} bad of {entry.total}, {entry.step_total} before this step"
        if world.metrics_down and entry.verdict not in {Verdict.Unavailable, Verdict.Burning}:
            yield f"{entry.verdict} although metrics are down"
