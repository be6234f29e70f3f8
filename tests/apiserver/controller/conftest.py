"""A stage for each test: a namespace of its own on the real API server, with the objective that models answer to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING

import pytest

from cluster.build import module_folder
from cluster.layout import layout_from
from cluster.programs import CONTOUR
from tests.apiserver.controller.played import play
from tests.apiserver.controller.stage import SLO, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from seatrial.kube.client import Kube
    from tests.apiserver.conftest import ApiServer

HTTPROUTES = "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"


@pytest.fixture(scope="session", autouse=True)
def gateway_api(api_server: ApiServer) -> None:
    """Install the Gateway API's HTTPRoute, of the version that the local cluster has."""
    folder = module_folder(layout_from(os.environ), CONTOUR, "sigs.k8s.io/gateway-api")
    installed = api_server.kubectl("apply", "--server-side", "-f", str(folder / HTTPROUTES))
    assert installed.returncode == 0, installed.stderr
    api_server.kubectl("wait", "--for=condition=Established", "crd/httproutes.gateway.networking.k8s.io")
    for _ in range(20):  # discovery lags behind, on a busy machine for seconds
        if api_server.kubectl("get", "httproutes.gateway.networking.k8s.io", "-A").returncode == 0:
            return
        time.sleep(1)
    pytest.fail("the API server doesn't serve HTTPRoutes 20 s after their CRD was installed", pytrace=False)


@pytest.fixture
async def stage(kube: Kube, api_server: ApiServer, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Set a stage; whatever a test does on it, no write may ever have broken the rules of traffic."""
    namespace = f"stage-{abs(hash(request.node.nodeid)) % 10**9}"
    assert api_server.kubectl("create", "namespace", namespace).returncode == 0
    stage = Stage(namespace, kube)
    await stage.apply(SLO)
    playing = asyncio.create_task(play(stage))
    try:
        yield stage
        assert not playing.done() or playing.result() is None
    finally:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing
    assert not stage.violations
    assert stage.telemetry.registry.get_sample_value("seatrial_bugs_total") == 0
