"""Which pods of a version Prometheus scrapes, by the ``up`` series that it writes with every scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UP = "up"

# A target is stale after it has missed two scrapes and a bit.
_SCRAPES = 3
_AT_LEAST_S = 5.0


class _Target(NamedTuple):
    at_s: float
    healthy: bool
    interval_s: float


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
        self._targets: dict[tuple[str, Scraped], _Target] = {}
        self.last_healthy_s: float | None = None
        """Unix time of the newest successful scrape, in seconds; None before the first."""

    def add(self, labels: Mapping[str, str], samples: Sequence[tuple[float, str]]) -> None:
        """Take the samples of one ``up`` series, oldest first."""
        key = pod_of(labels), scraped(labels)
        known = self._targets.get(key)
        for at_s, value in samples:
            if known is not None and at_s <= known.at_s:
                continue
            interval_s = at_s - known.at_s if known else self._fresh_s
            known = _Target(at_s, float(value) == 1, interval_s)
            if known.healthy:
                self.last_healthy_s = max(at_s, self.last_healthy_s or at_s)
        if known is not None:
            self._targets[key] = known

    def up(self, now_s: float) -> int:
        """Count the pods of which every target that is still scraped was scraped successfully last time."""
        alive: dict[str, bool] = {}
        for key, target in list(self._targets.items()):
            age_s = now_s - target.at_s
            if age_s > self._fresh_s:
                del self._targets[key]
            elif age_s <= max(_SCRAPES * target.interval_s, _AT_LEAST_S):
                pod, _ = key
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
