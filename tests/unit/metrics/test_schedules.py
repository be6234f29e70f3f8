"""Any schedule of looks, restarts of the operator and outages of Prometheus gives the totals of one look at the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.metrics.source import Horizons, PrometheusSource
from seatrial.metrics.types import Checkpoint, Request, Sli
from tests.unit.metrics.tsdb import Clock, Tsdb

VERSION = "aaaaaaaaaa"
BEGAN_S = 1_000_000.0
INTERVAL_S = 2.0
SETTLE_S = 5.0
SCRAPES = 40
SLIS = (
    Sli("availability", good='requests_total{code!~"5..",$selector}', total="requests_total{$selector}"),
    Sli("latency", good='seconds_bucket{le="0.25",$selector}', total="seconds_count{$selector}"),
)


@dataclass
class Scrape:
    """What a pod did before a scrape, and how the scrape went."""

    good: int
    bad: int
    slow: int
    restarted: bool
    failed: bool
    delay_s: float


@dataclass
class Life:
    """A pod: its phase within the scrape interval, when it is born, and its scrapes until it vanishes."""

    phase_s: float
    born: int
    scrapes: list[Scrape]
    old_good: int = 0
    truth: list[int] = field(default_factory=lambda: [0, 0, 0])


_SCRAPE = st.builds(
    Scrape,
    good=st.integers(0, 5),
    bad=st.integers(0, 3),
    slow=st.integers(0, 2),
    restarted=st.integers(0, 9).map(lambda n: n == 0),
    failed=st.integers(0, 9).map(lambda n: n == 0),
    delay_s=st.sampled_from([0.0, 0.0, 0.5, SETTLE_S - 0.1]),
)
_LIFE = st.builds(
    Life,
    phase_s=st.sampled_from([0.0, 0.25, 0.999, 1.5]),
    born=st.integers(0, SCRAPES - 1),
    scrapes=st.lists(_SCRAPE, min_size=1, max_size=SCRAPES),
    old_good=st.sampled_from([0, 1000]),
)
_LOOK = st.tuples(
    st.floats(0.1, 15.0, allow_nan=False),
    st.sampled_from(["look", "look", "look", "restart", "away"]),
)


def write(tsdb: Tsdb, name: str, life: Life) -> None:
    """Scrape a pod's life into the database and note what these scrapes truly showed.

    What a process counted after its last scrape is lost to everybody.
    """
    target = {"namespace": "ml", "rollout_name": "m", "rollout_version": VERSION, "pod": name, "job": "pods"}
    started_s = BEGAN_S - 1000
    counts = [life.old_good if life.born == 0 else 0, 0, 0]
    if life.born == 0:
        for before in (3, 2, 1):
            tsdb.scrape(target, BEGAN_S - before * INTERVAL_S, _page(started_s, *counts))
    shown, shown_started_s, seen_s = list(counts), started_s, BEGAN_S
    for number, scrape in enumerate(life.scrapes[: SCRAPES - life.born]):
        at_s = BEGAN_S + 0.1 + life.phase_s + (life.born + number) * INTERVAL_S
        if scrape.restarted:
            started_s, counts = at_s - 1, [0, 0, 0]
        counts = [count + more for count, more in zip(counts, (scrape.good, scrape.bad, scrape.slow), strict=True)]
        if scrape.failed:
            tsdb.failed_scrape(target, at_s, max(seen_s - at_s, 0))
            continue
        # A target's scrapes become visible in their order.
        seen_s = max(seen_s, at_s + scrape.delay_s)
        tsdb.scrape(target, at_s, _page(started_s, *counts), seen_s - at_s)
        baseline = shown if shown_started_s == started_s else [0, 0, 0]
        life.truth = [truth + now - then for truth, now, then in zip(life.truth, counts, baseline, strict=True)]
        shown, shown_started_s = list(counts), started_s


def _page(started_s: float, good: int, bad: int, slow: int) -> list[tuple[dict[str, str], float]]:
    page: list[tuple[dict[str, str], float]] = [
        ({"__name__": "process_start_time_seconds"}, started_s),
        ({"__name__": "requests_total", "code": "200"}, good + slow),
        ({"__name__": "seconds_count"}, good + bad + slow),
        ({"__name__": "seconds_bucket", "le": "0.25"}, good + bad),
        ({"__name__": "seconds_bucket", "le": "+Inf"}, good + bad + slow),
    ]
    return page + ([({"__name__": "requests_total", "code": "500"}, bad)] if bad else [])


class Operator:
    """Looks at moments of its schedule; its checkpoints survive its restarts."""

    def __init__(self, tsdb: Tsdb, clock: Clock) -> None:
        self._tsdb = tsdb
        self._clock = clock
        self._since = {(VERSION, sli.name): Checkpoint(BEGAN_S, 0, 0) for sli in SLIS}
        self.restart()

    def restart(self) -> None:
        self._source = PrometheusSource(
            self._tsdb, 0, self._clock, Horizons(settle_s=SETTLE_S, lookback_s=600, chunk_s=20)
        )

    def look(self) -> dict[str, tuple[int, int]]:
        measured = asyncio.run(self._source.measure(Request("ml", "m", (VERSION,), SLIS, self._since)))
        self._since = {key: reading.checkpoint for key, reading in measured.readings.items()}
        self.clustering = {name: reading.clustering for (_, name), reading in measured.readings.items()}
        for reading in measured.readings.values():
            assert 0 <= reading.bad <= reading.total
            assert 0 <= reading.checkpoint.bad <= reading.checkpoint.total <= reading.total
            assert reading.problem is None
        return {name: (reading.total, reading.bad) for (_, name), reading in measured.readings.items()}


@settings(max_examples=150, deadline=None)
@given(lives=st.lists(_LIFE, min_size=1, max_size=3), schedule=st.lists(_LOOK, max_size=25))
def test_every_schedule_counts_the_same(lives: list[Life], schedule: list[tuple[float, str]]) -> None:
    clock = Clock(BEGAN_S + 0.05)
    tsdb = Tsdb(clock)
    tsdb.scrape({"job": "self"}, BEGAN_S - 10, [])
    for number, life in enumerate(lives):
        life.truth = [0, 0, 0]
        write(tsdb, f"pod-{number}", life)
    operator = Operator(tsdb, clock)
    before = {sli.name: (0, 0) for sli in SLIS}
    for wait_s, deed in schedule:
        clock.now_s += wait_s
        tsdb.away = "away" if deed == "away" else None
        if deed == "restart":
            operator.restart()
        counts = operator.look()
        assert all(counts[name] >= before[name] for name in counts) or deed == "restart"
        before = counts
    tsdb.away = None
    clock.now_s = max(clock.now_s, BEGAN_S + SCRAPES * INTERVAL_S) + SETTLE_S + 10
    afresh = Operator(tsdb, clock)
    once = afresh.look()
    assert operator.look() == once
    assert operator.clustering == afresh.clustering
    good, bad, slow = (sum(life.truth[index] for life in lives) for index in range(3))
    assert once == {"availability": (good + bad + slow, bad), "latency": (good + bad + slow, slow)}
