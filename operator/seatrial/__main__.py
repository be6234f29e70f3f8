"""The operator's process: wires everything together, and leads while it holds the Lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time

from seatrial.controller.operate import operate
from seatrial.controller.telemetry import Telemetry
from seatrial.kube.client import Kube
from seatrial.kube.errors import KubeError
from seatrial.kube.lease import Lease, leadership
from seatrial.metrics.budget import PrometheusBudgets
from seatrial.metrics.connection import ConnectionFolder
from seatrial.metrics.drift import PrometheusDrift
from seatrial.metrics.labels import PrometheusLabels
from seatrial.metrics.prices import PrometheusPrices
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.source import PrometheusSource
from seatrial.settings import Settings, from_environment

LOG = logging.getLogger("seatrial")
LOOK_SHARE = 0.8
"""Counts are shared among rollouts for this part of the time between two looks, so that each look gets new ones."""


async def run(settings: Settings) -> int:
    """Run until the process is told to end or the Lease is lost; return the exit code."""
    telemetry, stop = Telemetry(), asyncio.Event()
    listen_for_signals(stop)
    async with telemetry.serving(settings.http_port), Kube() as kube:
        if not await kube.crd_exists():
            LOG.error("the CRDs of seatrial.dev/v1alpha1 are not installed: apply crds/ first")
            return 1
        lease = Lease(settings.pod_namespace, settings.lease_name, settings.pod_name)
        leading = asyncio.create_task(_lead(settings, kube, telemetry, lease, stop), name="lead")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({leading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (leading, stopping):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leading
        return 0 if stop.is_set() else 1


def listen_for_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` when the process is told to end."""
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)


async def _lead(settings: Settings, kube: Kube, telemetry: Telemetry, lease: Lease, stop: asyncio.Event) -> None:
    """Wait for the Lease, then operate until it is lost or this task is cancelled; traffic stays as it is then."""
    LOG.info("%s waits for the Lease %s/%s", lease.identity, lease.namespace, lease.name)
    async with leadership(kube, lease) as lost:
        telemetry.leading(now=True)
        LOG.info("%s leads", lease.identity)
        prometheus = Prometheus(ConnectionFolder(settings.prometheus_dir, settings.prometheus_url))
        metrics = PrometheusSource(prometheus, look_s=LOOK_SHARE * settings.look_s, clock=time.time)
        budgets = PrometheusBudgets(prometheus, time.time)
        drift, labels = PrometheusDrift(prometheus), PrometheusLabels(prometheus)
        # kopf's own way to end takes seconds in which nobody leads: it waits for tasks which it did not start.
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        started.add_done_callback(lambda _: listen_for_signals(stop))
        try:
            await operate(
                settings,
                kube,
                metrics,
                telemetry,
                lost,
                started=started,
                budgets=budgets,
                drift=drift,
                labels=labels,
                prices=PrometheusPrices(prometheus),
            )
        finally:
            telemetry.leading(now=False)
    if lost.is_set():
        LOG.error("the Lease is lost: another operator may lead now; this one ends")


def main() -> None:
    """Start the operator as its environment says."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    settings = from_environment(os.environ)

    async def until_told() -> int:
        try:
            return await run(settings)
        except KubeError as error:
            LOG.error("%s", error.sentence)  # noqa: TRY400 - the sentence says it; a trace would hide it
            return 1

    sys.exit(asyncio.run(until_told()))


if __name__ == "__main__":
    main()
