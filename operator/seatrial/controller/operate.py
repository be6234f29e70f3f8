"""Put the parts of the operator together and run them until told to stop."""

from __future__ import annotations

import asyncio
import functools
import time
from typing import TYPE_CHECKING

import kopf

from seatrial.controller.about import ModelInfo
from seatrial.controller.act import Actor
from seatrial.controller.asking import Findings
from seatrial.controller.budgets import Budgets
from seatrial.controller.cache import Cache
from seatrial.controller.checks import Checks
from seatrial.controller.configs import Configs
from seatrial.controller.drift import Drifts
from seatrial.controller.handlers import CHILDREN, OWN, registry_for, take_leave
from seatrial.controller.labels import LabelLooks
from seatrial.controller.line import Line
from seatrial.controller.loops import Loops
from seatrial.controller.model_server import HttpModelServer
from seatrial.controller.observe import Observer, Senses
from seatrial.controller.prices import PriceLooks
from seatrial.controller.probes import Probes
from seatrial.controller.sweep import Sweeper
from seatrial.controller.tick import Ticker
from seatrial.notify.webhook import Webhooks
from seatrial.traffic.choice import ChosenRouter

if TYPE_CHECKING:
    from seatrial.controller.cache import Key
    from seatrial.controller.telemetry import Telemetry
    from seatrial.kube.client import Kube
    from seatrial.metrics.drift_types import DriftSource
    from seatrial.metrics.label_types import LabelSource
    from seatrial.metrics.prices import PriceSource
    from seatrial.metrics.types import BudgetSource, MetricSource
    from seatrial.settings import Settings


async def operate(  # noqa: PLR0913 - the parts that it puts together
    settings: Settings,
    kube: Kube,
    metrics: MetricSource,
    telemetry: Telemetry,
    stop: asyncio.Event,
    *,
    budgets: BudgetSource | None = None,
    drift: DriftSource | None = None,
    labels: LabelSource | None = None,
    prices: PriceSource | None = None,
    started: asyncio.Future[None] | None = None,
) -> None:
    """Watch and tick until ``stop`` is set; traffic stays as it is then.

    Without a source of budgets there are none, and without one of drift, labels or prices nothing is said about them.

    ``started`` is resolved when kopf runs, and has taken the process's signals to itself.
    """
    router, cache = ChosenRouter(), Cache()

    def wake(key: Key) -> None:
        loops.wake(key)

    configs = Configs(kube, cache, telemetry, wake, settings.config_s)
    server = HttpModelServer()
    probes = Probes(kube, cache, server, telemetry, wake)
    senses = Senses(metrics, configs, probes, Line(cache, settings.max_trials))
    findings = Findings()
    webhooks = Webhooks(settings.webhook_key, time.time)
    checks = Checks(kube, webhooks)
    observer = Observer(kube, cache, senses, router, time.time, settings.fresh_s, findings=findings, check=checks.look)
    ticker = Ticker(kube, cache, observer, Actor(kube, cache, router), telemetry, settings)
    loops = Loops(ticker, telemetry)
    namespaces = tuple(name.strip() for name in settings.namespaces.split(",") if name.strip())

    def forget(key: Key) -> None:
        observer.forget(key)
        checks.forget(key)

    gone = functools.partial(take_leave, cache, loops, forget)
    sweeper = Sweeper(kube, cache, telemetry, [*OWN, *CHILDREN], namespaces)
    beside = [asyncio.create_task(sweeper.run(gone)), asyncio.create_task(configs.run())]
    if budgets:
        beside.append(asyncio.create_task(Budgets(kube, cache, budgets, telemetry, time.time).run(loops.begun)))
    told = (loops.wake, telemetry, time.time)
    if drift:
        beside.append(asyncio.create_task(Drifts(cache, drift, *told, findings.drift, webhooks).run(loops.begun)))
    if labels:
        beside.append(asyncio.create_task(LabelLooks(cache, labels, *told, findings.labels).run(loops.begun)))
    if prices:
        beside.append(
            asyncio.create_task(PriceLooks(cache, prices, telemetry, time.time, findings.prices).run(loops.begun))
        )
    info = ModelInfo(cache)
    telemetry.registry.register(info)
    try:
        async with server, probes:
            await kopf.operator(
                registry=registry_for(cache, loops, sweeper.listed, gone),
                standalone=True,
                # Left alone, kopf asks for the user's name, and a container's user has none.
                identity=settings.pod_name,  # type: ignore[arg-type] # a NewType of str that kopf does not export
                clusterwide=not namespaces,
                namespaces=namespaces,
                stop_flag=stop,
                ready_flag=started,
            )
    finally:
        telemetry.registry.unregister(info)
        for task in beside:
            task.cancel()
        await loops.end_all()
