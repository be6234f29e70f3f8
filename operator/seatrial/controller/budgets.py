"""The budgets' own loop: once a minute all ModelSLOs are counted together, and those that changed are written.

It is apart from the ticks: a rollout never waits for it, and reads budgets from the ModelSLOs' statuses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from seatrial.api.conditions import Condition
from seatrial.api.fields import parse_time
from seatrial.api.model_slo import ModelSLOSpec
from seatrial.api.slo_status import SLO_STATUS, ModelSLOStatus
from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.controller.rounds import rounds
from seatrial.kube.errors import KubeError
from seatrial.metrics.types import BudgetAsk
from seatrial.rollout.budgets import Past, assess, planned_by, slo_status, windows_s
from seatrial.rollout.copies import running, without
from seatrial.rollout.planned import sli_of
from seatrial.rollout.slices import slicing

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from seatrial.api.status import Copies
    from seatrial.api.trial import PlannedObjective
    from seatrial.controller.cache import Cache, Raw
    from seatrial.controller.telemetry import Telemetry
    from seatrial.kube.client import Kube
    from seatrial.metrics.types import BudgetReadings, BudgetSource

ROUND_S = 60.0


class _Wanted(NamedTuple):
    """One budget: of which ModelDeployment, its stable version and age, which objective, which copies to leave out."""

    rollout: str
    stable: str
    made_s: float
    planned: PlannedObjective
    copies: tuple[Copies, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """One ModelSLO, and what has to be counted for it; or why it can't be used."""

    raw: Raw
    old: ModelSLOStatus
    spec: ModelSLOSpec | None
    wanted: tuple[_Wanted, ...]
    asks: tuple[BudgetAsk, ...]
    refusal: str | None


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

    async def run(self, begun: asyncio.Event) -> None:
        """Count and write, once a minute, until cancelled; the first time when there is something to count."""
        await rounds("budgets", self.round, begun, ROUND_S, self._telemetry)

    async def round(self) -> None:
        """Count all budgets once and write what changed; a ModelSLO that can't be used stops no other."""
        now_s = self._clock()
        questions = [self._question(raw, now_s) for raw in self._cache.all("ModelSLO")]
        asks = [ask for question in questions for ask in question.asks]
        readings = await self._source.read(asks) if asks else None
        for question in questions:
            await self._write(question.raw, question.old, _answer(question, readings, now_s))

    def _question(self, raw: Raw, now_s: float) -> _Question:
        """Read a ModelSLO and find out what has to be counted for it."""
        meta, old = raw["metadata"], SLO_STATUS.validate_python(raw.get("status") or {})
        try:
            spec = ModelSLOSpec.model_validate(raw["spec"])
            wanted = [
                _Wanted(
                    rollout["metadata"]["name"], _stable(rollout), _made_s(rollout), planned, _copies(rollout, now_s)
                )
                for rollout in self._answering(meta["namespace"], meta["name"])
                for planned in planned_by(meta["name"], spec)
            ]
            asks = tuple(
                BudgetAsk(
                    meta["namespace"],
                    one.rollout,
                    sli_of(one.planned),
                    windows_s(spec, one.planned, now_s),
                    slicing(one.planned),
                )
                for one in wanted
            )
        except ValueError as error:  # pydantic's too: the ModelDeployments that name it say the same
            return _Question(raw, old, None, (), (), str(error))
        return _Question(raw, old, spec, tuple(wanted), asks, None)

    def _answering(self, namespace: str, slo: str) -> Iterator[Raw]:
        """Find the ModelDeployments that answer to a ModelSLO."""
        for raw in self._cache.all("ModelDeployment"):
            named = {ref.get("name") for ref in raw["spec"].get("slos") or ()}
            if raw["metadata"]["namespace"] == namespace and slo in named:
                yield raw

    async def _write(self, raw: Raw, old: ModelSLOStatus, new: ModelSLOStatus) -> None:
        """Write a status that shows something else than before; counts alone are not worth a request."""
        if _shown(old) == _shown(new):
            return
        body = {**raw, "status": dump(SLO_STATUS, new)}
        try:
            self._cache.put("ModelSLO", await self._kube.replace_status(body))
        except KubeError as error:  # a conflict too: the next round sees what is there by then
            self._telemetry.kube_error(None, error)


def _answer(question: _Question, readings: BudgetReadings | None, now_s: float) -> ModelSLOStatus:
    """Make a ModelSLO's status of what was counted; while nothing can be counted the budgets stay as last known."""
    meta, old, spec = question.raw["metadata"], question.old, question.spec
    conditions = _conditions(question, readings, now_s)
    if spec is None:
        return replace(old, observed_generation=meta["generation"], conditions=conditions)
    budgets = old.budgets
    if readings is None or not readings.unavailable:
        budgets = tuple(
            assess(spec, one.planned, one.rollout, _past(meta["namespace"], one, readings, now_s), now_s)
            for one in question.wanted
        )
    return replace(slo_status(spec, meta["generation"], budgets), conditions=conditions)


def _past(namespace: str, one: _Wanted, readings: BudgetReadings | None, now_s: float) -> Past:
    """Gather what is known of the past; a service is as old as its ModelDeployment, or as its first events."""
    key = (namespace, one.rollout, one.planned.key)
    if readings is None:
        return Past({}, since_s=one.made_s)
    return Past(
        counts=without(readings.counts.get(key, {}), one.copies, one.planned.key, now_s),
        dispersion=readings.dispersion.get(key, {}).get(one.stable),
        since_s=min(one.made_s, readings.first_s.get(key, one.made_s)),
    )


def _stable(raw: Raw) -> str:
    """Find the hash of a ModelDeployment's stable version."""
    stable = (raw.get("status") or {}).get("stable") or {}
    return str(stable.get("hash", ""))


def _copies(raw: Raw, now_s: float) -> tuple[Copies, ...]:
    """Find what a ModelDeployment's versions have got in shadow; hardly any has, so hardly any status is read."""
    status = raw.get("status") or {}
    if not status.get("copies") and not any("shadow" in step for step in raw["spec"]["strategy"]["steps"]):
        return ()
    known = DEPLOYMENT_STATUS.validate_python(status)
    return (*running(known, now_s), *known.copies)


def _made_s(raw: Raw) -> float:
    """Tell when a ModelDeployment was made."""
    return parse_time(raw["metadata"]["creationTimestamp"])


def _conditions(question: _Question, readings: BudgetReadings | None, now_s: float) -> tuple[Condition, ...]:
    """Say whether the ModelSLO can be used, and whether its budgets are counted."""
    if question.refusal:
        accepted = ("False", "InvalidSLO", question.refusal)
    else:
        accepted = ("True", "Accepted", "the spec can be used")
    if readings is None or not question.asks:
        available = ("Unknown", "NotNeeded", "no ModelDeployment answers to this ModelSLO")
    elif readings.unavailable:
        available = ("False", "Unavailable", f"the budgets are as last known: {readings.unavailable}")
    else:
        asked = {(ask.namespace, ask.rollout, ask.sli.name) for ask in question.asks}
        notes = "".join(f"; {'/'.join(key)}: {note}" for key, note in readings.notes.items() if key in asked)
        available = ("True", "Available", f"Prometheus answers{notes}")
    old = {condition.type: condition for condition in question.old.conditions}
    generation = question.raw["metadata"]["generation"]
    return tuple(
        Condition(kind, value, reason, message, _since(old.get(kind), value, now_s), generation)
        for kind, (value, reason, message) in (("Accepted", accepted), ("MetricsAvailable", available))
    )


def _since(old: Condition | None, value: str, now_s: float) -> float:
    return old.last_transition_time if old and old.status == value else now_s


def _shown(status: ModelSLOStatus) -> ModelSLOStatus:
    """Leave out what changes with every request."""
    budgets = tuple(replace(b, total=0, bad=0, remaining_bad=0, versions=()) for b in status.budgets)
    conditions = tuple(replace(c, message="") for c in status.conditions)
    return replace(status, budgets=budgets, conditions=conditions)
