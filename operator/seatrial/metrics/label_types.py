"""What is asked about labels, and what comes back: totals of a version since its first prediction, from the joiner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from seatrial.judge.labels import Bin

    Owner = tuple[str, str, str]
    """Namespace, ModelDeployment and hash of the version."""


@dataclass(frozen=True, slots=True)
class SliceCounts:
    """Labelled predictions of one group, by class; the only class of numbers is ``""``.

    Attributes
    ----------
    right, wrong
        By actual class: predictions that turned out right, and those that did not.
    predicted
        By predicted class: all of them.
    """

    right: Mapping[str, int] = field(default_factory=dict)
    wrong: Mapping[str, int] = field(default_factory=dict)
    predicted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What the joiner has counted of one version.

    Attributes
    ----------
    matured, labelled
        Predictions as old as the joiner's maturity, and those of them with a label.
    delays
        Label delays: upper edges in seconds with cumulative counts, ascending.
    bins
        Labelled predictions by stated confidence.
    squared_errors
        Sum of (confidence - right)^2.
    slices
        By name of the slice and of the group.
    maturity_s
        Age at which the joiner scores a prediction, in seconds; 0 when it doesn't say.
    """

    matured: int = 0
    labelled: int = 0
    delays: tuple[tuple[float, float], ...] = ()
    bins: tuple[Bin, ...] = ()
    squared_errors: float = 0.0
    slices: Mapping[str, Mapping[str, SliceCounts]] = field(default_factory=dict)
    maturity_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LabelReadings:
    """The answer for all versions.

    Attributes
    ----------
    at_s
        Unix time of the look, in seconds.
    unavailable
        Why Prometheus can't be read, in one sentence without secrets.
    counts
        By version; what has no series is left out.
    """

    at_s: float
    unavailable: str | None = None
    counts: Mapping[Owner, LabelCounts] = field(default_factory=dict)


class LabelSource(Protocol):
    """Where counts of labels come from."""

    async def read_labels(self, versions: Collection[str], now_s: float) -> LabelReadings:
        """Count for all versions, by hash, up to ``now_s``. Never raises for a source that is away."""
        ...
