"""What one tick has decided: the next status, and how the cluster must look for it.

A decision names a target, not a list of actions: whatever acts compares the target with the cluster and makes them
equal. So a crash at any point is repaired by the next tick, and deciding twice does nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.capacity import Scaling


@dataclass(frozen=True, slots=True)
class Mirror:
    """Copies of requests: ``percent`` of them go to ``version`` as well, and its answers are thrown away."""

    version: str
    percent: int


@dataclass(frozen=True, slots=True)
class Group:
    """Requests with this header or cookie (one of both is named) go to ``version``, whatever the weights say."""

    version: str
    value: str
    header: str | None = None
    cookie: str | None = None


@dataclass(frozen=True, slots=True)
class Stickiness:
    """Users keep their version by a cookie; those of another ``epoch`` are dealt anew."""

    cookie: str
    max_age_s: float
    epoch: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Host names that lead to ``version`` alone."""

    version: str
    hostnames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fallback:
    """A Service of the user's that answers instead of all versions while ``active``; else it waits at weight 0."""

    name: str
    port: int
    active: bool = False


@dataclass(frozen=True, slots=True)
class Division:
    """How requests are divided among versions.

    Attributes
    ----------
    weights
        Weight by version hash, 0 to 100, summing to 100; empty leaves the route alone.
    mirror, group, sticky, preview
        What a step of the trial asks for besides.
    fallback
        Who answers when no version should; None when the user names none.
    """

    weights: Mapping[str, int]
    mirror: Mirror | None = None
    group: Group | None = None
    sticky: Stickiness | None = None
    preview: Preview | None = None
    fallback: Fallback | None = None

    def __post_init__(self) -> None:
        """Refuse weights that don't share out all requests."""
        if self.weights and sum(self.weights.values()) != 100:  # noqa: PLR2004 - all of them, in percent
            raise ValueError(f"weights {dict(self.weights)} don't sum to 100")


@dataclass(frozen=True, slots=True)
class Target:
    """How the cluster must look.

    Attributes
    ----------
    division
        How requests are divided.
    replicas
        Pods by version hash. A version that is not named is removed. For an autoscaled version that is what it has.
    scaling
        Bounds of the autoscaler by version hash, for versions that have one.
    adopted
        Pods of the adopted Deployment; None leaves it as it is.
    held
        Whether the ModelDeployment's end has to wait for it.
    """

    division: Division
    replicas: Mapping[str, int]
    scaling: Mapping[str, Scaling] = field(default_factory=dict)
    adopted: int | None = None
    held: bool = False

    @property
    def weights(self) -> Mapping[str, int]:
        """Weight by version hash."""
        return self.division.weights


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
    move
        Name of the row of the phase table that was taken; empty when none was.
    """

    status: ModelDeploymentStatus
    target: Target
    notices: tuple[Notice, ...]
    look_again_s: float | None
    urgent: bool = False
    move: str = ""
