"""Exact counts from a real Prometheus, whatever happens to pods, to Prometheus and to the operator."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.source import Horizons, PrometheusSource
from seatrial.metrics.types import Checkpoint, Measurements, Reading, Request, Sli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.prometheus.pods import Pod, Pods
    from tests.prometheus.server import PrometheusServer

V1, V2 = "aaaaaaaaaa", "bbbbbbbbbb"
AVAILABILITY = Sli("availability", template="http-availability")
LATENCY = Sli("latency", template="http-latency", threshold=Decimal("0.25"))
TRIES = 100
HORIZONS = Horizons(settle_s=1.0, lookback_s=600.0, fresh_s=10.0, chunk_s=5.0)


class Operator:
    """What the operator keeps: a source in memory, and checkpoints that survive it."""

    def __init__(self, url: str, *slis: Sli, versions: tuple[str, ...] = (V1,)) -> None:
        self._client = Prometheus(FixedConnection(url), timeout_s=5)
        self._slis = slis
        self._versions = versions
        now_s = time.time()
        self._since = {(version, sli.name): Checkpoint(now_s, 0, 0) for version in versions for sli in slis}
        self.restart()

    def restart(self) -> None:
        self._source = PrometheusSource(self._client, 0, time.time, HORIZONS)

    async def look(self) -> Measurements:
        asked_s = time.time()
        request = Request("ml", "model", self._versions, self._slis, self._since)
        # What a look has found that took long, as on a busy machine, is shared for a while.
        while (measured := await self._source.measure(request)).at_s < asked_s:  # noqa: ASYNC110 # nobody tells when it is over
            await asyncio.sleep(0.05)
        self._since = {key: reading.checkpoint for key, reading in measured.readings.items()}
        return measured

    async def counts(self, sli: Sli = AVAILABILITY, version: str = V1) -> tuple[int, int]:
        measured = await self.look()
        assert measured.unavailable is None
        reading = measured.readings[version, sli.name]
        assert reading.problem is None
        return reading.total, reading.bad

    async def counted(self, wanted: tuple[int, int], sli: Sli = AVAILABILITY, version: str = V1) -> None:
        """Look until the counts are as wanted: a busy machine shows a scrape late, and what is too much would stay."""
        for _ in range(TRIES):
            found = await self.counts(sli, version)
            if found == wanted:
                break
            await asyncio.sleep(0.1)
        assert found == wanted

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def operator(server: PrometheusServer) -> Iterator[Operator]:
    running = Operator(server.url, AVAILABILITY, LATENCY, versions=(V1, V2))
    yield running
    running.close()


async def test_a_stable_pod_counts_from_the_trial_and_a_new_pod_from_zero(
    server: PrometheusServer, pods: Pods, one: Pod
) -> None:
    one.serve(500, bad=20)
    pods.scraped(one)
    operator = Operator(server.url, AVAILABILITY, LATENCY, versions=(V1, V2))
    pods.scraped(one)
    one.serve(7, bad=1, slow=2)
    new = pods.start("new", version=V2)
    new.serve(5, bad=3)
    pods.scraped(one, new)
    for _ in range(2):
        await operator.counted((10, 1), AVAILABILITY, V1)
        await operator.counted((8, 3), AVAILABILITY, V2)
        await operator.counted((10, 2), LATENCY, V1)
        operator.restart()
    operator.close()


async def test_process_restarts_and_vanished_pods_lose_nothing(
    operator: Operator, pods: Pods, one: Pod, two: Pod
) -> None:
    one.serve(10)
    two.serve(20, bad=2)
    pods.scraped(one, two)
    await operator.counted((32, 2))
    one.restart()
    one.serve(4, bad=4)
    pods.scraped(one)
    pods.delete(two)
    await operator.counted((40, 6))
    await asyncio.sleep(6)
    await operator.counted((40, 6))
    operator.restart()
    await operator.counted((40, 6))
    assert (await operator.look()).targets_up[V1] == 1


async def test_a_crash_loop_with_the_same_errors_each_time_is_counted_each_time(
    operator: Operator, pods: Pods, one: Pod
) -> None:
    for loop in range(1, 5):
        one.serve(2, bad=3)
        pods.scraped(one)
        await operator.counted((5 * loop, 3 * loop))
        one.restart()
        pods.scraped(one)
        if loop % 2:
            operator.restart()
    await asyncio.sleep(2)
    operator.restart()
    await operator.counted((20, 12))


async def test_a_prometheus_that_was_away_is_said_and_nothing_is_lost(
    server: PrometheusServer, operator: Operator, pods: Pods, one: Pod
) -> None:
    one.serve(10, bad=1)
    pods.scraped(one)
    await operator.counted((11, 1))
    server.stop()
    one.serve(100, bad=10)
    await asyncio.sleep(2)  # what the last look saw is shared for a while
    away = await operator.look()
    assert away.unavailable == f"Prometheus at {server.url} can't be reached: nothing listens there"
    assert away.readings[V1, "availability"].total == 11
    operator.restart()
    assert (await operator.look()).unavailable
    server.start()
    pods.scraped(one)
    await operator.counted((121, 11))
    one.restart()
    one.serve(3)
    pods.scraped(one)
    await operator.counted((124, 11))


async def test_an_operator_that_was_away_catches_up(operator: Operator, pods: Pods, one: Pod) -> None:
    one.tells_start = True
    one.restart()
    one.serve(10)
    pods.scraped(one)
    await asyncio.sleep(2)
    await operator.counted((10, 0))
    for turn in range(5):
        one.restart()
        one.serve(9 - turn, bad=1)
        pods.scraped(one)
        await asyncio.sleep(2)
    operator.restart()
    # The one error of each process looks like the one before: only the start of the process tells them apart.
    await operator.counted((10 + 10 + 9 + 8 + 7 + 6, 5))


async def test_looks_during_traffic_and_slow_scrapes_never_tear_a_scrape_apart(
    operator: Operator, pods: Pods, one: Pod, two: Pod
) -> None:
    two.delay_s = 0.15
    served = 0
    before = Reading(0, 0, None, Checkpoint(0, 0, 0))
    for turn in range(60):
        for pod in (one, two):
            pod.serve(3, bad=2, slow=1)
            served += 6
        if turn % 7 == 0:
            operator.restart()
        reading = (await operator.look()).readings[V1, "availability"]
        assert 0 <= reading.bad <= reading.total <= served
        assert reading.total >= before.total
        assert reading.bad >= before.bad
        before = reading
        await asyncio.sleep(0.05)
    pods.scraped(one, two)
    await operator.counted((720, 240))
    await operator.counted((720, 120), LATENCY)


async def test_targets_that_die_are_seen(operator: Operator, pods: Pods, one: Pod, two: Pod) -> None:
    measured = await operator.look()
    assert measured.targets_up == {V1: 2, V2: 0}
    alive = measured.readings[V1, "availability"]
    assert alive.total == 0
    assert alive.last_sample_s is not None
    assert time.time() - alive.last_sample_s < 2
    assert measured.readings[V2, "availability"].last_sample_s is None
    two.healthy = False
    await asyncio.sleep(1.0)
    assert (await operator.look()).targets_up == {V1: 1, V2: 0}
    one.healthy = False
    await asyncio.sleep(1.0)
    dead = await operator.look()
    assert dead.unavailable is None
    assert dead.targets_up == {V1: 0, V2: 0}
    last_s = dead.readings[V1, "availability"].last_sample_s
    assert last_s is not None
    assert 0.7 < time.time() - last_s < 5
    pods.delete(two)
    one.healthy = True
    pods.scraped(one)
    await asyncio.sleep(6)
    assert (await operator.look()).targets_up == {V1: 1, V2: 0}


async def test_a_threshold_between_two_edges_is_refused_with_the_edges_that_exist(
    server: PrometheusServer, pods: Pods, one: Pod
) -> None:
    between = Sli("between", template="http-latency", threshold=Decimal("0.3"))
    operator = Operator(server.url, AVAILABILITY, between)
    one.serve(10, bad=1)
    pods.scraped(one)
    for _ in range(2):
        measured = await operator.look()
        assert measured.readings[V1, "availability"].total == 11
        refused = measured.readings[V1, "between"]
        assert (refused.total, refused.bad) == (0, 0)
        assert refused.problem == (
            "no bucket of ml_model_request_duration_seconds_bucket ends at 0.3, so it can't be told which requests "
            "were that fast; its edges are 0.1, 0.25, 1: choose one of them as the threshold"
        )
    operator.close()


async def test_the_declared_neighbour_of_a_threshold_counts_and_is_told(
    server: PrometheusServer, pods: Pods, one: Pod
) -> None:
    """Between the edges 0.25 and 1, where the slow ones lie: bad by the strict neighbour, good by the lenient one."""
    strict, lenient = (
        Sli(edge, template="http-latency", threshold=Decimal("0.6"), edge=edge) for edge in ("below", "above")
    )
    exact = Sli("exact", template="http-latency", threshold=Decimal("0.25"), edge="below")
    beyond = Sli("beyond", template="http-latency", threshold=Decimal(3), edge="above")
    operator = Operator(server.url, strict, lenient, exact, beyond)
    one.serve(10, slow=4)
    one.page.answer("", 7.0)
    pods.scraped(one)
    for turn in range(3):
        await operator.counted((15, 5), strict)
        await operator.counted((15, 1), lenient)
        await operator.counted((15, 5), exact)
        readings = (await operator.look()).readings
        assert (readings[V1, "below"].edge, readings[V1, "above"].edge) == (0.25, 1.0)
        assert readings[V1, "below"].note == (
            "no bucket of ml_model_request_duration_seconds_bucket ends at 0.6, so 0.25 counts, the edge below it: "
            "what lies between counts as bad"
        )
        assert (readings[V1, "above"].note or "").endswith(
            "1 counts, the edge above it: what lies between counts as good"
        )
        assert readings[V1, "exact"].note is None
        assert "ends at 3, and none above it" in (readings[V1, "beyond"].problem or "")
        if turn == 1:
            operator.restart()
    one.restart()
    one.serve(1, slow=2)
    pods.scraped(one)
    await operator.counted((18, 7), strict)
    operator.close()


async def test_an_edge_is_a_number_however_it_is_spelled(server: PrometheusServer, pods: Pods, one: Pod) -> None:
    second = Sli("second", template="http-latency", threshold=Decimal(1))
    own = Sli(
        "own",
        good='ml_model_request_duration_seconds_bucket{le="1",$selector}',
        total="ml_model_request_duration_seconds_count{$selector}",
    )
    operator = Operator(server.url, second, own)
    one.serve(4, slow=3)
    one.page.answer("", 7.0)
    pods.scraped(one)
    await operator.counted((8, 1), second)
    await operator.counted((8, 1), own)
    operator.close()
