"""Freshness as the instrument library tells it, in slices of time that a real Prometheus has."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import CollectorRegistry

from seatrial.judge.types import Verdict
from seatrial.metrics.budget import PrometheusBudgets
from seatrial.metrics.types import BudgetAsk, Sli, Slicing
from seatrial_instrument import Instrument, Options
from seatrial_instrument.profile import from_dataframe
from tests.prometheus.test_counting import V1, V2
from tests.prometheus.test_instrument import Shown
from tests.prometheus.test_means import Operator

if TYPE_CHECKING:
    from tests.prometheus.pods import Pod, Pods
    from tests.prometheus.server import PrometheusServer

FRESHNESS = {
    "name": "freshness",
    "target": "99",
    "sli": {"template": "feature-freshness", "threshold": "5m", "where": {"feature_group": "account"}},
    "slices": {"length": "10s", "bad": 2, "of": 3},
}
SLI = Sli("freshness", "feature-freshness", threshold=Decimal(300), where=(("feature_group", "account"),))
FRESH_S, STALE_S = [10.0] * 10, [10.0] * 8 + [400.0] * 2
"""Ages in one request of ten rows: two of ten stale ones are too many for a slice."""


def instrumented(pod: Pod) -> Instrument:
    profile = from_dataframe({"age": np.linspace(20, 60, 1000)})
    registry = CollectorRegistry()
    pod.page = Shown(registry)  # type: ignore[assignment] # a page is what has a registry
    return Instrument(profile, "scorer", Options(feature_groups=["account", "shop"], strict=True), registry=registry)


async def test_stale_features_of_one_version_alone_are_found_by_its_slices(
    server: PrometheusServer, pods: Pods, one: Pod
) -> None:
    new = pods.start("new", version=V2)
    stable, candidate = instrumented(one), instrumented(new)
    await asyncio.to_thread(pods.scraped, one, new)
    operator = Operator(server.url, FRESHNESS)
    began_s = time.time()
    while (entry := await operator.look()).verdict != Verdict.Burning and time.time() < began_s + 60:
        stable.feature_age("account", FRESH_S)
        candidate.feature_age("account", STALE_S)
        candidate.feature_age("shop", FRESH_S)
        await asyncio.sleep(0.25)
        operator.restart()
    assert entry.slices
    assert (entry.verdict, entry.slices.last) == (Verdict.Burning, "xx")
    assert time.time() - began_s >= 20, "two slices of ten seconds"
    assert entry.stable.bad == 0
    ask = BudgetAsk("ml", "model", SLI, (60.0,), Slicing(10, Decimal(95), 20))
    counts = (await PrometheusBudgets(operator, time.time).read([ask])).counts["ml", "model", "freshness"][60.0]
    total, bad = counts[V2]
    assert total >= 2
    assert bad == total
    assert counts[V1][1] == 0
    operator.close()
