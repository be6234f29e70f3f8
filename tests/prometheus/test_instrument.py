"""What the instrument library and the joiner write is counted exactly by the operator, through a real Prometheus."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.source import Horizons, PrometheusSource
from seatrial.metrics.types import Checkpoint, Request, Sli
from seatrial_instrument import ErrorType, Instrument, Options
from seatrial_instrument.joiner import Joiner, Label, Prediction
from seatrial_instrument.profile import from_dataframe
from seatrial_instrument.scores import Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.prometheus.pods import Pod, Pods
    from tests.prometheus.server import PrometheusServer

    Count = Callable[..., Coroutine[None, None, dict[str, tuple[int, int]]]]

VERSION = "aaaaaaaaaa"
HORIZONS = Horizons(settle_s=1.0, lookback_s=600.0, fresh_s=10.0, chunk_s=5.0)
OF_THE_SERVER = (
    Sli("availability", template="http-availability"),
    Sli("latency", template="http-latency", threshold=Decimal("0.3")),
    Sli("nulls", template="feature-missing"),
    Sli("nulls of age", template="feature-missing", where=(("feature", "age"),)),
    Sli("range", template="feature-out-of-range"),
    Sli("fresh", template="feature-freshness", threshold=Decimal(300)),
    Sli("outcome", template="prediction-outcome"),
    Sli("clicks", template="check", where=(("check", "click"),)),
)
OF_THE_JOINER = (
    Sli("accuracy", template="label-accuracy"),
    Sli("error", template="label-absolute-error", threshold=Decimal("1.0")),
    Sli("mirror", template="shadow-agreement"),
)


@dataclass
class Shown:
    """A metrics page."""

    registry: CollectorRegistry


@pytest.fixture
def count(server: PrometheusServer) -> Count:
    """Read (total, bad) of SLIs since a checkpoint at the start of the test."""
    since_s = time.time()

    async def counted(*slis: Sli) -> dict[str, tuple[int, int]]:
        client = Prometheus(FixedConnection(server.url), timeout_s=5)
        since = {(VERSION, sli.name): Checkpoint(since_s, 0, 0) for sli in slis}
        source = PrometheusSource(client, 0, time.time, HORIZONS)
        measured = await source.measure(Request("ml", "model", (VERSION,), slis, since))
        client.close()
        assert measured.unavailable is None
        assert {reading.problem for reading in measured.readings.values()} == {None}
        return {name: (reading.total, reading.bad) for (_, name), reading in measured.readings.items()}

    return counted


async def test_templates_count_what_the_library_writes(pods: Pods, one: Pod, two: Pod, count: Count) -> None:
    rng = np.random.default_rng(1)
    profile = from_dataframe(
        {"age": rng.uniform(20, 60, 1000), "amount": rng.normal(size=1000), "score": rng.random(1000)},
        predictions=["score"],
        bounds={"age": (18, 99), "amount": (None, None), "score": (0, 1)},
    )
    options = Options(feature_groups=["account"], checks={"click": ["good", "bad"]}, strict=True)
    instruments = []
    for pod in (one, two):
        registry = CollectorRegistry()
        pod.page = Shown(registry)  # type: ignore[assignment] # a page is what has a registry
        instruments.append(Instrument(profile, "scorer", options, registry=registry))
    await asyncio.to_thread(pods.scraped, one, two)
    for instrument in instruments:
        instrument.observe(
            [{"age": 30.0, "amount": 1.0}, {"age": None, "amount": 1.0}, {"age": 150.0}],
            [0.5, 7.0, float("nan")],
            defaulted=[True, False, False],
        )
        instrument.feature_age("account", [10.0, 300.0, 301.0])
        instrument.outcome("click", "good", 5)
        instrument.outcome("click", "bad", 2)
        for error_type, duration_s in ((ErrorType.NONE, 0.3), (ErrorType.CLIENT, 0.1), (ErrorType.BACKEND, 0.4)):
            instrument.request(duration_s, error_type)
    await asyncio.to_thread(pods.scraped, one, two)
    assert await count(*OF_THE_SERVER) == {
        "availability": (6, 2),
        "latency": (6, 2),
        "nulls": (12, 4),
        "nulls of age": (6, 2),
        "range": (12, 2),
        "fresh": (6, 2),
        "outcome": (6, 6),
        "clicks": (14, 4),
    }


async def test_templates_count_what_the_joiner_writes_under_the_version_that_predicted(
    pods: Pods, one: Pod, count: Count
) -> None:
    joiner = Joiner(":memory:", "scorer", Truth(tolerance=0.5, error_edges=(0.5, 1.0)), maturity_s=10, keep_s=1000)
    registry = CollectorRegistry()
    registry.register(joiner)
    pod = pods.start("joiner", version="", rollout="")  # no labels of Seatrial: the series carry them
    pod.page = Shown(registry)  # type: ignore[assignment] # a page is what has a registry

    def said(name: str, number: float, *, shadow: bool = False, version: str = VERSION) -> Prediction:
        return Prediction(name, "model", version, 0.0, number, shadow=shadow)

    joiner.tell(
        [said("a", 1.0), said("b", 1.0), said("c", 1.0), said("unlabelled", 1.0), said("d", 1.0, version="other")]
    )
    joiner.tell([said("d", 1.2, shadow=True), said("e", 9.0, shadow=True), said("e", 1.0, version="other")])
    joiner.label([Label("a", 1.2, 1.0), Label("b", 1.9, 1.0), Label("c", 5.0, 1.0), Label("d", 1.0, 1.0)])
    await asyncio.to_thread(pods.scraped, pod, one)
    joiner.tick(10.0)
    await asyncio.to_thread(pods.scraped, pod, one)
    assert await count(*OF_THE_JOINER) == {"accuracy": (3, 2), "error": (3, 1), "mirror": (2, 1)}
