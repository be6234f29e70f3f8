"""A Prometheus that scrapes the simulated cluster: every two seconds, visible a little later, and sometimes away."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from seatrial.metrics.types import Checkpoint, Measurements, Reading
from tests.simulation.rollout.cluster import Counters

if TYPE_CHECKING:
    from seatrial.judge.dispersion import Clustering
    from seatrial.metrics.types import Request, Sli
    from tests.simulation.rollout.cluster import Cluster

SCRAPE_S = 2.0
VISIBLE_IN_S = 0.2
DISCOVERS_IN_S = 4.0
SETTLES_IN_S = 6.0
"""Age at which no earlier sample can still appear."""


@dataclass(slots=True)
class Prometheus:
    """Samples of each version's counters.

    Attributes
    ----------
    down
        Spans (from, until) in which it neither scrapes nor answers.
    """

    cluster: Cluster
    down: tuple[tuple[float, float], ...] = ()
    samples: dict[str, list[tuple[float, Counters]]] = field(default_factory=dict)
    labels: dict[str, list[tuple[float, Counters]]] = field(default_factory=dict)
    up: dict[str, int] = field(default_factory=dict)
    next_scrape_s: float = 0.0

    @property
    def away(self) -> bool:
        return any(start <= self.cluster.now_s < end for start, end in self.down)

    def step(self) -> None:
        """Scrape when it is time to."""
        now_s = self.cluster.now_s
        if now_s < self.next_scrape_s:
            return
        self.next_scrape_s = now_s + SCRAPE_S
        if self.away:
            return
        self.up = {version: pods.ready(now_s, DISCOVERS_IN_S) for version, pods in self.cluster.pods.items()}
        for version, known in self.cluster.counters.items():
            if version in self.cluster.pods:
                self.samples.setdefault(version, []).append((now_s, replace(known)))
        for (
            version,
            joined,
        ) in self.cluster.labels.items():  # told by the joiner, pods or not
            self.labels.setdefault(version, []).append((now_s, Counters(joined.total, joined.wrong)))

    def measure(self, request: Request) -> Measurements:
        """Answer as the operator's metrics source does: counts since the checkpoints, and a newer checkpoint."""
        now_s, away = self.cluster.now_s, self.away
        readings = {
            (version, sli.name): self._reading(version, sli, request.since[version, sli.name], away=away)
            for version in request.versions
            for sli in request.slis
        }
        said = "Prometheus can't be reached" if away else None
        return Measurements(now_s, said, readings, {} if away else dict(self.up))

    def _reading(self, version: str, sli: Sli, since: Checkpoint, *, away: bool) -> Reading:
        """Count from a checkpoint; nothing is kept between two looks, as if the operator had just been restarted."""
        visible_s = self.cluster.now_s - VISIBLE_IN_S
        samples = self._samples(version, sli)
        seen = bisect_right(samples, visible_s, key=lambda sample: sample[0])
        if away or not seen:
            scraped = self.up.get(version) and sli.template != "label-accuracy"
            fresh_s = visible_s if not away and scraped else None
            return Reading(since.total, since.bad, fresh_s, since)
        base = self._counts(version, sli, since.at_s)
        newest = self._counts(version, sli, visible_s)
        settled_s = max(since.at_s, visible_s - SETTLES_IN_S)
        settled = self._counts(version, sli, settled_s)
        return Reading(
            total=since.total + newest[0] - base[0],
            bad=since.bad + newest[1] - base[1],
            last_sample_s=samples[seen - 1][0],
            checkpoint=Checkpoint(
                settled_s,
                since.total + settled[0] - base[0],
                since.bad + settled[1] - base[1],
                self._clustering(version, sli, since, settled_s),
            ),
            clustering=self._clustering(version, sli, since, visible_s),
        )

    def _clustering(self, version: str, sli: Sli, since: Checkpoint, until_s: float) -> Clustering:
        """Tell how errors fell on the scrapes up to an instant."""
        found = since.clustering
        before = self._counts(version, sli, since.at_s)
        for at_s, _ in self._samples(version, sli):
            if since.at_s < at_s <= until_s:
                now = self._counts(version, sli, at_s)
                found = found.then(now[0] - before[0], now[1] - before[1])
                before = now
        return found

    def _samples(self, version: str, sli: Sli) -> list[tuple[float, Counters]]:
        return (self.labels if sli.template == "label-accuracy" else self.samples).get(version, [])

    def _counts(self, version: str, sli: Sli, at_s: float) -> tuple[int, int]:
        samples = self._samples(version, sli)
        index = bisect_right(samples, at_s, key=lambda sample: sample[0])
        if not index:
            return 0, 0
        known = samples[index - 1][1]
        return known.total, known.slow if sli.template == "http-latency" else known.errors
