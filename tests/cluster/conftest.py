"""Tests on the whole thing: real API server, gateway, model servers, Prometheus, and the operator in its own pod."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.ship import Ship

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

ROOT = Path(__file__).parents[2]
NEEDED = ("KUBECONFIG", "SEATRIAL_GATEWAY", "SEATRIAL_PROMETHEUS", "SEATRIAL_AUDIT_LOG")
DIAGNOSES = 3
"""A broken cluster fails every test; what is wrong with it need not be told more often."""
told: list[str] = []


LONGEST_S = 400
"""No story here takes half of it, even on a busy machine; whatever hangs is not waited for any longer."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound every test, and let the comparison of rights come last: it needs what all others made the operator do."""
    for item in items:
        if item.path.parent.name == "cluster" and item.get_closest_marker("cluster"):
            item.add_marker(pytest.mark.timeout(LONGEST_S))
    items.sort(key=lambda item: item.path.name == "test_rbac.py" and item.path.parent.name == "cluster")


@pytest.fixture(scope="session", autouse=True)
def cluster() -> None:
    """Refuse to run without a cluster, in words that help."""
    missing = [name for name in NEEDED if name not in os.environ]
    if missing:
        pytest.fail(
            f"no cluster: {', '.join(missing)} not set. Run `make test-cluster`, or `make cluster` and then "
            "`python -m cluster run -- pytest tests/cluster`",
            pytrace=False,
        )


@pytest.fixture
async def ship() -> AsyncIterator[Ship]:
    """Give a test a namespace with a ModelSLO of its own."""
    async with Ship(f"test-{secrets.token_hex(3)}", os.environ["SEATRIAL_GATEWAY"]) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what is needed to understand it: pods, Events, logs, routes, Prometheus targets."""
    report = yield
    if item.path.parent.name == "cluster" and report.when == "call" and report.failed and len(told) < DIAGNOSES:
        told.append(item.nodeid)
        done = subprocess.run(
            [sys.executable, "-m", "cluster", "diagnose"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        report.sections.append(("cluster", done.stdout + done.stderr))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests have measured; the reports come from all workers."""
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, figures in report.user_properties:
            if name == "figures":
                terminalreporter.section(report.nodeid)
                terminalreporter.line(str(figures))
