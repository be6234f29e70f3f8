"""From predictions and labels in a real joiner, through a real Prometheus, to what labels say of a version."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from seatrial.api.labels import Labels
from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.labels import PrometheusLabels
from seatrial.metrics.prometheus import Prometheus
from seatrial.rollout.labels import assess_labels
from seatrial_instrument.joiner import Joiner, Label, Prediction
from seatrial_instrument.scores import Truth
from tests.prometheus.test_drift import Instrumented
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from pathlib import Path

    from seatrial.api.labels import LabelStatus
    from tests.prometheus.pods import Pods
    from tests.prometheus.server import PrometheusServer

LABELS = Labels.model_validate(
    {
        "calibration": "0.05",
        "brier": "0.2",
        "gaps": [
            {"slice": "region", "limit": "10"},
            {"slice": "region", "of": "positive", "class": "yes", "limit": "10"},
            {"slice": "region", "of": "recall", "class": "yes", "limit": "10"},
        ],
        "coverage": "50",
    }
)
MATURITY_S = 150.0
"""Longer than the longest step: labels act in the watch, although they come after 40 s."""
ALWAYS = {"north": 1.0, "south": 1.0}
ROWS = 6000
REGIONS = ("north", "south")


def told(
    version: str, right: dict[str, float], confidence: float, yes: dict[str, float] = ALWAYS
) -> tuple[list[Prediction], list[Label]]:
    """Let a version say yes and be right so often in each region, with so much confidence; four of five get a label."""
    rng = np.random.default_rng(5)
    predictions, labels = [], []
    now_s = time.time()
    for row in range(ROWS):
        region = REGIONS[row % 2]
        said, other = ("yes", "no") if rng.random() < yes[region] else ("no", "yes")
        predictions.append(
            Prediction(
                f"{version}-{row}",
                "model",
                version,
                now_s - 200,
                said,
                confidence=confidence,
                slices={"region": region},
            )
        )
        if rng.random() < 0.8:
            labels.append(Label(f"{version}-{row}", said if rng.random() < right[region] else other, now_s - 160))
    return predictions, labels


@pytest.fixture
def joiner(tmp_path: Path) -> Joiner:
    truth = Truth(classes=("yes", "no"), slices={"region": REGIONS})
    return Joiner(tmp_path / "joiner.db", "scorer", truth, maturity_s=MATURITY_S, keep_s=86_400)


async def looked(joiner: Joiner, pods: Pods, server: PrometheusServer) -> LabelStatus:
    registry = CollectorRegistry()
    registry.register(joiner)
    pod = pods.start("joiner", version="", rollout="")  # Prometheus drops empty labels: the joiner writes its own
    pod.page = Instrumented(registry)  # type: ignore[assignment]  # a page is what has a registry
    while joiner.tick(time.time()):
        pass
    await asyncio.to_thread(pods.scraped, pod)
    client = Prometheus(FixedConnection(server.url), timeout_s=5)
    readings = await PrometheusLabels(client).read_labels({b.A.hash, b.B.hash}, time.time())
    client.close()
    assert readings.unavailable is None
    found = assess_labels(LABELS, "ml", "model", b.watching(), readings)
    assert found
    return found


async def test_a_version_that_keeps_its_limits(joiner: Joiner, pods: Pods, server: PrometheusServer) -> None:
    predictions, labels = told(b.B.hash, {"north": 0.9, "south": 0.9}, 0.9)
    joiner.tell(predictions)
    joiner.label(labels)
    found = await looked(joiner, pods, server)
    assert {f.name: f.verdict for f in found.findings} == dict.fromkeys(
        ("coverage", "calibration", "brier", "region", "region (positive of yes)", "region (recall of yes)"), "Healthy"
    ), found
    assert (found.acts, found.verdict) == ("watch", "Healthy")
    assert found.timing.startswith("labels are counted 2m30s after a prediction")
    assert found.findings[0].sentence.startswith(f"{len(labels):,} of {ROWS:,} matured predictions have a label")


async def test_a_version_that_is_too_sure_and_unfair(joiner: Joiner, pods: Pods, server: PrometheusServer) -> None:
    predictions, labels = told(b.B.hash, {"north": 0.9, "south": 0.6}, 0.97)
    joiner.tell(predictions)
    joiner.label(labels)
    found = await looked(joiner, pods, server)
    verdicts = {f.name: f.verdict for f in found.findings if "(" not in f.name}
    assert verdicts == {"coverage": "Healthy", "calibration": "Burning", "brier": "Burning", "region": "Burning"}, found
    assert found.verdict == "Burning"


async def test_a_version_that_is_right_alike_and_says_yes_unlike(
    joiner: Joiner, pods: Pods, server: PrometheusServer
) -> None:
    predictions, labels = told(b.B.hash, {"north": 0.9, "south": 0.9}, 0.9, {"north": 0.8, "south": 0.4})
    joiner.tell(predictions)
    joiner.label(labels)
    found = await looked(joiner, pods, server)
    verdicts = {f.name: f.verdict for f in found.findings}
    assert (verdicts["region"], verdicts["region (positive of yes)"]) == ("Healthy", "Burning"), found


async def test_a_joiner_that_two_jobs_scrape_is_counted_once(
    joiner: Joiner, pods: Pods, server: PrometheusServer
) -> None:
    predictions, labels = told(b.B.hash, {"north": 0.9, "south": 0.9}, 0.9)
    joiner.tell(predictions)
    joiner.label(labels)
    while joiner.tick(time.time()):
        pass
    registry = CollectorRegistry()
    registry.register(joiner)
    again = pods.start("joiner-again", version="", rollout="")
    again.page = Instrumented(registry)  # type: ignore[assignment]  # a page is what has a registry
    await asyncio.to_thread(pods.scraped, again)
    found = await looked(joiner, pods, server)
    assert found.findings[0].sentence.startswith(f"{len(labels):,} of {ROWS:,} matured predictions have a label")
