"""How many pods each version gets, and what they can carry, for a status: the rules of capacity.py at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.status import Phase
from seatrial.rollout.capacity import ALL, Scaling, carried, pods_for, swapped
from seatrial.rollout.steps import share_at
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import Trial
    from seatrial.rollout.world import Workload, World

_TRIED = frozenset({Phase.STARTING, Phase.TRIAL, Phase.PROMOTING, Phase.WATCHING})


def share(status: ModelDeploymentStatus) -> int:
    """Tell what the candidate has to carry by its step, in percent of all requests, copies included."""
    trial = status.trial
    if not trial or status.phase not in _TRIED:
        return 0
    if status.phase in {Phase.PROMOTING, Phase.WATCHING} or trial.returning:
        return ALL
    return share_at(trial.plan.steps, trial.step_index)


def pods_of_trial(status: ModelDeploymentStatus, world: World) -> int | None:
    """Note how many pods all requests take, as far as this trial has shown."""
    trial = status.trial
    mine, theirs = (world.workloads.get(ref.hash) if ref else None for ref in (status.candidate, status.stable))
    if not trial or not _scaling(world):
        return max(trial.pods or 0 if trial else 0, mine.available if mine else 0) or None
    return trial.pods or (theirs.desired if theirs else None)


def weight_carried(status: ModelDeploymentStatus, world: World, weight: int) -> int:
    """Cut the candidate's weight down to what its ready pods can carry; without any, target.py gives it none at all."""
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    if not workload or not weight or not world.ready(workload.version):
        return weight
    present = world.route.weights.get(workload.version, 0) if world.route else 0
    return carried(weight, _need(status, world, workload), workload, present)


def replicas(status: ModelDeploymentStatus, world: World) -> Mapping[str, int]:
    """Tell how many pods the versions that serve are to have."""
    serving = [ref.hash for ref in (status.stable, status.candidate) if ref]
    if not isinstance(world.wish, Wish):
        there = {version: world.workloads[version].desired for version in serving if version in world.workloads}
        # Without a spec that can be used, a former version that has no pods gets as many as the one that serves.
        return {version: pods or max(1, *there.values()) for version, pods in there.items()}
    fixed = dict.fromkeys(serving, world.wish.replicas)
    if _swaps(status, world) and status.stable and status.candidate:
        workload = world.workloads.get(status.candidate.hash)
        sought = 0 if status.phase is Phase.STARTING else share(status)  # one pod is enough to find it seaworthy
        mine, theirs = swapped(sought, world.wish.replicas, workload.available if workload else 0)
        fixed = {status.candidate.hash: mine, status.stable.hash: theirs}
    bounds = scaling(status, world)
    fixed |= {version: bounds[version].fewest for version in bounds}
    return fixed | {version: world.workloads[version].desired for version in serving if _others_scale(version, world)}


def scaling(status: ModelDeploymentStatus, world: World) -> Mapping[str, Scaling]:
    """Bound the autoscalers of the versions that serve."""
    wished = _scaling(world)
    if not wished:
        return {}
    bounds = {ref.hash: wished for ref in (status.stable, status.candidate) if ref}
    if status.trial and status.trial.pods and status.phase in _TRIED and status.stable and status.candidate:
        need = status.trial.pods
        bounds[status.stable.hash] = _at_least(need, wished)
        bounds[status.candidate.hash] = _at_least(pods_for(share(status), need), wished)
    return bounds


def _need(status: ModelDeploymentStatus, world: World, workload: Workload) -> int:
    """Tell how many of the candidate's pods all requests take."""
    known = status.trial.pods if status.trial else None
    if bounds := _scaling(world):
        return min(known or 1, bounds.most)  # more than the most can't be asked for
    if _swaps(status, world) and isinstance(world.wish, Wish):
        total = world.wish.replicas
        goal, _ = swapped(share(status), total, total)
        # With all the pods that its share gets it, it has what can be had: rounding is not held against it.
        return 1 if min(workload.ready, workload.available) >= goal else total
    return min(workload.desired, known) if known else workload.desired


def _swaps(status: ModelDeploymentStatus, world: World) -> bool:
    trial: Trial | None = status.trial
    wide = isinstance(world.wish, Wish) and world.wish.replicas > 1 and not world.wish.scaling
    return wide and status.phase in _TRIED and trial is not None and trial.plan.max_surge == 0


def _scaling(world: World) -> Scaling | None:
    return world.wish.scaling if isinstance(world.wish, Wish) else None


def _at_least(pods: int, wished: Scaling) -> Scaling:
    return Scaling(min(wished.most, max(wished.fewest, pods)), wished.most)


def _others_scale(version: str, world: World) -> bool:
    """Tell whether an autoscaler finds the number of a version's pods; at 0 pods none does."""
    workload = world.workloads.get(version)
    return workload is not None and workload.desired > 0 and bool(_scaling(world) or workload.autoscaler)
