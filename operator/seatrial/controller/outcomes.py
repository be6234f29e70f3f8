"""How versions fared, as the operator's own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

from seatrial.api.status import Outcome
from seatrial.rollout.breakage import broken_since
from seatrial.rollout.machine import ROLLBACKS
from seatrial.rollout.retrain import remedied_s

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from seatrial.api.drift import DriftStatus
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Decision

DECIDED_S = (1, 3, 10, 30, 60, 300, 900, 3600, 6 * 3600, 86_400)
WEIGHT_ZERO_S = (0.1, 0.3, 1, 3, 10, 30, 100)
HOUR_S, DAY_S = 3600, 86_400
DRIFT_DETECTION_S = (300, 900, HOUR_S, 3 * HOUR_S, 6 * HOUR_S, 12 * HOUR_S, DAY_S, 3 * DAY_S, 7 * DAY_S)
DRIFT_REMEDY_S = (HOUR_S, 6 * HOUR_S, DAY_S, 3 * DAY_S, 7 * DAY_S, 14 * DAY_S, 30 * DAY_S, 90 * DAY_S)


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
            "From the breakage of a version, as far as it is known, to the decision to roll it back",
            buckets=DECIDED_S,
            registry=registry,
        )
        self._weight_zero = Histogram(
            "seatrial_weight_zero_seconds",
            "From the decision to roll back to the gateway seen without weight for the version",
            buckets=WEIGHT_ZERO_S,
            registry=registry,
        )
        self._spent = Counter(
            "seatrial_budget_spent_ratio",
            "Error budget that versions spent up to the end of their trial, as a share of its window's",
            ["cause"],
            registry=registry,
        )
        self._drift_detection = Histogram(
            "seatrial_drift_detection_seconds",
            "From the beginning of drift of the world, as far as counts tell, to its confirmation",
            buckets=DRIFT_DETECTION_S,
            registry=registry,
        )
        self._drift_remedy = Histogram(
            "seatrial_drift_remedy_seconds",
            "From the confirmation of drift of the world to a newer version being promoted and the drift gone",
            buckets=DRIFT_REMEDY_S,
            registry=registry,
        )
        # Born at 0: a rate sees no increase in the first value of a series.
        for outcome in Outcome:
            self._trials.labels(outcome)
        for cause in ROLLBACKS:
            self._rollbacks.labels(cause)
        for cause in (*ROLLBACKS, *(outcome.lower() for outcome in Outcome if outcome is not Outcome.ROLLED_BACK)):
            self._spent.labels(cause)

    def note(self, before: ModelDeploymentStatus, decision: Decision, granted: Mapping[str, float]) -> None:
        """Count what a decision ended; called once for each decision that was recorded.

        Parameters
        ----------
        before
            The status that was decided on.
        decision
            The decision.
        granted
            Bad events (or slices) that the budget of each objective grants in its window, by ModelSLO and objective.
        """
        after = decision.status
        self._note_drift(before.drift, after.drift)
        newest = after.history[0] if after.history else None
        if newest and newest not in before.history:
            self._trials.labels(newest.outcome).inc()
            cause = decision.move if newest.outcome is Outcome.ROLLED_BACK else newest.outcome.lower()
            self._spent.labels(cause).inc(_spent(after, granted))
            if newest.outcome is Outcome.ROLLED_BACK:
                self._rollbacks.labels(decision.move).inc()
                broken_s = broken_since(before, after, decision.move)
                if broken_s is not None:
                    self._decided.observe(max(0.0, newest.ended_at - broken_s))
        drained = {entry.hash for entry in before.draining if entry.since is not None}
        for entry in after.draining:
            fate = next((e for e in after.history if e.hash == entry.hash), None)
            rolled_back = fate and fate.outcome is Outcome.ROLLED_BACK
            if fate and rolled_back and entry.since is not None and entry.hash not in drained:
                self._weight_zero.observe(max(0.0, entry.since - fate.ended_at))

    def _note_drift(self, before: DriftStatus | None, after: DriftStatus | None) -> None:
        """Time an incident when it is opened, and when it is closed."""
        old, new = before.incident if before else None, after.incident if after else None
        if not new:
            return
        same = old is not None and old.confirmed_at == new.confirmed_at
        if not same:
            self._drift_detection.observe(new.confirmed_at - new.since)
        remedied = remedied_s(new)
        if remedied is not None and not (same and old and not old.open):
            self._drift_remedy.observe(remedied)


def _spent(status: ModelDeploymentStatus, granted: Mapping[str, float]) -> float:
    """Tell which share of the window's budget a version spent, of the objective where it is most; 0 if unknown."""
    evidence = status.trial.evidence if status.trial else ()
    shares = (entry.counted.bad / budget for entry in evidence if (budget := granted.get(entry.key, 0.0)) > 0)
    return max(shares, default=0.0)
