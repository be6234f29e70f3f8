"""What one tick has decided: the next status, and how the cluster must look for it.

A decision names a target, not a list of actions: whatever acts compares the target with the cluster and makes them
equal. So a crash at any point is repaired by the next tick, and deciding twice does nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.status import ModelDeploymentStatus


@dataclass(frozen=True, slots=True)
class Target:
    """How the cluster must look.

    Attributes
    ----------
    weights
        Weight by version hash in the route, 0 to 100, summing to 100; empty leaves the route alone.
    replicas
        Pods by version hash. A version that is not named is removed.
    """

    weights: Mapping[str, int]
    replicas: Mapping[str, int]

    def __post_init__(self) -> None:
        """Refuse weights that don't share out all requests."""
        if self.weights and sum(self.weights.values()) != 100:  # noqa: PLR2004 - all of them, in percent
            raise ValueError(f"weights {dict(self.weights)} don't sum to 100")


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event to be: something changed that a person may want to know."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome of one tick.

    Attributes
    ----------
    status
        The status to record before anything is touched.
    target
        How the cluster must look then.
    notices
        What to tell, once it is recorded and done.
    look_again_s
        Seconds until the next look; None waits for a change.
    urgent
        The target takes weight from a version that was found bad: act even when the status can't be recorded.
    """

    status: ModelDeploymentStatus
    target: Target
    notices: tuple[Notice, ...]
    look_again_s: float | None
    urgent: bool = False
