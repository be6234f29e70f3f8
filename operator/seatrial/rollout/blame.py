"""What a finding of drift means for a rollout: it rolls back, holds, or is only told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from seatrial.api.drift import DriftStatus
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import World

_UNKNOWN = frozenset({"TooFewObservations", "NoSeries", "ProfilesDiffer", "Unavailable"})


def latest(status: ModelDeploymentStatus, world: World) -> DriftStatus | None:
    """Take the newest finding; none when nobody asks for drift any more, or while the spec's trial has its own word."""
    plan = status.trial.plan if status.trial and status.candidate else None
    asked = plan.drift if plan else world.wish.plan.drift if isinstance(world.wish, Wish) else status.drift
    return (world.drift or status.drift) if asked else None


def drifted(status: ModelDeploymentStatus, world: World) -> str | None:
    """Say what the candidate alone sees otherwise, when the drift objective asks for a rollback then."""
    drift = _of_candidate(status)
    if not drift or world.override or drift.remedy != "rollback" or not status.candidate:
        return None
    return f"version {status.candidate.label} ({status.candidate.hash}): {drift.sentence}"


def held_by_drift(status: ModelDeploymentStatus, world: World) -> DriftStatus | None:
    """Tell which finding keeps a step from being passed; one that waits for its confirmation does too."""
    drift = _of_candidate(status)
    if not drift or world.override or world.observing:
        return None
    return drift if {drift.remedy, drift.asks} & {"hold", "rollback"} else None


def drift_free(drift: DriftStatus) -> tuple[str, str, str]:
    """Write the condition DriftFree: status, reason and message."""
    if drift.confirmed:
        return "False", drift.cause, drift.sentence
    if drift.cause in _UNKNOWN:
        return "Unknown", drift.cause, drift.sentence
    if drift.since is not None:
        return "Unknown", "ToBeConfirmed", f"found, and told when the next looks agree: {drift.sentence}"
    return "True", "NoDrift", drift.sentence


def shown(drift: DriftStatus) -> DriftStatus:
    """Leave out what changes with every look: what remains is worth a write when it changes."""
    return replace(drift, at=0.0, sentence="", looks=0, last_seen=None, features=())


def _of_candidate(status: ModelDeploymentStatus) -> DriftStatus | None:
    drift = status.drift
    return drift if drift and status.candidate and drift.version == status.candidate.hash else None
