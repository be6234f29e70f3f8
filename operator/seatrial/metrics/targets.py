"""Which pods of a version Prometheus scrapes, and when the processes behind their counters began anew."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UP: Final = "up"
"""Prometheus's own word on each scrape, with the very timestamp of the samples that it brought."""
START: Final = "process_start_time_seconds"
"""When a process began, as nearly every client library says."""

# A target is stale after it has missed two scrapes and a bit.
_SCRAPES: Final = 3
_AT_LEAST_S: Final = 5.0
# Enough to notice that a series is not among the newest scrapes.
_REMEMBERED: Final = 64
# Some libraries derive the start from the machine's boot time, which wavers by a second.
_WAVERS_S: Final = 1.5


@dataclass(slots=True)
class Target:
    """One scrape target: a port of a pod.

    Attributes
    ----------
    at_s, healthy, interval_s
        Unix time of its newest scrape in seconds, whether it succeeded, and how long after the one before.
    scrapes
        Instants of the successful scrapes that are remembered, ascending.
    started_s
        When its process began, as it says itself.
    restarts
        Instants of the scrapes that first saw a new process, ascending.
    """

    at_s: float
    healthy: bool
    interval_s: float
    scrapes: list[float] = field(default_factory=list)
    started_s: float | None = None
    restarts: list[float] = field(default_factory=list)

    def reborn(self, seen_s: float, again_s: float) -> bool:
        """Tell whether a counter seen at two instants began again at zero in between.

        It did when its process was replaced, and when a scrape in between succeeded without showing it.
        """
        restart = bisect_left(self.restarts, again_s)
        if restart < len(self.restarts) and self.restarts[restart] == again_s:
            return True
        if restart and self.restarts[restart - 1] > seen_s:
            return True
        return self._was_missing(seen_s, again_s)

    def _was_missing(self, seen_s: float, again_s: float) -> bool:
        # Only for samples with the timestamp of their scrape: an exporter that sets its own says nothing about others.
        scrape = bisect_left(self.scrapes, again_s)
        if scrape in {0, len(self.scrapes)} or self.scrapes[scrape] != again_s or self.scrapes[scrape - 1] <= seen_s:
            return False
        return seen_s < self.scrapes[0] or self.scrapes[bisect_left(self.scrapes, seen_s)] == seen_s


class Targets:
    """Health of the scrape targets of one version.

    Parameters
    ----------
    fresh_s
        Age in seconds at which a target counts as gone, whatever its scrape interval was.
    """

    __slots__ = ("_fresh_s", "_targets", "last_healthy_s")

    def __init__(self, fresh_s: float) -> None:
        self._fresh_s = fresh_s
        self._targets: dict[tuple[str, Scraped], Target] = {}
        self.last_healthy_s: float | None = None
        """Unix time of the newest successful scrape, in seconds; None before the first."""

    def add(self, labels: Mapping[str, str], samples: Sequence[tuple[float, str]]) -> list[float]:
        """Take the samples of one ``up`` series, oldest first; return the instants of the new ones among them."""
        target = self.of(labels)
        new = [(at_s, value) for at_s, value in samples if at_s > target.at_s]
        for at_s, value in new:
            target.at_s, target.interval_s, target.healthy = at_s, at_s - target.at_s, float(value) == 1
            if target.healthy:
                target.scrapes.append(at_s)
                self.last_healthy_s = max(at_s, self.last_healthy_s or at_s)
        return [at_s for at_s, _ in new]

    def add_starts(self, labels: Mapping[str, str], samples: Sequence[tuple[float, str]]) -> None:
        """Take the samples of one ``process_start_time_seconds`` series, oldest first; known ones may come again."""
        target = self.of(labels)
        for at_s, value in samples:
            started_s = float(value)
            if started_s == target.started_s:
                continue
            if target.started_s is not None and started_s > target.started_s + _WAVERS_S:
                target.restarts.append(at_s)
            target.started_s = max(started_s, target.started_s or started_s)

    def of(self, labels: Mapping[str, str]) -> Target:
        """Return the target that a series comes from."""
        key = pod_of(labels), scraped(labels)
        target = self._targets.get(key)
        if target is None:
            target = self._targets[key] = Target(at_s=float("-inf"), healthy=False, interval_s=float("inf"))
        return target

    def trim(self) -> None:
        """Forget all but the newest scrapes and restarts."""
        for target in self._targets.values():
            del target.scrapes[:-_REMEMBERED]
            del target.restarts[:-_REMEMBERED]

    def up(self, now_s: float) -> int:
        """Count the pods of which every target that is still scraped was scraped successfully last time."""
        alive: dict[str, bool] = {}
        for (pod, _), target in self._targets.items():
            age_s = now_s - target.at_s
            if age_s <= self._fresh_s and age_s <= max(_SCRAPES * target.interval_s, _AT_LEAST_S):
                alive[pod] = alive.get(pod, True) and target.healthy
        return sum(alive.values())


class Scraped(NamedTuple):
    """Which scrape a series comes from. One pod seen twice at a time means that its requests are counted twice."""

    job: str
    instance: str


def scraped(labels: Mapping[str, str]) -> Scraped:
    """Say which scrape a series comes from."""
    return Scraped(labels.get("job", ""), labels.get("instance", ""))


def pod_of(labels: Mapping[str, str]) -> str:
    """Name the pod of a series; its address where Prometheus is set up without a ``pod`` label."""
    return labels.get("pod") or labels.get("instance", "")
