"""A small time series database: what Prometheus would answer to the operator's queries, with every delay under control.

The real one can't be told when a scrape becomes visible; what it does otherwise is tested in tests/prometheus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seatrial.metrics.errors import BadQuery, TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seatrial.metrics.prometheus import RawSeries

_RANGE = re.compile(r"(?P<last>last_over_time\()?\{(?P<matchers>.*)\}\[(?P<ms>\d+)ms\]\)?")
_MATCHER = re.compile(r'(\w+)=~"((?:[^"\\]|\\.)*)"')


class Clock:
    """A clock that the test turns on; Unix time in seconds."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Stored:
    labels: Mapping[str, str]
    samples: list[tuple[float, str, float]] = field(default_factory=list)
    """Timestamp, value, and when it becomes visible."""


@dataclass
class Tsdb:
    """Stores scrapes and evaluates range selectors, ``last_over_time``, ``count(up)`` and groups."""

    clock: Clock
    takes_s: float = 0.0
    away: str | None = None
    refuses: str | None = None
    max_samples: int | None = None
    queries: list[str] = field(default_factory=list)
    _series: dict[tuple[tuple[str, str], ...], Stored] = field(default_factory=dict)

    def scrape(
        self,
        target: Mapping[str, str],
        at_s: float,
        page: Iterable[tuple[Mapping[str, str], float]],
        delay_s: float = 0,
    ) -> None:
        """Store a successful scrape of a page of (labels with ``__name__``, value)."""
        for labels, value in (*page, ({"__name__": "up"}, 1)):
            self._put({**target, **labels}, at_s, value, delay_s)

    def failed_scrape(self, target: Mapping[str, str], at_s: float, delay_s: float = 0) -> None:
        self._put({**target, "__name__": "up"}, at_s, 0, delay_s)

    def _put(self, labels: Mapping[str, str], at_s: float, value: float, delay_s: float) -> None:
        ordered = dict(sorted((name, text) for name, text in labels.items() if text))
        stored = self._series.setdefault(tuple(ordered.items()), Stored(ordered))
        stored.samples.append((round(at_s, 3), f"{value:.15g}", at_s + delay_s))

    async def query(self, promql: str, at_s: float) -> list[RawSeries]:
        self.queries.append(promql)
        self.clock.now_s += self.takes_s
        if self.away:
            raise Unavailable(self.away)
        if self.refuses:
            raise BadQuery(self.refuses)
        if promql == "count(up)":
            newest = self._range({"__name__": "up"}, at_s - 300, at_s)
            return [{"metric": {}, "value": (at_s, str(len(newest)))}] if newest else []
        if promql.startswith("group by"):
            return self._groups(promql, at_s)
        asked = _RANGE.fullmatch(promql)
        assert asked, promql
        matchers = {name: pattern.replace("\\\\", "\\") for name, pattern in _MATCHER.findall(asked["matchers"])}
        answer = self._range(matchers, at_s - int(asked["ms"]) / 1000, at_s)
        if self.max_samples is not None and sum(len(values) for _, values in answer) > self.max_samples:
            raise TooLarge("too much")
        if asked["last"]:
            return [{"metric": labels, "value": (at_s, values[-1][1])} for labels, values in answer]
        return [{"metric": labels, "values": values} for labels, values in answer]

    def _range(
        self, matchers: Mapping[str, str], start_s: float, end_s: float
    ) -> list[tuple[Mapping[str, str], list[tuple[float, str]]]]:
        now_s = self.clock()
        found = []
        for stored in self._series.values():
            if all(re.fullmatch(pattern, stored.labels.get(name, "")) for name, pattern in matchers.items()):
                values = [(at, text) for at, text, seen in stored.samples if start_s < at <= end_s and seen <= now_s]
                if values:
                    found.append((stored.labels, values))
        return found

    def _groups(self, promql: str, at_s: float) -> list[RawSeries]:
        wanted, selector = promql.removeprefix("group by (").split(") (", 1)
        matchers = {name: pattern.replace("\\\\", "\\") for name, pattern in _MATCHER.findall(selector)}
        groups = {
            tuple((name, labels[name]) for name in wanted.split(", ") if name in labels)
            for labels, _ in self._range(matchers, at_s - 300, at_s)
        }
        return [{"metric": dict(group), "value": (at_s, "1")} for group in groups]
