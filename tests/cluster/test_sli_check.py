"""`seatrial sli check` on real servers with real requests: the demo's MLServer, and the gateway's Envoy."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from demo.kubectl import kubectl
from seatrial.cli.main import main
from tests.cluster.ship import MANIFESTS, NAME
from tests.prometheus.server import PrometheusServer, binary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cluster.ship import Ship

pytestmark = pytest.mark.cluster

SCRAPED_S = 6.0
"""Within this time Prometheus has seen twice what has happened."""


async def counted(ship: Ship, server: str, prometheus: str) -> dict[str, tuple[int, int]]:
    """Ask how many events there were, and how many bad ones among them, by template."""
    await asyncio.sleep(SCRAPED_S)
    where = ["--prometheus", prometheus, "-n", ship.namespace, "--rollout", NAME]
    what = ["--server", server, "--threshold", "250ms", "--window", "10m", "-o", "json"]
    answer = await asyncio.to_thread(CliRunner().invoke, main, ["sli", "check", *where, *what])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.output)
    return {one["sli"]["name"]: (one["seen"][0]["total"], one["seen"][0]["bad"]) for one in found}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[str]:
    """Let a Prometheus of its own scrape the gateway by the rules that we ship; they read the version from a label."""
    found = await kubectl(
        "get", "pods", "-n", "gateway-system", "-l", "app=envoy", "-o", "jsonpath={.items[*].status.podIP}"
    )
    shipped = yaml.safe_load((MANIFESTS.parents[1] / "manifests" / "monitoring" / "scrape-gateways.yaml").read_text())
    job = {
        "job_name": "contour",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": [f"{ip}:8002"], "labels": {"pod": f"envoy-{ip}"}} for ip in found.split()],
        "metric_relabel_configs": next(
            one["metric_relabel_configs"] for one in shipped if one["job_name"] == "contour"
        ),
    }
    with PrometheusServer(binary(3), tmp_path, interval="1s", timeout="900ms", jobs=yaml.safe_dump([job])) as running:
        yield running.url


async def test_the_check_counts_what_mlserver_and_envoy_answered(ship: Ship, gateway: str) -> None:
    await ship.apply(ship.manifest("1", errors=0.3))
    await ship.until(lambda s: s.get("phase") == "Stable")
    async with ship.load() as load:
        await asyncio.sleep(2)  # Envoy has series for a version when it has passed a request on
    await ship.settled(load)
    servers = {"mlserver": os.environ["SEATRIAL_PROMETHEUS"], "envoy": gateway}
    before = {server: await counted(ship, server, url) for server, url in servers.items()}
    async with ship.load() as load:
        await asyncio.sleep(4)
    clients = (await ship.settled(load)).versions()["1"]
    assert clients.failed > 0
    for server, url in servers.items():
        after, name = await counted(ship, server, url), f"{server}/http-availability"
        more = tuple(now - then for now, then in zip(after[name], before[server][name], strict=True))
        assert more == (clients.total, clients.failed), server
