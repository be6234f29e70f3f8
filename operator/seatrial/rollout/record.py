"""The record of a decision: what was decided, about which version, and the numbers that it rests on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from seatrial.api.status import Decision, DecisionEvidence

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import Plan
    from seatrial.rollout.decision import Notice, Target
    from seatrial.rollout.world import World

MAX_DECISIONS = 10
"""So many stay in status; the log keeps all."""


def recorded(status: ModelDeploymentStatus, moved: Notice, world: World, target: Target) -> tuple[Decision, ...]:
    """Put a move in front of the decisions that a status already has."""
    version = status.trial.version.hash if status.trial else (status.stable.hash if status.stable else "")
    entry = Decision(
        id=status.decisions[0].id + 1 if status.decisions else 1,
        at=world.now_s,
        event=moved.reason,
        version=version,
        weight=target.weights.get(version, 0),
        objectives_hash=objectives_hash(status.trial.plan) if status.trial else "",
        sentence=moved.note,
        evidence=tuple(
            DecisionEvidence(e.key, e.verdict, e.total, e.bad, e.e_value, e.threshold)
            for e in (status.trial.evidence if status.trial else ())
        ),
    )
    return (entry, *status.decisions)[:MAX_DECISIONS]


def objectives_hash(plan: Plan) -> str:
    """Hash the objectives of a plan, so that a reader can tell whether two decisions were judged alike."""
    written = [
        (p.slo, p.objective.model_dump(mode="json", by_alias=True), p.rollback.model_dump(mode="json", by_alias=True))
        for p in plan.objectives
    ]
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()[:12]
