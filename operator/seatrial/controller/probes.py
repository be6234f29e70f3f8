"""Find out whether a candidate's models are ready, beside the ticks: a look only reads what is known by then.

A pod is ready when its container says so; a model may still load, compile or fetch. So before a version gets any
weight, each of its pods is asked by its own address: is the model ready, does it answer some calls, and does it take
and give what stable's does. One task per pod asks until the answers are good; the loop of the ModelDeployment is woken
when something changes. Nothing waits for a task, least of all a rollback.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from seatrial.api.status import Phase
from seatrial.controller.model_server import NotYet
from seatrial.kube.errors import KubeError
from seatrial.kube.workloads import VERSION_LABEL, address_of
from seatrial.rollout.capacity import Fitness
from seatrial.rollout.signature import differences, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from seatrial.api.capacity import Readiness, WarmUp
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.controller.cache import Cache, Key, Raw
    from seatrial.controller.model_server import ModelServer
    from seatrial.controller.telemetry import Telemetry
    from seatrial.kube.client import Kube

AGAIN_S = 1.0
"""Seconds until a pod that did not answer as it should is asked again."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What has to be found out.

    Attributes
    ----------
    version, port
        The candidate, and the port of its pods.
    readiness
        What its pods must answer.
    stable, stable_port
        The version to compare with; None when there is none yet.
    """

    version: str
    port: int
    readiness: Readiness
    stable: str | None = None
    stable_port: int = 0


def ask_of(status: ModelDeploymentStatus, port: Callable[[str], int | None]) -> Ask | None:
    """Tell what has to be found out now; None when the candidate has had weight, or nothing is to be asked.

    Parameters
    ----------
    status
        The status as last recorded.
    port
        Tells the port of a version's pods.
    """
    readiness = status.trial.plan.readiness if status.trial else None
    if not readiness or not status.candidate or status.phase not in {Phase.DEPLOYING, Phase.STARTING}:
        return None
    mine, stable = port(status.candidate.hash), status.stable.hash if status.stable else None
    return Ask(status.candidate.hash, mine, readiness, stable, port(stable) or 0 if stable else 0) if mine else None


@dataclass(slots=True)
class _Pod:
    """One pod that is asked: its task, and what is known by now."""

    name: str
    task: asyncio.Task[None] | None = None
    fit: bool = False
    waits: str = ""
    mismatch: str | None = None


@dataclass(slots=True)
class _Round:
    """All that is asked for one ModelDeployment."""

    ask: Ask
    pods: dict[str, _Pod] = field(default_factory=dict)


class Probes:
    """Asks the pods of candidates."""

    def __init__(
        self, kube: Kube, cache: Cache, server: ModelServer, telemetry: Telemetry, wake: Callable[[Key], None]
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._server = server
        self._telemetry = telemetry
        self._wake = wake
        self._rounds: dict[Key, _Round] = {}

    def look(self, key: Key, ask: Ask | None) -> Fitness | None:
        """Tell what is known of a candidate, and see to it that each of its ready pods is being asked."""
        if ask is None:
            self.forget(key)
            return None
        current = self._rounds.get(key)
        if current is None or current.ask != ask:
            self.forget(key)
            current = self._rounds[key] = _Round(ask)
        there = {
            pod["metadata"]["uid"]: (pod["metadata"]["name"], address)
            for pod in self._pods(key, ask.version)
            if (address := address_of(pod))
        }
        for uid in current.pods.keys() - there.keys():
            _end(current.pods.pop(uid))
        for uid in there.keys() - current.pods.keys():
            name, address = there[uid]
            pod = current.pods[uid] = _Pod(name, waits="it has not been asked yet")
            pod.task = asyncio.create_task(self._find_out(key, ask, pod, address), name=f"probe {name}")
        pods = sorted(current.pods.values(), key=lambda pod: pod.name)
        return Fitness(
            fit=sum(pod.fit for pod in pods),
            waits=next((f"pod {pod.name}: {pod.waits}" for pod in pods if not pod.fit), ""),
            mismatch=next((pod.mismatch for pod in pods if pod.mismatch), None),
        )

    def forget(self, key: Key) -> None:
        """Ask nothing more for a ModelDeployment."""
        if known := self._rounds.pop(key, None):
            for pod in known.pods.values():
                _end(pod)

    async def __aenter__(self) -> Self:
        """Begin; nothing is asked before the first look."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask nothing more at all."""
        for key in list(self._rounds):
            self.forget(key)

    def _pods(self, key: Key, version: str) -> list[Raw]:
        pods = self._cache.children("Pod", key)
        return [pod for pod in pods if pod["metadata"]["labels"].get(VERSION_LABEL) == version]

    async def _find_out(self, key: Key, ask: Ask, pod: _Pod, address: str) -> None:
        """Ask one pod until it is known to be fit; tell the loop about each change."""
        while True:
            before = (pod.waits, pod.mismatch)
            try:
                await self._ask(key, ask, pod, f"http://{address}:{ask.port}")
            except NotYet as problem:
                pod.waits = str(problem)
            except KubeError as error:
                pod.waits = error.sentence
            except Exception:  # noqa: BLE001 - a bug met with one pod must not end the asking
                self._telemetry.bug("/".join(key))
            else:
                pod.fit, pod.waits = True, ""
                self._wake(key)
                return
            if (pod.waits, pod.mismatch) != before:
                self._wake(key)
            await asyncio.sleep(AGAIN_S)

    async def _ask(self, key: Key, ask: Ask, pod: _Pod, base: str) -> None:
        readiness, inference = ask.readiness, ask.readiness.open_inference
        model = f"/v2/models/{inference.model}" if inference else ""
        await self._server.ready(base + (f"{model}/ready" if inference else readiness.path or "/"))
        if inference and ask.stable and readiness.signature != "ignore":
            theirs = await self._server.signature(self._stable(key, ask) + model)
            found = differences(theirs, await self._server.signature(base + model))
            pod.mismatch = told(found) if found else None
        if readiness.warm_up:
            await self._warm_up(key, readiness.warm_up, base + (readiness.warm_up.path or f"{model}/infer"))

    def _stable(self, key: Key, ask: Ask) -> str:
        """Find a pod of stable to compare with."""
        for pod in self._pods(key, ask.stable or ""):
            if address := address_of(pod):
                return f"http://{address}:{ask.stable_port}"
        raise NotYet("stable has no ready pod to compare inputs and outputs with")

    async def _warm_up(self, key: Key, warm_up: WarmUp, url: str) -> None:
        where = f"{key.namespace}/{warm_up.config_map}"
        found = await self._kube.get("ConfigMap", key.namespace, warm_up.config_map)
        bodies = sorted(((found or {}).get("data") or {}).items())
        if not bodies:
            what = "holds no" if found else "doesn't exist: it has to hold"
            raise NotYet(f"ConfigMap {where} {what} bodies of warm-up calls")
        for number, (name, body) in enumerate(itertools.islice(itertools.cycle(bodies), warm_up.calls), start=1):
            try:
                await self._server.predict(url, body)
            except NotYet as problem:
                raise NotYet(f"warm-up call {number} of {warm_up.calls} ({name}): {problem}") from problem


def _end(pod: _Pod) -> None:
    if pod.task:
        pod.task.cancel()
