"""What a finding of drift means for a rollout: it rolls back, holds, or is only told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.rollout.retrain import remembered, waiting, waits, with_calls_of
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from seatrial.api.drift import DriftStatus
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import World

_UNKNOWN = frozenset({"TooFewObservations", "EdgesDiffer", "NoSeries", "ProfilesDiffer", "Unavailable"})


def latest(status: ModelDeploymentStatus, world: World) -> DriftStatus | None:
    """Take the newest finding; only incident and calls when nobody asks for drift, or not for the version on trial."""
    plan = status.trial.plan if status.trial and status.candidate else None
    asked = plan.drift if plan else world.wish.plan.drift if isinstance(world.wish, Wish) else status.drift
    if not asked:
        return remembered(status.drift, world.now_s) if status.drift else None
    return with_calls_of(world.drift, status.drift) if world.drift else status.drift


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
    call = waiting(drift)
    more = f"; {waits(call)}" if call else ""
    if drift.confirmed:
        return "False", drift.cause, f"{drift.sentence}{more}"
    incident = drift.incident
    if incident and incident.open:
        wanted = "no drift for the cooldown" if incident.promoted_at else "a newer version that is promoted"
        return (
            "False",
            incident.cause,
            f"{incident.sentence}; not found by the last look, and open until {wanted}{more}",
        )
    if drift.cause in _UNKNOWN:
        return "Unknown", drift.cause, drift.sentence
    if drift.since is not None:
        return "Unknown", "ToBeConfirmed", f"found, and told when the next looks agree: {drift.sentence}"
    return "True", "NoDrift", drift.sentence


def shown(drift: DriftStatus) -> DriftStatus:
    """Leave out what changes with every look: what remains is worth a write when it changes."""
    incident = replace(drift.incident, last_seen=0.0) if drift.incident else None
    return replace(drift, at=0.0, sentence="", looks=0, last_seen=None, features=(), incident=incident)


def _of_candidate(status: ModelDeploymentStatus) -> DriftStatus | None:
    drift = status.drift
    return drift if drift and status.candidate and drift.version == status.candidate.hash else None
