"""The operator's own metrics, its log of decisions, and /metrics and /healthz over HTTP.

No metric but the info series of about.py carries a label per ModelDeployment: their number must not grow with the
cluster, and kubectl shows the rest.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from pydantic import TypeAdapter

from seatrial import __version__
from seatrial.api.fields import format_time
from seatrial.api.status import Decision as DecisionEntry
from seatrial.controller.outcomes import Outcomes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from seatrial.controller.cache import Key
    from seatrial.controller.observe import Sight
    from seatrial.kube.errors import KubeError
    from seatrial.rollout.decision import Decision

LOG = logging.getLogger("seatrial")
DECISION: TypeAdapter[DecisionEntry] = TypeAdapter(DecisionEntry)
STUCK_S = 60.0
"""A tick that takes longer is stuck: the probe fails and Kubernetes restarts the operator."""


class Telemetry:
    """Counts, logs and serves what the operator does."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        info = Gauge("seatrial_build_info", "Version of the operator", ["version"], registry=self.registry)
        info.labels(__version__).set(1)
        self._moves = Counter("seatrial_moves", "Moves of the phase machine", ["event"], registry=self.registry)
        self._errors = Counter(
            "seatrial_kube_errors", "Failed calls to the Kubernetes API", ["kind"], registry=self.registry
        )
        self._bugs = Counter("seatrial_bugs", "Ticks that ended in an unforeseen error", registry=self.registry)
        self._ticks = Histogram(
            "seatrial_tick_seconds",
            "Time that a tick took",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
            registry=self.registry,
        )
        self._late = Histogram(
            "seatrial_tick_late_seconds",
            "How much later than asked a tick began",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
            registry=self.registry,
        )
        self._outcomes = Outcomes(self.registry)
        self._leading = Gauge("seatrial_leading", "1 while this operator leads", registry=self.registry)
        self._running: dict[Key, float] = {}

    def leading(self, *, now: bool) -> None:
        """Note whether this operator leads."""
        self._leading.set(1 if now else 0)

    def decided(self, sight: Sight, decision: Decision) -> None:
        """Count what is told, and log each decision as one complete JSON line."""
        for notice in decision.notices:
            self._moves.labels(notice.reason).inc()
        self._outcomes.note(sight.status, decision, sight.granted)
        known = sight.status.decisions[0].id if sight.status.decisions else 0
        for entry in decision.status.decisions:
            if entry.id <= known:
                break
            meta, trial = sight.raw["metadata"], decision.status.trial
            line = {
                "modeldeployment": f"{meta['namespace']}/{meta['name']}",
                "generation": meta["generation"],
                "phase": decision.status.phase,
                "weights": dict(decision.target.weights),
                "decision": DECISION.dump_python(entry, mode="json", by_alias=True),
                "counted": {
                    planned.key: {"sli": planned.objective.sli.model_dump(mode="json", exclude_none=True)}
                    for planned in (trial.plan.objectives if trial else ())
                },
                "since": None if not trial or trial.weighted_at is None else format_time(trial.weighted_at),
            }
            LOG.info(json.dumps(line))

    def kube_error(self, key: Key | None, error: KubeError) -> None:
        """Count and log a call to the Kubernetes API that failed."""
        self._errors.labels(type(error).__name__).inc()
        LOG.warning("%s: %s", "/".join(key) if key else "Event", error.sentence)

    def bug(self, where: str) -> None:
        """Count and log an error that nobody foresaw, with its trace."""
        self._bugs.inc()
        LOG.exception("%s: a tick ended in an unforeseen error; it is tried again", where)  # noqa: LOG004 - called while handling

    @asynccontextmanager
    async def timed(self, key: Key, due_s: float) -> AsyncIterator[None]:
        """Time one tick; ``due_s`` is the monotonic time at which it should have begun."""
        began_s = time.monotonic()
        self._late.observe(max(0.0, began_s - due_s))
        self._running[key] = began_s
        try:
            yield
        finally:
            del self._running[key]
            self._ticks.observe(time.monotonic() - began_s)

    def stuck(self) -> list[str]:
        """Name the ModelDeployments whose tick has been running for too long."""
        limit_s = time.monotonic() - STUCK_S
        return ["/".join(key) for key, began_s in self._running.items() if began_s < limit_s]

    @asynccontextmanager
    async def serving(self, port: int) -> AsyncIterator[None]:
        """Serve /metrics and /healthz on all addresses of the pod."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, port=port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _: web.Request) -> web.Response:
        stuck = self.stuck()
        if stuck:
            return web.Response(status=500, text=f"ticks that don't end: {', '.join(stuck)}\n")
        return web.Response(text="ok\n")
