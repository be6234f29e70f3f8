"""The budgets' own loop: once a minute all ModelSLOs are counted together, and those that changed are written.

It is apart from the ticks: a rollout never waits for it, and reads budgets from the ModelSLOs' statuses.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from seatrial.api.conditions import Condition
from seatrial.api.model_slo import ModelSLOSpec
from seatrial.api.slo_status import SLO_STATUS, ModelSLOStatus
from seatrial.api.status import dump
from seatrial.api.trial import PlannedObjective
from seatrial.kube.errors import KubeError
from seatrial.metrics.types import BudgetAsk
from seatrial.rollout.budgets import assess, slo_status, windows_s
from seatrial.rollout.evidence import sli_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from seatrial.controller.cache import Cache, Raw
    from seatrial.controller.telemetry import Telemetry
    from seatrial.kube.client import Kube
    from seatrial.metrics.types import BudgetReadings, BudgetSource

ROUND_S = 60.0


class Budgets:
    """Keeps the statuses of all ModelSLOs."""

    def __init__(
        self, kube: Kube, cache: Cache, source: BudgetSource, telemetry: Telemetry, clock: Callable[[], float]
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._source = source
        self._telemetry = telemetry
        self._clock = clock

    async def run(self) -> None:
        """Count and write, once a minute, until cancelled."""
        while True:
            try:
                await self.round()
            except Exception:  # noqa: BLE001 - a bug in one round must not end the budgets of all models
                self._telemetry.bug("budgets")
            await asyncio.sleep(ROUND_S)

    async def round(self) -> None:
        """Count all budgets once and write what changed."""
        slos = {(raw["metadata"]["namespace"], raw["metadata"]["name"]): raw for raw in self._cache.all("ModelSLO")}
        now_s = self._clock()
        asked = [
            (place, spec, rollout, planned)
            for place, raw in slos.items()
            if (spec := _spec(raw))
            for rollout in self._answering(*place)
            for planned in _planned(place[1], spec)
        ]
        asks = [
            BudgetAsk(place[0], rollout, sli_of(planned), windows_s(spec, planned, now_s))
            for place, spec, rollout, planned in asked
        ]
        readings = await self._source.read(asks) if asks else None
        for place, raw in slos.items():
            spec = _spec(raw)
            if not spec:
                continue
            budgets = [
                assess(spec, planned, rollout, readings.counts.get((place[0], rollout, planned.key), {}), now_s)
                for where, spec, rollout, planned in asked
                if where == place and readings
            ]
            old = SLO_STATUS.validate_python(raw.get("status") or {})
            kept = readings is not None and readings.unavailable is not None
            new = slo_status(spec, raw["metadata"]["generation"], old.budgets if kept else budgets)
            await self._write(raw, old, replace(new, conditions=_conditions(old, raw, readings, now_s)))

    def _answering(self, namespace: str, slo: str) -> Iterator[str]:
        """Find the ModelDeployments that answer to a ModelSLO."""
        for raw in self._cache.all("ModelDeployment"):
            named = {ref.get("name") for ref in raw["spec"].get("slos") or ()}
            if raw["metadata"]["namespace"] == namespace and slo in named:
                yield raw["metadata"]["name"]

    async def _write(self, raw: Raw, old: ModelSLOStatus, new: ModelSLOStatus) -> None:
        """Write a status that shows something else than before; counts alone are not worth a request."""
        if _shown(old) == _shown(new):
            return
        body = {**raw, "status": dump(SLO_STATUS, new)}
        try:
            self._cache.put("ModelSLO", await self._kube.replace_status(body))
        except KubeError as error:  # a conflict too: the next round sees what is there by then
            self._telemetry.kube_error(None, error)


def _spec(raw: Raw) -> ModelSLOSpec | None:
    """Read a ModelSLO; one that can't be read is told of by the ModelDeployments that name it."""
    try:
        return ModelSLOSpec.model_validate(raw["spec"])
    except ValidationError:
        return None


def _planned(slo: str, spec: ModelSLOSpec) -> list[PlannedObjective]:
    return [PlannedObjective(slo, objective, objective.rollback or spec.rollback) for objective in spec.objectives]


def _conditions(old: ModelSLOStatus, raw: Raw, readings: BudgetReadings | None, now_s: float) -> tuple[Condition, ...]:
    down = readings.unavailable if readings else None
    if readings is None:
        value, reason, message = "Unknown", "NotNeeded", "no ModelDeployment answers to this ModelSLO"
    elif down:
        value, reason, message = "False", "Unavailable", f"the budgets are as last known: {down}"
    else:
        value, reason, message = "True", "Available", "Prometheus answers"
    had = next((c for c in old.conditions if c.type == "MetricsAvailable"), None)
    since = had.last_transition_time if had and had.status == value else now_s
    return (Condition("MetricsAvailable", value, reason, message, since, raw["metadata"]["generation"]),)


def _shown(status: ModelSLOStatus) -> ModelSLOStatus:
    """Leave out what changes with every request."""
    budgets = tuple(replace(b, total=0, bad=0, remaining_bad=0, versions=()) for b in status.budgets)
    conditions = tuple(replace(c, message="") for c in status.conditions)
    return replace(status, budgets=budgets, conditions=conditions)
