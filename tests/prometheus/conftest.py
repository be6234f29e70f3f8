"""Counting is tested against real Prometheus servers of both major versions that are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.prometheus.pods import Pod, Pods
from tests.prometheus.server import PrometheusServer, binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=[2, 3], ids=["prometheus2", "prometheus3"])
def program(request: pytest.FixtureRequest) -> Path:
    try:
        return binary(request.param)
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    with Pods(tmp_path / "targets.json") as running:
        yield running


@pytest.fixture
def one(pods: Pods) -> Pod:
    return pods.start("one")


@pytest.fixture
def two(pods: Pods) -> Pod:
    return pods.start("two")


@pytest.fixture
def server(program: Path, tmp_path: Path, one: Pod, two: Pod, pods: Pods) -> Iterator[PrometheusServer]:
    """Start a Prometheus that knows the two pods from its start and has scraped them."""
    with PrometheusServer(program, tmp_path) as running:
        pods.prometheus_url = running.url
        pods.scraped(one, two)
        yield running
