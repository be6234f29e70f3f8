"""How versions fared, as the operator's own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

from seatrial.api.status import Outcome

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Decision

DECIDED_S = (1, 3, 10, 30, 60, 300, 900, 3600, 6 * 3600, 86_400)
WEIGHT_ZERO_S = (0.1, 0.3, 1, 3, 10, 30, 100)


class Outcomes:
    """Counts outcomes, causes and times.

    Parameters
    ----------
    registry
        Where the metrics are kept.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._trials = Counter("seatrial_trials", "Versions by how they fared", ["outcome"], registry=registry)
        self._rollbacks = Counter("seatrial_rollbacks", "Rollbacks by what decided", ["cause"], registry=registry)
        self._decided = Histogram(
            "seatrial_rollback_decision_seconds",
            "From a version's first weight to the decision to roll it back",
            buckets=DECIDED_S,
            registry=registry,
        )
        self._weight_zero = Histogram(
            "seatrial_weight_zero_seconds",
            "From the decision to roll back to the gateway seen without weight for the version",
            buckets=WEIGHT_ZERO_S,
            registry=registry,
        )
        for outcome in Outcome:
            self._trials.labels(outcome)

    def note(self, before: ModelDeploymentStatus, decision: Decision) -> None:
        """Count what a decision ended; called once for each decision that was recorded."""
        after = decision.status
        newest = after.history[0] if after.history else None
        if newest and newest not in before.history:
            self._trials.labels(newest.outcome).inc()
            if newest.outcome is Outcome.ROLLED_BACK:
                self._rollbacks.labels(decision.move).inc()
                weighted_at = before.trial.weighted_at if before.trial else None
                if weighted_at is not None:
                    self._decided.observe(newest.ended_at - weighted_at)
        drained = {entry.hash for entry in before.draining if entry.since is not None}
        for entry in after.draining:
            fate = next((e for e in after.history if e.hash == entry.hash), None)
            rolled_back = fate and fate.outcome is Outcome.ROLLED_BACK
            if fate and rolled_back and entry.since is not None and entry.hash not in drained:
                self._weight_zero.observe(max(0.0, entry.since - fate.ended_at))
