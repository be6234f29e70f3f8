"""What is asked about drift, and what comes back: counts by bin, of versions over windows and of training profiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from seatrial.judge.drift.shares import Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.judge.drift.histogram import Histogram


class Stretch(NamedTuple):
    """A stretch of time: ``length_s`` seconds that ended ``ago_s`` seconds before the look."""

    length_s: int
    ago_s: int = 0


@dataclass(frozen=True, slots=True)
class DriftAsk:
    """What one rollout wants to know.

    Attributes
    ----------
    namespace, rollout
        The ModelDeployment.
    stretches
        Which stretches of which versions, by hash. The training profile of each version comes by itself.
    """

    namespace: str
    rollout: str
    stretches: Mapping[str, frozenset[Stretch]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was counted of one version, over a stretch or in its training profile.

    Attributes
    ----------
    features, predictions
        Histogram by name of the feature or output.
    missing, out_of_range
        By feature: how many of its observations.
    invalid
        Invalid predictions of all.
    """

    features: Mapping[str, Histogram] = field(default_factory=dict)
    predictions: Mapping[str, Histogram] = field(default_factory=dict)
    missing: Mapping[str, Part] = field(default_factory=dict)
    out_of_range: Mapping[str, Part] = field(default_factory=dict)
    invalid: Part = Part(0, 0)  # noqa: RUF009 - frozen, so it can be shared


@dataclass(frozen=True, slots=True)
class DriftReadings:
    """The answer to all asks of one look.

    Attributes
    ----------
    at_s
        Unix time of the look, in seconds.
    unavailable
        Why Prometheus can't be read, in one sentence without secrets.
    seen
        By (namespace, rollout, version, stretch); what has no series is left out.
    training
        By (namespace, rollout, version): the training profile.
    mixed
        (namespace, rollout, version) of versions whose pods tell of different profiles.
    """

    at_s: float
    unavailable: str | None = None
    seen: Mapping[tuple[str, str, str, Stretch], Seen] = field(default_factory=dict)
    training: Mapping[tuple[str, str, str], Seen] = field(default_factory=dict)
    mixed: frozenset[tuple[str, str, str]] = frozenset()


class DriftSource(Protocol):
    """Where counts by bin come from."""

    async def read(self, asks: Sequence[DriftAsk], now_s: float) -> DriftReadings:
        """Count everything that is asked for, up to ``now_s``. Never raises for a source that is away."""
        ...
