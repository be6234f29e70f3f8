"""What the operator asks of a metrics source, and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from seatrial.api.fields import parse_threshold
from seatrial.judge.dispersion import NO_EVENTS, Clustering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from seatrial.api import model_slo


Edge = Literal["exact", "below", "above"]
"""What counts instead of a threshold that is no edge of the histogram: nothing, or one of its neighbours."""


@dataclass(frozen=True, slots=True)
class Sli:
    """One service level indicator as a ModelSLO declares it: a template of a server, or two selectors of one's own.

    Attributes
    ----------
    name
        Name of the objective that it belongs to.
    template, server
        Name of a template and of the server whose metrics it knows (``metrics/templates/*.yaml``).
    threshold
        For templates with a histogram: an event is good when it took at most so many seconds, or when what it measured
        was at most so large. Must be an edge of the server's histogram, unless ``edge`` names a neighbour.
    good, total
        Plain series selectors of counters that hold ``$selector`` once inside their braces, for example
        ``app_requests_total{code!~"5..",$selector}``. What ``good`` counts must be a part of what ``total`` counts.
    where
        For templates: labels that the series must have besides, with their values.
    edge
        Which edge of the histogram counts when the threshold is none.
    spread
        Whether the edges of the histogram are wanted in ``Reading.edges``.
    """

    name: str
    template: str | None = None
    server: str | None = None
    threshold: Decimal | None = None
    good: str | None = None
    total: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    edge: Edge = "exact"
    spread: bool = False

    @classmethod
    def declared(cls, name: str, sli: model_slo.Sli) -> Sli:
        """Take an SLI from a ModelSLO."""
        return cls(
            name=name,
            template=sli.template,
            server=sli.server,
            threshold=parse_threshold(sli.threshold) if sli.threshold else None,
            good=sli.good,
            total=sli.total,
            where=tuple(sorted(sli.where.items())) if sli.where else (),
            edge=sli.edge,
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Settled totals: everything that samples with a timestamp of at most ``at_s`` say, and nothing of later ones.

    Counting goes on from a checkpoint without losing or repeating a request, so it is what status stores.
    A trial starts with ``Checkpoint(trial_start_s, 0, 0)``.

    Attributes
    ----------
    at_s
        Unix time in seconds. Prometheus keeps milliseconds: store at least three decimals.
    total, bad
        Requests since the trial began, and how many of them were bad.
    clustering
        How the bad ones fell on the scrapes up to it. Two checkpoints with the same counts are the same without it.
    """

    at_s: float
    total: int
    bad: int
    clustering: Clustering = field(default=NO_EVENTS, compare=False)


@dataclass(frozen=True, slots=True)
class Request:
    """What one rollout wants to know.

    Attributes
    ----------
    namespace, rollout
        The ModelDeployment.
    versions
        Hashes of the versions to count. Their ``targets_up`` is answered even when there is no SLI.
    slis
        The indicators to count for each of these versions.
    since
        Where to count from, by (version, ``sli.name``); one entry for each pair.

    Raises
    ------
    ValueError
        When a pair of version and SLI has no checkpoint.
    """

    namespace: str
    rollout: str
    versions: tuple[str, ...]
    slis: tuple[Sli, ...]
    since: Mapping[tuple[str, str], Checkpoint]

    def __post_init__(self) -> None:
        missing = [(v, s.name) for v in self.versions for s in self.slis if (v, s.name) not in self.since]
        if missing:
            raise ValueError(f"{self.namespace}/{self.rollout}: no checkpoint to count from for {missing}")


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts of one SLI of one version.

    Attributes
    ----------
    total, bad
        Requests since the trial began, by the newest scrape of each pod; ``0 <= bad <= total``.
    last_sample_s
        Unix time of the version's newest successful scrape, in seconds; None before the first. A version that is
        scraped and has not served a request yet is fresh, with a total of 0.
    checkpoint
        Where to go on from after a restart; lags behind so that nothing earlier can still appear.
    problem
        Why these counts can't be used, in one sentence for the user; the counts then stand where they were.
    clustering
        How the bad requests fell on the scrapes.
    edge
        The bucket edge up to which events are good, in the metric's own unit; None without one, or before it was seen.
    note
        Which edge counts instead of the threshold, and what that means; None when the threshold is an edge.
    edges
        All edges of the histogram as thresholds, ascending, where they are wanted and once they are known.
    """

    total: int
    bad: int
    last_sample_s: float | None
    checkpoint: Checkpoint
    problem: str | None = None
    clustering: Clustering = NO_EVENTS
    edge: float | None = None
    note: str | None = None
    edges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurements:
    """The answer to a Request.

    Attributes
    ----------
    at_s
        Unix time of the look, in seconds.
    unavailable
        Why Prometheus can't be read, in one sentence without secrets; the readings are then the last known ones.
    readings
        By (version, ``sli.name``); one for each pair of the request.
    targets_up
        By version: how many of its pods Prometheus scrapes successfully right now.
    unlabelled
        By version without any such pod: those that Prometheus scrapes without the labels that name the version.
    """

    at_s: float
    unavailable: str | None
    readings: Mapping[tuple[str, str], Reading]
    targets_up: Mapping[str, int]
    unlabelled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class MetricSource(Protocol):
    """Where counts come from."""

    async def measure(self, request: Request) -> Measurements:
        """Count up to now. Never raises for a source that is away: that is ``Measurements.unavailable``."""
        ...

    def forget(self, namespace: str, rollout: str) -> None:
        """Drop what is kept about a rollout whose trial is over."""
        ...


@dataclass(frozen=True, slots=True)
class Slicing:
    """How time is cut into slices that are good or bad as a whole.

    Attributes
    ----------
    length_s
        Length of a slice in seconds; goes into an hour without a rest.
    good
        Percent of a slice's events that must be good.
    min_events
        Events that a slice must have to count.
    """

    length_s: int
    good: Decimal
    min_events: int


@dataclass(frozen=True, slots=True)
class BudgetAsk:
    """What one rollout's budget needs to know.

    Attributes
    ----------
    namespace, rollout
        The ModelDeployment.
    sli
        The indicator.
    windows_s
        Lengths of the windows that end now, in seconds.
    slices
        How slices of time are counted; None for events.
    """

    namespace: str
    rollout: str
    sli: Sli
    windows_s: tuple[float, ...]
    slices: Slicing | None = None


@dataclass(frozen=True, slots=True)
class BudgetReadings:
    """The answer to all asks of one round.

    Attributes
    ----------
    at_s
        Unix time of the round, in seconds.
    unavailable
        Why Prometheus can't be read, in one sentence without secrets.
    counts
        By (namespace, rollout, ``sli.name``), length of the window and version: total and bad,
        ``0 <= bad <= total``. What has no series is left out.
    dispersion
        By (namespace, rollout, ``sli.name``) and version: how clustered its bad events of the last hours were, by
        ``judge.dispersion.usual_dispersion``. What can't be told is left out.
    first_s
        By (namespace, rollout, ``sli.name``): Unix time of the first hour with events in the longest window. Without
        finished hours nothing is said.
    notes
        By (namespace, rollout, ``sli.name``): which edge counts instead of a threshold that is none.
    """

    at_s: float
    unavailable: str | None
    counts: Mapping[tuple[str, str, str], Mapping[float, Mapping[str, tuple[int, int]]]]
    dispersion: Mapping[tuple[str, str, str], Mapping[str, float]] = field(default_factory=dict)
    first_s: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    notes: Mapping[tuple[str, str, str], str] = field(default_factory=dict)


class BudgetSource(Protocol):
    """Where counts over long windows come from."""

    async def read(self, asks: Sequence[BudgetAsk]) -> BudgetReadings:
        """Count all windows of all asks. Never raises for a source that is away."""
        ...
