"""The operator as a process, started as its image starts it: two of them, the Lease, signals, and what they let out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import pytest

from seatrial.api.status import Phase
from tests.apiserver.conftest import free_ports
from tests.apiserver.controller.stage import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.conftest import ApiServer
    from tests.apiserver.controller.stage import Stage

SOURCES = Path(__file__).parents[3] / "operator"
SECRETS = {"token": "t0ken-of-prometheus", "username": "reader", "password": "passw0rd-of-prometheus"}
NOBODY = "http://127.0.0.1:9"


@dataclass
class Process:
    """A running operator."""

    popen: subprocess.Popen[bytes]
    port: int
    log: Path

    def page(self, path: str) -> str:
        """Read a page of its; empty while it does not serve."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (URLError, OSError):
            return ""

    async def leads(self) -> bool:
        return "seatrial_leading 1.0" in await asyncio.to_thread(self.page, "/metrics")

    async def serves(self) -> bool:
        return await asyncio.to_thread(self.page, "/healthz") == "ok\n"

    async def ended(self) -> int | None:
        return self.popen.poll()


@contextlib.contextmanager
def operator(name: str, stage: Stage, api_server: ApiServer, folder: Path) -> Iterator[Process]:
    [port] = free_ports(1)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCES),
        "KUBECONFIG": str(api_server.kubeconfig),
        "POD_NAMESPACE": stage.namespace,
        "POD_NAME": name,
        "SEATRIAL_NAMESPACES": stage.namespace,
        "SEATRIAL_HTTP_PORT": str(port),
        "SEATRIAL_PROMETHEUS_URL": NOBODY,
        "SEATRIAL_PROMETHEUS_DIR": str(folder / "secret"),
    }
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "seatrial"], env=environment, cwd="/", stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        yield Process(popen, port, log)
    finally:
        popen.kill()
        popen.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    for name, value in SECRETS.items():
        (tmp_path / "secret" / name).write_text(value)
    return tmp_path


async def deployed(stage: Stage, model: str) -> None:
    await stage.deploy("1", model)
    await stage.until(lambda status: status.phase is Phase.STABLE, model)


async def test_the_second_takes_over_from_one_that_was_killed_and_gives_the_lease_back_when_told_to_end(
    stage: Stage, api_server: ApiServer, folder: Path
) -> None:
    with operator("a", stage, api_server, folder) as a, operator("b", stage, api_server, folder) as b:
        await eventually(a.serves, wanted=True)
        await eventually(b.serves, wanted=True)

        async def leading() -> int:
            return sum([await a.leads(), await b.leads()])

        await eventually(leading, 1)
        first, second = (a, b) if await a.leads() else (b, a)
        await deployed(stage, "one")
        first.popen.kill()
        assert not await second.leads()
        await eventually(second.leads, wanted=True)
        await deployed(stage, "two")
        second.popen.send_signal(signal.SIGTERM)
        await eventually(second.ended, 0)
    lease = await stage.user.get("Lease", stage.namespace, "seatrial")
    assert lease is not None
    assert not lease["spec"].get("holderIdentity")
    assert lease["spec"]["leaseTransitions"] == 1


async def test_it_says_what_is_wrong_with_prometheus_and_lets_no_secret_out(
    stage: Stage, api_server: ApiServer, folder: Path
) -> None:
    with operator("a", stage, api_server, folder) as process:
        await deployed(stage, "scorer")
        await stage.deploy("2")
        status = await stage.until(
            lambda status: any(c.type == "MetricsAvailable" and c.status == "False" for c in status.conditions)
        )
        assert status.phase is Phase.STARTING
        assert status.weight == 0
        said = next(c.message for c in status.conditions if c.type == "MetricsAvailable")
        assert "Prometheus" in said
        everything = [
            json.dumps(await stage.user.list(kind, stage.namespace))
            for kind in ("ModelDeployment", "Event", "Deployment", "HTTPRoute", "Lease")
        ]
        everything += [process.log.read_text(), process.page("/metrics")]
    for secret in SECRETS.values():
        assert not [text for text in everything if secret in text]
    assert "Traceback" not in process.log.read_text()
