"""Whether a candidate can carry requests: pods, models, and whether Prometheus sees it; a sentence each, or None."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.rollout.pods import weight_carried
from seatrial.rollout.steps import on_trial
from seatrial.rollout.target import intended_weight

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import World


def all_available(status: ModelDeploymentStatus, world: World) -> str | None:
    """Find all pods of the candidate ready and warmed up."""
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    if not workload or workload.terminating or not 0 < workload.desired <= workload.available:
        return None
    return f"{on_trial(status)} is ready with {workload.available} of {workload.desired} pods"


def model_waits(status: ModelDeploymentStatus, world: World) -> str | None:
    """Find models that have not yet answered as `spec.readiness` asks, though their pods are ready."""
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    if not status.trial or not status.trial.plan.readiness or not workload:
        return None
    if world.fitness and world.fitness.fit >= workload.desired:
        return None
    said = world.fitness.waits if world.fitness else ""
    return f"{on_trial(status)} waits for model readiness: {said or 'its pods are being asked'}"


def mismatch(status: ModelDeploymentStatus, world: World) -> str | None:
    """Find that the model takes or gives something else than callers of stable know, when the spec minds."""
    readiness = status.trial.plan.readiness if status.trial else None
    if not readiness or readiness.signature == "ignore" or not world.fitness or not world.fitness.mismatch:
        return None
    return f"{on_trial(status)} differs from stable: {world.fitness.mismatch}"


def ready_to_serve(status: ModelDeploymentStatus, world: World) -> str | None:
    """Find all pods ready and warmed up, and their models too."""
    return None if model_waits(status, world) else all_available(status, world)


def seen(status: ModelDeploymentStatus, world: World) -> bool:
    """Tell whether Prometheus scrapes every pod of the candidate: weight before that would be judged blindly."""
    workload = world.workloads.get(status.candidate.hash) if status.candidate else None
    return workload is not None and world.targets_up.get(workload.version, 0) >= workload.desired


def late(status: ModelDeploymentStatus, world: World) -> bool:
    """Tell whether a candidate has been getting ready for longer than its pods may take."""
    trial = status.trial
    return trial is not None and world.now_s - trial.started_at >= trial.plan.ready_deadline


def cut_short(status: ModelDeploymentStatus, world: World) -> str | None:
    """Find that the candidate's ready pods can't carry the weight that it is meant to get."""
    workload, meant = world.workloads.get(status.candidate.hash) if status.candidate else None, intended_weight(status)
    carries = weight_carried(status, world, meant)
    if not workload or carries >= meant:
        return None
    pods = f"{workload.available} of {workload.desired} pods are ready and warm"
    return f"it gets {carries} % instead of {meant} % until its pods can carry more: {pods}"
