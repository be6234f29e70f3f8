"""The operator as a process: it waits, leads, and hands over when it is told to end, or dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.apiserver.conftest import ROOT, free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from seatrial.kube.client import Kube
    from tests.apiserver.conftest import ApiServer

PATIENCE_S = 40.0


def lease_of(folder: Path) -> str:
    return folder.name.replace("_", "-")


async def changed(kube: Kube, lease: str, before: object) -> None:
    """Wait until somebody writes the Lease."""
    async with asyncio.timeout(PATIENCE_S):
        while await kube.get("Lease", "default", lease) == before:  # noqa: ASYNC110 - the writer is another process
            await asyncio.sleep(0.05)


@asynccontextmanager
async def operator(name: str, server: ApiServer, folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the operator's own command; kill it in the end if it still runs."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "operator"),
        "KUBECONFIG": str(server.kubeconfig),
        "POD_NAME": name,
        "POD_NAMESPACE": "default",
        "SEATRIAL_LEASE_NAME": lease_of(folder),
        "SEATRIAL_HTTP_PORT": str(port),
    }
    with (folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "seatrial"), env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def leads(kube: Kube, lease: str, name: str) -> float:
    """Wait until an operator holds the Lease; return when that was seen."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            live = await kube.get("Lease", "default", lease)
            if live and live["spec"].get("holderIdentity") == name:
                return time.monotonic()
            await asyncio.sleep(0.05)


async def healthy(port: int) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    assert answer.status == 200
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


@pytest.mark.timeout(120)
async def test_a_standby_leads_soon_after_the_leader_was_told_to_end(
    kube: Kube, api_server: ApiServer, tmp_path: Path
) -> None:
    first_port, second_port = free_ports(2)
    async with operator("a", api_server, tmp_path, first_port) as first:
        await leads(kube, lease_of(tmp_path), "a")
        async with operator("b", api_server, tmp_path, second_port), aiohttp.ClientSession() as scraper:
            await healthy(second_port)
            # As Prometheus does: the connection stays open between two scrapes.
            async with scraper.get(f"http://127.0.0.1:{first_port}/metrics") as page:
                assert "seatrial_build_info" in await page.text()
            await asyncio.sleep(3)  # the leader's watches run by now, and kopf has taken the signals once
            first.send_signal(signal.SIGTERM)
            told_s = time.monotonic()
            # Standbys look every two seconds.
            assert await leads(kube, lease_of(tmp_path), "b") - told_s < 4
            assert await first.wait() == 0


@pytest.mark.timeout(120)
async def test_a_restarted_leader_goes_on_at_once_after_it_was_killed(
    kube: Kube, api_server: ApiServer, tmp_path: Path
) -> None:
    port, another_port = free_ports(2)
    async with operator("a", api_server, tmp_path, port) as first:
        await leads(kube, lease_of(tmp_path), "a")
        first.kill()
        await first.wait()
    before = await kube.get("Lease", "default", lease_of(tmp_path))
    async with operator("a", api_server, tmp_path, another_port):
        await healthy(another_port)
        healthy_s = time.monotonic()
        await changed(kube, lease_of(tmp_path), before)
        assert time.monotonic() - healthy_s < 10  # below the 15 s that another one would have to wait
