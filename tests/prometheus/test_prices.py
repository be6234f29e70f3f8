"""Prices of pods, from a page with OpenCost's names through a real Prometheus."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Gauge

from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.prices import PrometheusPrices
from seatrial.metrics.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.prometheus.pods import Pods
    from tests.prometheus.server import PrometheusServer

GIB = 1 << 30
NODE = ("instance", "node", "instance_type", "region", "provider_id", "arch", "uid")
CONTAINER = ("namespace", "pod", "container", "instance", "node", "uid")
PODS = [("ml", name) for name in ("plain", "gpu", "sidecar", "lost")]


@dataclass
class Exporter:
    """The metrics page of OpenCost, for two nodes: the names and labels are those of its source."""

    registry: CollectorRegistry

    def __post_init__(self) -> None:
        for name, prices in (
            ("node_cpu_hourly_cost", {"small": 0.03, "large": 0.04}),
            ("node_ram_hourly_cost", {"small": 0.004, "large": 0.005}),
            ("node_gpu_hourly_cost", {"small": 0.0, "large": 2.5}),
        ):
            gauge = Gauge(name, name, NODE, registry=self.registry)
            for node, price in prices.items():
                gauge.labels(node, node, "m5", "north", f"cloud/{node}", "amd64", f"uid-{node}").set(price)
        self._given = {
            name: Gauge(name, name, CONTAINER, registry=self.registry)
            for name in ("container_cpu_allocation", "container_memory_allocation_bytes", "container_gpu_allocation")
        }

    def give(self, pod: str, node: str, cpu: float, gib: float, gpu: float | None = None, part: str = "model") -> None:
        for gauge, amount in zip(self._given.values(), (cpu, gib * GIB, gpu), strict=True):
            if amount is not None:
                gauge.labels("ml", pod, part, node, node, f"uid-{pod}").set(amount)


async def prices(server: PrometheusServer) -> Mapping[tuple[str, str], float]:
    client = Prometheus(FixedConnection(server.url), timeout_s=5)
    found = await PrometheusPrices(client).read_prices("opencost", PODS, time.time())
    client.close()
    assert found.unavailable is None
    return found.per_hour


async def test_pods_cost_what_their_containers_are_given_at_the_prices_of_their_nodes(
    pods: Pods, server: PrometheusServer
) -> None:
    # Two replicas tell the same.
    exporters = [pods.start(name, honored=True) for name in ("opencost-1", "opencost-2")]
    for exporter in exporters:
        exporter.page = page = Exporter(CollectorRegistry())  # type: ignore[assignment]  # a page is what has a registry
        page.give("plain", "small", 2.0, 4.0)
        page.give("gpu", "large", 8.0, 32.0, 1.0)
        page.give("sidecar", "small", 1.0, 1.0)
        page.give("sidecar", "small", 0.1, 0.25, part="proxy")
        page.give("lost", "a node without prices", 1.0, 1.0)
        page.give("somebody-elses", "small", 1.0, 1.0)
    await asyncio.to_thread(pods.scraped, *exporters)
    found = await prices(server)
    assert found == {
        ("ml", "plain"): pytest.approx(2 * 0.03 + 4 * 0.004),
        ("ml", "gpu"): pytest.approx(8 * 0.04 + 32 * 0.005 + 2.5),
        ("ml", "sidecar"): pytest.approx(1.1 * 0.03 + 1.25 * 0.004),
    }


async def test_what_is_not_scraped_has_no_price(server: PrometheusServer) -> None:
    assert await prices(server) == {}
