"""Counts over long windows from a real Prometheus that remembers four days of samples, one a minute."""

from __future__ import annotations

import shutil
import subprocess
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from seatrial.metrics.budget import PrometheusBudgets
from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.errors import TooLarge
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.types import BudgetAsk, BudgetReadings, Sli, Slicing
from tests.prometheus.server import PrometheusServer, binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seatrial.metrics.prometheus import RawSeries

HOUR_S = 3600
DAY_S = 24 * HOUR_S
STEP_S = 60
NOW_S = (int(time.time()) // HOUR_S - 3) * HOUR_S + 17 * 60
FIRST_S = NOW_S - 4 * DAY_S
OLD, NEW = "aaaaaaaaaa", "bbbbbbbbbb"
AVAILABILITY = Sli("availability", template="http-availability")
LATENCY = Sli("latency", template="http-latency", threshold=Decimal("0.25"))
BETWEEN = Sli("between", template="http-latency", threshold=Decimal("0.3"))
STRICT = Sli("strict", template="http-latency", threshold=Decimal("0.3"), edge="below")
BEYOND = Sli("beyond", template="http-latency", threshold=Decimal("0.3"), edge="above")
WINDOWS_S = (300.0, 1800.0, 6.0 * HOUR_S, 1.0 * DAY_S, 3.0 * DAY_S, 28.0 * DAY_S)


def history() -> Iterator[tuple[str, str, int, int, int, int]]:
    """Write samples of (version, pod, time, good, bad, slow): a young version, a pod that ends, slow ones in fives."""
    for at_s in range(FIRST_S, NOW_S + 1, STEP_S):
        minutes = (at_s - FIRST_S) // STEP_S
        yield OLD, "old-1", at_s, 1000 + 10 * minutes, minutes // 10, minutes // 25 * 5
        if at_s < NOW_S - 2 * HOUR_S:
            yield OLD, "old-2", at_s, 10 * minutes, 0, 0
        if at_s >= NOW_S - 20 * 60:
            young = (at_s - (NOW_S - 20 * 60)) // STEP_S
            yield NEW, "new-1", at_s, 5 + 5 * young, 1 + young, 0


def openmetrics(samples: Iterator[tuple[str, str, int, int, int, int]]) -> str:
    requests, buckets = [], []
    for version, pod, at_s, good, bad, slow in samples:
        labels = f'namespace="ml",rollout_name="m",rollout_version="{version}",pod="{pod}"'
        requests.append(f"ml_model_requests_total{{{labels}}} {good} {at_s}")
        requests.append(f'ml_model_requests_total{{{labels},error_type="backend"}} {bad} {at_s}')
        for edge, count in (("0.25", good + bad - slow), ("+Inf", good + bad)):
            buckets.append(f'ml_model_request_duration_seconds_bucket{{{labels},le="{edge}"}} {count} {at_s}')
    return "\n".join(
        [
            "# TYPE ml_model_requests counter",
            *requests,
            "# TYPE ml_model_request_duration_seconds histogram",
            *buckets,
            "# EOF\n",
        ]
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the history into a database once; both versions of Prometheus read the same format."""
    folder = tmp_path_factory.mktemp("history")
    try:
        promtool = binary(2).with_name("promtool")
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    (folder / "history.txt").write_text(openmetrics(history()))
    command = [str(promtool), "tsdb", "create-blocks-from", "openmetrics", "history.txt", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return folder / "data"


@pytest.fixture
def server(program: Path, data: Path, tmp_path: Path) -> Iterator[PrometheusServer]:
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "targets.json").write_text("[]")
    with PrometheusServer(program, tmp_path) as running:
        yield running


class Counting(Prometheus):
    """A client that counts its queries."""

    def __init__(self, url: str) -> None:
        super().__init__(FixedConnection(url))
        self.queries = 0

    @override
    async def query(self, promql: str, at_s: float) -> list[RawSeries]:
        self.queries += 1
        return await super().query(promql, at_s)

    @override
    async def query_range(self, promql: str, start_s: int, end_s: int, step_s: int) -> list[RawSeries]:
        self.queries += 1
        return await super().query_range(promql, start_s, end_s, step_s)


async def test_windows_of_all_lengths_are_counted_from_hours_that_are_asked_for_once(server: PrometheusServer) -> None:
    client = Counting(server.url)
    now_s = [float(NOW_S - 10 * 60)]
    budgets = PrometheusBudgets(client, lambda: now_s[0])
    asks = [BudgetAsk("ml", "m", sli, WINDOWS_S) for sli in (AVAILABILITY, LATENCY, BETWEEN)]
    asks.append(BudgetAsk("ml", "other", AVAILABILITY, WINDOWS_S))
    before = await budgets.read(asks)
    assert before.counts["ml", "m", "availability"][300.0][NEW] == (30, 5)
    client.queries = 0
    now_s[0] = NOW_S
    readings = await budgets.read(asks)
    assert client.queries == 3 * 2 * (3 + 1 + 1), (
        "three SLI kinds, total and part; three short windows, the open hour, the new minutes"
    )
    assert readings.unavailable is None
    assert readings.at_s == NOW_S
    # Nobody knows the threshold of "between", and nobody has seen "other".
    assert readings.counts["ml", "m", "between"] == readings.counts["ml", "other", "availability"] == {}
    availability, latency = readings.counts["ml", "m", "availability"], readings.counts["ml", "m", "latency"]
    for window_s in (300.0, 1800.0, 6.0 * HOUR_S):
        assert availability[window_s] == truth(NOW_S - window_s)
    for window_s in (1.0 * DAY_S, 3.0 * DAY_S):
        # Long windows begin with the hour that is nearest to their beginning.
        assert availability[window_s] == truth(round((NOW_S - window_s) / HOUR_S) * HOUR_S)
    assert availability[28.0 * DAY_S] == truth(None)
    assert latency[6.0 * HOUR_S][OLD] == (availability[6.0 * HOUR_S][OLD][0], 14 * 5)
    assert latency[28.0 * DAY_S][NEW] == (availability[28.0 * DAY_S][NEW][0], 0)
    # Failures came alone and slow answers in fives; the young version had no slow ones to tell it by.
    assert readings.dispersion["ml", "m", "availability"] == {OLD: 1.0, NEW: 1.0}
    assert readings.dispersion["ml", "m", "latency"] == {OLD: pytest.approx(5.7, abs=0.2)}, "five of 10 to 20 a minute"
    assert readings.first_s["ml", "m", "availability"] == FIRST_S // DAY_S * DAY_S, "to the day"
    client.close()


def truth(start_s: float | None) -> dict[str, tuple[int, int]]:
    """Count what the samples after an instant show more than those before it; all of it without an instant."""
    first: dict[tuple[str, str], tuple[int, int]] = {}
    last: dict[tuple[str, str], tuple[int, int]] = {}
    for version, pod, at_s, good, bad, _ in history():
        if start_s is not None and at_s <= start_s:
            first[version, pod] = good + bad, bad
        last[version, pod] = good + bad, bad
    counts: dict[str, tuple[int, int]] = {}
    for (version, pod), (total, bad) in last.items():
        old_total, old_bad = first.get((version, pod), (0, 0))
        known_total, known_bad = counts.get(version, (0, 0))
        counts[version] = known_total + total - old_total, known_bad + bad - old_bad
    return {version: count for version, count in counts.items() if count[0]}


class Narrow(Prometheus):
    """A client that may not read what one SLI asks for."""

    @override
    async def query(self, promql: str, at_s: float) -> list[RawSeries]:
        if "bucket" in promql:
            raise TooLarge("too much")
        return await super().query(promql, at_s)


async def test_an_sli_that_can_not_be_read_takes_no_other_budget_with_it(server: PrometheusServer) -> None:
    client = Narrow(FixedConnection(server.url))
    asks = [BudgetAsk("ml", "m", sli, (300.0,)) for sli in (LATENCY, AVAILABILITY)]
    readings = await PrometheusBudgets(client, lambda: NOW_S).read(asks)
    assert readings.unavailable is None
    assert list(readings.counts) == [("ml", "m", "availability")]
    client.close()


async def test_a_prometheus_that_is_away_is_said(server: PrometheusServer) -> None:
    client = Prometheus(FixedConnection(server.url))
    server.stop()
    readings = await PrometheusBudgets(client, lambda: NOW_S).read([BudgetAsk("ml", "m", AVAILABILITY, WINDOWS_S)])
    assert readings == BudgetReadings(NOW_S, f"Prometheus at {server.url} can't be reached: nothing listens there", {})
    client.close()


async def test_budgets_count_at_the_declared_neighbour_of_a_threshold(server: PrometheusServer) -> None:
    """Of the edges 0.25 and +Inf only the former can stand in for 0.3."""
    prometheus = Prometheus(FixedConnection(server.url))
    budgets = PrometheusBudgets(prometheus, lambda: NOW_S)
    readings = await budgets.read([BudgetAsk("ml", "m", sli, WINDOWS_S) for sli in (LATENCY, STRICT, BEYOND)])
    prometheus.close()
    assert readings.unavailable is None
    assert readings.counts["ml", "m", "strict"] == readings.counts["ml", "m", "latency"]
    assert readings.counts["ml", "m", "strict"][6.0 * HOUR_S][OLD][1] == 14 * 5
    assert ("ml", "m", "beyond") not in readings.counts
    assert list(readings.notes) == [("ml", "m", "strict")]
    assert "so 0.25 counts, the edge below it" in readings.notes["ml", "m", "strict"]


SLICES = Slicing(length_s=60, good=Decimal(80), min_events=8)


def sliced(start_s: float, kind: int) -> dict[str, tuple[int, int]]:
    """Count the minutes after an instant that had enough events, and those of them with too few good ones."""
    seen: dict[tuple[str, int], list[int]] = {}
    before: dict[str, tuple[int, int]] = {}
    for version, pod, at_s, good, bad, slow in history():
        now = (good + bad, (bad, slow)[kind])
        born = (0, 0) if at_s > FIRST_S else now
        known = before.get(pod, born)
        minute = seen.setdefault((version, at_s), [0, 0])
        minute[0] += now[0] - known[0]
        minute[1] += now[1] - known[1]
        before[pod] = now
    counts: dict[str, tuple[int, int]] = {}
    for (version, at_s), (total, bad) in seen.items():
        if at_s > start_s and total >= SLICES.min_events:
            slices, flawed = counts.get(version, (0, 0))
            counts[version] = slices + 1, flawed + ((total - bad) * 100 < SLICES.good * total)
    return counts


@pytest.mark.parametrize(("sli", "kind"), [(AVAILABILITY, 0), (LATENCY, 1)], ids=["counters", "histogram"])
async def test_slices_of_time_are_counted_in_windows_of_all_lengths(
    server: PrometheusServer, sli: Sli, kind: int
) -> None:
    prometheus = Counting(server.url)
    now_s = [float(NOW_S - 60)]
    budgets = PrometheusBudgets(prometheus, lambda: now_s[0])
    asks = [BudgetAsk("ml", "m", sli, WINDOWS_S, SLICES)]
    await budgets.read(asks)
    prometheus.queries, now_s[0] = 0, NOW_S
    readings = await budgets.read(asks)
    prometheus.close()
    assert prometheus.queries == 2 * (3 + 1), "three short windows and the open hour; the past is known"
    counts = readings.counts["ml", "m", sli.name]
    for window_s in (300.0, 1800.0, 6.0 * HOUR_S):
        assert counts[window_s] == sliced(NOW_S - window_s, kind), window_s
    for window_s in (1.0 * DAY_S, 3.0 * DAY_S):
        assert counts[window_s] == sliced(round((NOW_S - window_s) / HOUR_S) * HOUR_S, kind), window_s
    assert counts[300.0][OLD][0] == 5
    assert counts[6.0 * HOUR_S][OLD][1] == (0, 14)[kind], "five slow ones of ten or twenty are too many, one is not"
    assert readings.dispersion["ml", "m", sli.name] == {}, "slices are not tested, so nobody asks how they cluster"


async def test_without_its_bucket_no_slice_is_called_bad(server: PrometheusServer) -> None:
    prometheus = Prometheus(FixedConnection(server.url))
    readings = await PrometheusBudgets(prometheus, lambda: NOW_S).read(
        [BudgetAsk("ml", "m", BETWEEN, WINDOWS_S, SLICES)]
    )
    prometheus.close()
    assert readings.counts["ml", "m", "between"] == {}
