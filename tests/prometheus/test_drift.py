"""From rows in an instrumented server, through a real Prometheus, to who is blamed for drift."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from seatrial.api.drift import Drift
from seatrial.judge.drift.shares import Part
from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.drift import PrometheusDrift
from seatrial.metrics.drift_types import DriftReadings, Stretch
from seatrial.metrics.prometheus import Prometheus
from seatrial.rollout.drift import assess
from seatrial.rollout.drift_subject import Subject, ask_for
from seatrial_instrument import Instrument
from seatrial_instrument.profile import from_dataframe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial.api.drift import DriftStatus
    from tests.prometheus.pods import Pod, Pods
    from tests.prometheus.server import PrometheusServer

STABLE, CANDIDATE = "aaaaaaaaaa", "bbbbbbbbbb"
PLANS = np.array(["free", "pro", "team"])
DRIFT = Drift.model_validate({"features": {}, "predictions": {}, "confirm": 1, "window": "1h"})


@dataclass
class Instrumented:
    """The metrics page of an instrumented server."""

    registry: CollectorRegistry


def table(rng: np.random.Generator, n: int, age: float = 0.0, missing: float = 0.0) -> dict[str, Any]:
    ages = rng.normal(age, 1, n)
    ages[rng.random(n) < missing] = np.nan
    return {"age": ages, "plan": rng.choice(PLANS, n, p=[0.6, 0.3, 0.1])}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)


class Story:
    """A stable version in two pods and a candidate in one, all with the same profile."""

    def __init__(self, pods: Pods, url: str, stable: list[Pod], rng: np.random.Generator) -> None:
        self._pods, self._rng = pods, rng
        self._client = Prometheus(FixedConnection(url), timeout_s=5)
        training = table(rng, 20_000) | {"score": rng.random(20_000)}
        self._profile = from_dataframe(training, predictions=["score"])
        self._began_s = time.time()
        self.candidate = pods.start("three", version=CANDIDATE)
        self._pages = {pod.name: self._instrument(pod) for pod in (*stable, self.candidate)}
        self._all = [*stable, self.candidate]

    def _instrument(self, pod: Pod) -> Instrument:
        registry = CollectorRegistry()
        pod.page = Instrumented(registry)  # type: ignore[assignment]  # a page is what has a registry
        return Instrument(self._profile, "scorer", registry=registry)

    async def serve(self, candidate: dict[str, float], stable: dict[str, float]) -> None:
        """Let the pods be seen at 0, and serve rows to all of them for some scrapes."""
        await asyncio.to_thread(self._pods.scraped, *self._all)
        for _ in range(3):
            for pod in self._all:
                changes = candidate if pod is self.candidate else stable
                self._pages[pod.name].observe(table(self._rng, 400, **changes), self._rng.random(400))
            await asyncio.to_thread(self._pods.scraped, *self._all)

    async def look(self) -> tuple[DriftReadings, DriftStatus]:
        now_s = time.time()
        subject = Subject("ml", "model", STABLE, CANDIDATE, weighted_at=now_s - 70)
        readings = await PrometheusDrift(self._client).read([ask_for(DRIFT, subject, now_s)], now_s)
        return readings, assess(DRIFT, subject, readings)

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def story(pods: Pods, server: PrometheusServer, one: Pod, two: Pod, rng: np.random.Generator) -> Iterator[Story]:
    story = Story(pods, server.url, [one, two], rng)
    yield story
    story.close()


async def test_rows_of_all_pods_arrive_in_their_bins(story: Story) -> None:
    await story.serve({"missing": 0.1}, {})
    readings, _ = await story.look()
    assert readings.unavailable is None
    seen = readings.seen["ml", "model", STABLE, Stretch(60)]
    assert 1800 <= seen.features["age"].total <= 2800  # of 2,400: increase() extrapolates at the ends
    assert len(seen.features["age"].counts) == 10
    assert set(seen.features["plan"].categories) == {"__other__", *PLANS.tolist()}
    assert seen.predictions["score"].total > 1800
    training = readings.training["ml", "model", STABLE]
    assert training.features["age"].total == 20_000
    assert training.features["age"].edges == seen.features["age"].edges
    assert training.missing["age"] == Part(0, 20_000)
    missing = readings.seen["ml", "model", CANDIDATE, Stretch(60)].missing["age"]
    assert missing.share == pytest.approx(0.1, abs=0.03)


async def test_equal_versions_in_an_unchanged_world_are_left_alone(story: Story) -> None:
    await story.serve({}, {})
    _, found = await story.look()
    assert found.cause == "NoDrift", found.sentence


async def test_a_broken_feature_path_of_the_candidate_is_found(story: Story) -> None:
    await story.serve({"age": 1.0}, {})
    _, found = await story.look()
    assert (found.cause, found.remedy, found.features[0].name) == ("FeaturesApart", "rollback", "age"), found.sentence


async def test_values_that_get_lost_on_the_candidate_are_found(story: Story) -> None:
    await story.serve({"missing": 0.1}, {})
    _, found = await story.look()
    assert (found.cause, found.remedy) == ("ValuesMissing", "rollback"), found.sentence


async def test_a_world_that_has_changed_is_nobody_s_fault(story: Story) -> None:
    await story.serve({"age": 1.0}, {"age": 1.0})
    _, found = await story.look()
    assert (found.cause, found.remedy, found.retrain) == ("WorldChanged", "notify", True), found.sentence
