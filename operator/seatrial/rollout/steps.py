"""What the steps of a trial mean: how much traffic, what is waited for, and how to say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.fields import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.strategy import Step


def current_step(status: ModelDeploymentStatus) -> Step | None:
    """Find the step that a trial stands at."""
    trial = status.trial
    return trial.plan.steps[trial.step_index] if trial else None


def weight_at(steps: Sequence[Step], index: int) -> int:
    """Tell the candidate's share at a step, in percent: a step that names none keeps that of the last one that does."""
    return next((step.weight for step in reversed(steps[: index + 1]) if step.weight is not None), 0)


def share_at(steps: Sequence[Step], index: int) -> int:
    """Tell how many requests of a hundred reach the candidate in a step, copies included."""
    shadow = steps[index].shadow
    return max(weight_at(steps, index), shadow.percent if shadow else 0)


def has_traffic(steps: Sequence[Step], index: int) -> bool:
    """Tell whether the candidate gets requests in a step without anybody doing anything for it."""
    step = steps[index]
    return bool(weight_at(steps, index) or step.shadow or step.experiment or step.min_requests)


def described(steps: Sequence[Step], index: int) -> str:
    """Say what a version gets in a step, to follow its name."""
    step, weight = steps[index], weight_at(steps, index)
    keeps = f", with {weight} % of the requests" if weight else ", without traffic of its own"
    if step.shadow:
        return f"gets copies of {step.shadow.percent} % of the requests" + (keeps if weight else "")
    if step.preview:
        return f"can be reached at {', '.join(step.preview.hostnames)}{keeps}"
    if step.gate:
        people = "two people" if step.gate.approvals > 1 else "a person"
        return f"waits at gate {step.gate.name} for {people}{keeps}"
    if step.check:
        return f"is put to check {step.check.name}{keeps}"
    if step.experiment:
        return f"gets the requests of group B, for {format_duration(step.experiment.cap)} at most{keeps}"
    return f"gets {weight} % of the requests"


def on_trial(status: ModelDeploymentStatus) -> str:
    """Name the version on trial."""
    return f"version {status.candidate.label} ({status.candidate.hash})" if status.candidate else "no version"
