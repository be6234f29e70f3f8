"""One tick of one ModelDeployment: observe, judge, decide, record, act, report, in this order.

* Looking is cheap: it uses the cache. When a look would move something, everything is read afresh and decided again.
* The intent is recorded before anything is touched, by a write that succeeds only on the very object that was seen. A
  conflict drops the tick: somebody knows better.
* Taking weight from a bad version waits for nothing: it needs no second reading, and it is done even when the record
  can't be written. Weight 0 is always safe, and the next tick finds the same evidence again.
* Only what was recorded is told, after all that had to be done at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seatrial.api.conditions import Condition
from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus, dump
from seatrial.controller.about import with_about
from seatrial.kube.errors import Conflict, Gone, KubeError
from seatrial.rollout.blame import shown
from seatrial.rollout.cost import shown_cost
from seatrial.rollout.labels import shown_labels
from seatrial.rollout.machine import decide

if TYPE_CHECKING:
    from seatrial.api.trial import Trial
    from seatrial.controller.act import Actor
    from seatrial.controller.cache import Cache, Key
    from seatrial.controller.observe import Observer, Sight
    from seatrial.controller.telemetry import Telemetry
    from seatrial.kube.client import Kube
    from seatrial.rollout.decision import Decision
    from seatrial.settings import Settings

RETRY_S = 1.0
RETRY_MAX_S = 30.0
AT_ONCE_S = 0.0
RESTART_S = 5.0
"""A new restart point of the test is kept at most so often; until then the test looks back to the one before."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a loop keeps between two ticks; losing it costs nothing but a few repeated requests.

    Attributes
    ----------
    written_s
        When the status was last written.
    failures
        How many ticks in a row could not record or act.
    problem
        What the last of them met, in one sentence.
    """

    written_s: float = 0.0
    failures: int = 0
    problem: str | None = None


class Ticker:
    """Runs ticks."""

    def __init__(
        self, kube: Kube, cache: Cache, observer: Observer, actor: Actor, telemetry: Telemetry, settings: Settings
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._observer = observer
        self._actor = actor
        self._telemetry = telemetry
        self._settings = settings

    async def tick(self, key: Key, memory: Memory) -> tuple[float | None, Memory]:
        """Run one tick.

        Returns
        -------
        tuple
            Seconds until the next look (None waits for a change), and what to keep in mind until then.
        """
        raw = self._observer.raw(key)
        if raw is None:
            return None, memory
        sight = await self._observer.sight(raw, memory.problem)
        decision = self._decide(sight)
        if not decision.urgent and _moves(sight, decision):
            try:
                await self._observer.refresh(key)
            except KubeError as error:
                self._telemetry.kube_error(key, error)
                return _later(memory, error.sentence)
            raw = self._observer.raw(key)
            if raw is None:
                return None, memory
            sight = await self._observer.sight(raw, memory.problem)
            decision = self._decide(sight)
        return await self._carry_out(key, sight, decision, memory)

    def _decide(self, sight: Sight) -> Decision:
        return decide(sight.status, sight.world, look_s=self._settings.look_s)

    async def _carry_out(
        self, key: Key, sight: Sight, decision: Decision, memory: Memory
    ) -> tuple[float | None, Memory]:
        """Record, act, report."""
        recorded = False
        try:
            memory = await self._record(sight, decision, memory)
            recorded = True
        except Conflict:
            await self._reread(key)
            if not decision.urgent:
                return AT_ONCE_S, memory
        except Gone:
            return None, memory
        except KubeError as error:
            self._telemetry.kube_error(key, error)
            if not decision.urgent:
                return _later(memory, error.sentence)
        undone: KubeError | None = None
        try:
            await self._actor.act(key, sight.raw, sight.world, decision.target)
        except KubeError as error:
            self._telemetry.kube_error(key, error)
            undone = error
        if recorded:  # otherwise the next tick decides and tells the same
            await self._tell(sight, decision)
        if undone:
            return _later(memory, undone.sentence)
        look_again_s = decision.look_again_s if memory.problem is None else AT_ONCE_S
        return look_again_s, replace(memory, failures=0, problem=None)

    async def _record(self, sight: Sight, decision: Decision, memory: Memory) -> Memory:
        """Write the status when it says something new, and counts alone only now and then."""
        now_s = sight.world.now_s
        if decision.status == sight.status:
            return memory
        if _without_counts(decision.status) == _without_counts(sight.status):
            fresh_look = _restarts(decision.status) != _restarts(sight.status)
            patience_s = min(RESTART_S, self._settings.status_s) if fresh_look else self._settings.status_s
            if now_s - memory.written_s < patience_s:
                return memory
        body = {**sight.raw, "status": dump(DEPLOYMENT_STATUS, decision.status)}
        self._cache.put("ModelDeployment", await self._kube.replace_status(body))
        return replace(memory, written_s=now_s)

    async def _reread(self, key: Key) -> None:
        try:
            fresh = await self._kube.get("ModelDeployment", *key)
        except KubeError as error:
            self._telemetry.kube_error(key, error)
        else:
            if fresh:
                self._cache.put("ModelDeployment", fresh)

    async def _tell(self, sight: Sight, decision: Decision) -> None:
        """Tell people, once it is recorded; an Event that can't be posted is not worth a retry."""
        self._telemetry.decided(sight, decision)
        for notice in decision.notices:
            try:
                note = with_about(notice.note, sight.raw) if notice.type == "Warning" else notice.note
                await self._kube.emit(sight.raw, severity=notice.type, reason=notice.reason, note=note)
            except KubeError as error:
                self._telemetry.kube_error(None, error)


def _later(memory: Memory, problem: str) -> tuple[float, Memory]:
    failures = memory.failures + 1
    return min(RETRY_S * 2 ** (failures - 1), RETRY_MAX_S), replace(memory, failures=failures, problem=problem)


def _moves(sight: Sight, decision: Decision) -> bool:
    """Tell whether a decision would move a phase, traffic or pods, and so deserves a fresh reading first."""
    world, target = sight.world, decision.target
    if decision.status.phase is not sight.status.phase or decision.look_again_s == AT_ONCE_S:
        return True
    if target.weights and not (world.route and world.route.carries(target.division)):
        return True
    return dict(target.replicas) != {w.version: w.desired for w in world.workloads.values() if not w.terminating}


def _restarts(status: ModelDeploymentStatus) -> list[tuple[int, int]]:
    """Count restart points of the test, and those after which bad events were seen: their times are worth keeping."""
    return [
        (
            len(entry.restarts) + entry.retired,
            sum(at_s is not None for at_s in (entry.bad_at, *(restart.bad_at for restart in entry.restarts))),
        )
        for entry in (status.trial.evidence if status.trial else ())
    ]


def _without_counts(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Leave out everything that changes with every request: what remains is worth a write when it changes."""
    conditions = tuple(
        Condition(c.type, c.status, c.reason, "", c.last_transition_time, c.observed_generation)
        for c in status.conditions
    )
    if status.trial:
        status = replace(status, trial=_uncounted(status.trial))
    if status.label_watch:
        watch = status.label_watch
        status = replace(status, label_watch=replace(watch, trial=_uncounted(watch.trial)))
    if status.drift:
        status = replace(status, drift=shown(status.drift))
    if status.labels:
        status = replace(status, labels=shown_labels(status.labels))
    return replace(status, conditions=conditions, summary="")


def _uncounted(trial: Trial) -> Trial:
    evidence = tuple((e.slo, e.objective, e.verdict, e.step_total, e.condemned_at) for e in trial.evidence)
    cost = shown_cost(trial.cost) if trial.cost else None
    return replace(trial, evidence=evidence, cost=cost)  # type: ignore[arg-type] # only compared
