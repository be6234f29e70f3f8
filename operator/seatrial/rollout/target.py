"""From a status to the cluster that it asks for.

Two rules hold in every state, and are the last word over what a phase intends: weights sum to 100, and no weight above
0 points at a version without ready pods while another version could serve.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.status import Phase
from seatrial.rollout import adoption
from seatrial.rollout.decision import Division, Group, Mirror, Preview, Stickiness, Target
from seatrial.rollout.fallback import fallback_of
from seatrial.rollout.pods import replicas, scaling, weight_carried
from seatrial.rollout.steps import current_step, weight_at
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import World

ALL = 100
"""All requests, in percent."""


def intended_weight(status: ModelDeploymentStatus) -> int:
    """Tell the candidate's share of the requests that a status asks for, in percent."""
    if status.phase is Phase.TRIAL and status.trial:
        return weight_at(status.trial.plan.steps, status.trial.step_index)
    return ALL if status.phase in {Phase.PROMOTING, Phase.WATCHING} else 0


def drain_s(status: ModelDeploymentStatus, world: World) -> float:
    """Tell how long versions drain: as the running trial was promised, otherwise as the spec says now."""
    if status.trial:
        return status.trial.plan.drain
    return world.wish.plan.drain if isinstance(world.wish, Wish) else 30.0


def still_draining(status: ModelDeploymentStatus, now_s: float, span_s: float) -> dict[str, float]:
    """Find the versions that lost their traffic less than ``span_s`` ago, with the seconds left."""
    left_s = {entry.hash: span_s if entry.since is None else entry.since + span_s - now_s for entry in status.draining}
    return {version: seconds for version, seconds in left_s.items() if seconds > 0}


def target(status: ModelDeploymentStatus, world: World) -> Target:
    """Compute how the cluster must look for a status."""
    weights: dict[str, int] = {}
    if status.stable:
        weight = weight_carried(status, world, intended_weight(status))
        # Weight 0 entries stay in the route: Envoy knows the cluster before it gets weight, and until it has drained.
        draining = still_draining(status, world.now_s, drain_s(status, world))
        weights = {version: 0 for version in draining if version in world.workloads}
        weights[status.stable.hash] = ALL - weight
        if status.candidate and status.candidate.hash in world.workloads:
            weights[status.candidate.hash] = weight
        elif weight:
            weights[status.stable.hash] = ALL
    served = _served(weights, status.stable.hash if status.stable else None, world)
    divided = replace(division(status, world, served), fallback=fallback_of(status, world, served) if served else None)
    return Target(
        division=adoption.divided(status, world, divided),
        replicas=_replicas(status, world),
        scaling=scaling(status, world),
        adopted=adoption.pods(status, world),
        held=adoption.held(status, world),
    )


def division(status: ModelDeploymentStatus, world: World, weights: Mapping[str, int]) -> Division:
    """Add to weights what the step of a trial asks of the router besides."""
    trial, step = status.trial, current_step(status)
    version = status.candidate.hash if status.candidate else ""
    if status.phase is not Phase.TRIAL or not trial or not step or not world.ready(version):
        return Division(weights)
    capped = trial.experiment is not None and trial.experiment.capped
    match = step.experiment.match if step.experiment and not capped else None
    sticky = trial.plan.sticky
    return Division(
        weights,
        mirror=Mirror(version, step.shadow.percent) if step.shadow else None,
        group=Group(version, match.value, match.header, match.cookie) if match else None,
        sticky=Stickiness(sticky.cookie, sticky.max_age, f"{version[:4]}{trial.step_index + 1}") if sticky else None,
        preview=Preview(version, tuple(step.preview.hostnames)) if step.preview else None,
    )


def _served(weights: Mapping[str, int], stable: str | None, world: World) -> Mapping[str, int]:
    """Move weight away from versions without ready pods, to one that was meant to serve, or to stable.

    A version that drains, or that still waits for its first weight, never inherits: it is out, or not yet in, for a
    reason.
    """
    dead = {version: weight for version, weight in weights.items() if weight and not world.ready(version)}
    heirs = [version for version, weight in weights.items() if world.ready(version) and (weight or version == stable)]
    if not dead or not heirs:
        return weights
    heir = max(heirs, key=lambda version: (weights[version], version))
    moved = {version: 0 if version in dead else weight for version, weight in weights.items()}
    moved[heir] += sum(dead.values())
    return moved


def _replicas(status: ModelDeploymentStatus, world: World) -> Mapping[str, int]:
    """Tell how many pods each version needs; versions not named may go, never one that the route still names."""
    routed = world.route.weights if world.route else {}
    observed = {version: world.workloads[version].desired for version in routed if version in world.workloads}
    observed |= {entry.hash: 0 for entry in status.kept if entry.hash not in observed}
    return {**observed, **replicas(status, world)}
