"""`seatrial sli check` on the real model server of the demo, MLServer, with real requests."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from seatrial.cli.main import main
from tests.cluster.ship import NAME

if TYPE_CHECKING:
    from tests.cluster.ship import Ship

pytestmark = pytest.mark.cluster

SCRAPED_S = 6.0
"""Within this time Prometheus has seen twice what has happened."""


async def counted(ship: Ship) -> dict[str, tuple[int, int]]:
    """Ask how many events there were, and how many bad ones among them, by template."""
    await asyncio.sleep(SCRAPED_S)
    where = ["--prometheus", os.environ["SEATRIAL_PROMETHEUS"], "-n", ship.namespace, "--rollout", NAME]
    what = ["--server", "mlserver", "--threshold", "250ms", "--window", "10m", "-o", "json"]
    answer = await asyncio.to_thread(CliRunner().invoke, main, ["sli", "check", *where, *what])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.output)
    return {one["sli"]["name"]: (one["seen"][0]["total"], one["seen"][0]["bad"]) for one in found}


async def test_the_check_counts_what_mlserver_answered(ship: Ship) -> None:
    await ship.apply(ship.manifest("1", errors=0.3))
    await ship.until(lambda s: s.get("phase") == "Stable")
    before = await counted(ship)
    async with ship.load() as load:
        await asyncio.sleep(4)
    clients = (await ship.settled(load)).versions()["1"]
    after = await counted(ship)
    name = "mlserver/http-availability"
    more = tuple(now - then for now, then in zip(after[name], before[name], strict=True))
    assert more == (clients.total, clients.failed)
    assert clients.failed > 0
