"""The demo's way to the cluster, against a real API server: kubectl, and objects followed as they change."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.kubectl import Follow, KubectlError, kubectl

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.kubectl import JsonObject
    from tests.apiserver.conftest import ApiServer

BIN = Path(os.environ.get("SEATRIAL_CACHE", Path.home() / ".cache" / "seatrial")) / "bin"
DEMO = Path(__file__).parents[2] / "demo" / "manifests"


def is_version(version: str) -> Callable[[JsonObject], bool]:
    return lambda seen: bool(seen["spec"]["model"]["version"] == version)


@pytest.fixture
async def cluster(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the namespace of the demo, and a kubectl that leads to the API server."""
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{BIN}")
    await kubectl("apply", "-f", str(DEMO / "namespace.yaml"))


@pytest.mark.usefixtures("cluster")
async def test_what_the_demo_applies_is_accepted_and_followed_as_it_changes() -> None:
    for slo in ("slo.yaml", "slo-drift.yaml"):
        await kubectl("apply", "-f", str(DEMO / slo))
    async with Follow("modeldeployments", "demo", "digits") as deployment:
        for version in "1234567":
            applied_s = time.time()
            await kubectl("apply", "-f", str(DEMO / f"v{version}.yaml"))
            state = await deployment.until(is_version(version), 10)
            assert applied_s <= state.seen_s <= time.time()
        status = {"status": {"phase": "Trial", "summary": "0.5 % \u2026", "weight": 10}}
        patch = ("--type=merge", "--subresource=status", f"--patch={json.dumps(status, ensure_ascii=False)}")
        await kubectl("patch", "modeldeployments", "digits", "--namespace=demo", *patch)
        state = await deployment.until(lambda seen: seen.get("status", {}).get("weight") == 10, 10)
        assert state.object is not None
        assert state.object["status"]["summary"] == "0.5 % \u2026"
        await kubectl("delete", "modeldeployments", "digits", "--namespace=demo")
        for _ in range(200):
            await asyncio.sleep(0.05 if deployment.latest else 0)
        assert deployment.latest is None


@pytest.mark.usefixtures("cluster")
async def test_what_never_comes_about_is_a_timeout() -> None:
    async with Follow("modeldeployments", "demo", "no-such-object") as nothing:
        with pytest.raises(TimeoutError):
            await nothing.until(lambda _: True, deadline_s=0.5)
        assert nothing.latest is None


@pytest.mark.usefixtures("cluster")
async def test_a_refusal_is_told_in_the_words_of_the_api_server() -> None:
    with pytest.raises(KubectlError, match=r'modeldeployments\.seatrial\.dev "nobody" not found'):
        await kubectl("get", "modeldeployments", "nobody", "--namespace=demo")
