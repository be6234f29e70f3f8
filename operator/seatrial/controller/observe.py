"""Observe: from raw objects and measurements to the World that a decision is made on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from seatrial.api.cost import ANNOTATION
from seatrial.api.slo_status import SLO_STATUS, ObjectiveBudget
from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus, Phase
from seatrial.controller.asking import Findings
from seatrial.controller.cache import Key, seen
from seatrial.controller.incumbent import held, incumbent
from seatrial.controller.probes import ask_of
from seatrial.kube.endpoints import ready_endpoints
from seatrial.kube.policy import Attestation
from seatrial.kube.workloads import MODEL_LABEL, VERSION_LABEL, observe, port_of
from seatrial.metrics.counting import counting
from seatrial.metrics.types import Request
from seatrial.rollout.aftermath import late_request, weigh_late
from seatrial.rollout.budgets import granted_by, least, paging, service_of
from seatrial.rollout.counts import request_for
from seatrial.rollout.evidence import weigh
from seatrial.rollout.label_objectives import covered
from seatrial.rollout.wish import commands_of, wish_of
from seatrial.rollout.world import Refusal, Wish, Workload, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seatrial.api.labels import LabelStatus
    from seatrial.api.trial import CheckRun, ObjectiveEvidence, Trial
    from seatrial.controller.cache import Cache, Raw
    from seatrial.controller.configs import Configs
    from seatrial.controller.line import Line
    from seatrial.controller.probes import Probes
    from seatrial.kube.client import Kube
    from seatrial.metrics.types import Measurements, MetricSource
    from seatrial.rollout.evidence import Service
    from seatrial.traffic.router import Router

MEASURED = frozenset({Phase.TRIAL, Phase.PROMOTING, Phase.WATCHING})
"""Phases in which the candidate's requests are counted."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One ModelDeployment as it was seen: the raw object, its status read, and the world around it.

    ``granted`` has the bad events that each error budget grants in its window, by ModelSLO and objective.
    """

    raw: Raw
    status: ModelDeploymentStatus
    world: World
    granted: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Senses:
    """What is asked besides the cache.

    Attributes
    ----------
    metrics
        Counts of requests.
    configs
        What ConfigMaps and Secrets hold.
    probes
        Whether models are ready.
    line
        Whose turn it is.
    """

    metrics: MetricSource
    configs: Configs
    probes: Probes
    line: Line


class Observer:
    """Gathers everything that a tick may need."""

    def __init__(  # noqa: PLR0913 - the parts that it sees with
        self,
        kube: Kube,
        cache: Cache,
        senses: Senses,
        router: Router,
        clock: Callable[[], float],
        fresh_s: float,
        *,
        findings: Findings | None = None,
        check: Callable[[Key, Raw, ModelDeploymentStatus], CheckRun | None] = lambda *_: None,
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._router = router
        self._clock = clock
        self._fresh_s = fresh_s
        self._findings = findings or Findings()
        self._senses = senses
        self._check = check
        self._attestation = Attestation(kube, clock)
        self._wishes: dict[Key, tuple[object, Wish | Refusal]] = {}
        self._known_budgets: dict[Key, tuple[object, dict[str, ObjectiveBudget]]] = {}

    def raw(self, key: Key) -> Raw | None:
        """Recall a ModelDeployment; None when it is gone, or going without having to wait for us."""
        raw = self._cache.get("ModelDeployment", *key)
        return None if raw is None or ("deletionTimestamp" in raw["metadata"] and not held(raw)) else raw

    def forget(self, key: Key) -> None:
        """Drop what is kept about a ModelDeployment that is gone."""
        self._wishes.pop(key, None)
        self._known_budgets.pop(key, None)
        self._senses.metrics.forget(*key)
        self._senses.configs.forget(key)
        self._senses.probes.forget(key)

    async def refresh(self, key: Key) -> None:
        """Read a ModelDeployment and its children from the API server into the cache."""
        selector = f"{MODEL_LABEL}={key.name}"
        raw, deployments, pods, slices, route = await asyncio.gather(
            self._kube.get("ModelDeployment", *key),
            self._kube.list("Deployment", key.namespace, selector),
            self._kube.list("Pod", key.namespace, selector),
            self._kube.list("EndpointSlice", key.namespace, selector),
            self._route(key),
        )
        if raw:
            self._cache.put("ModelDeployment", raw)
        self._cache.replace_children("Deployment", key, deployments)
        self._cache.replace_children("Pod", key, pods)
        self._cache.replace_children("EndpointSlice", key, slices)
        # By name: a route that somebody else made carries no label of ours, and no watch tells when it has gone.
        self._cache.replace("HTTPRoute", *key, route)

    async def _route(self, key: Key) -> Raw | None:
        """Read the HTTPRoute of a ModelDeployment that has a gateway; a cluster without one need not know the kind."""
        known = self.raw(key)
        return await self._kube.get("HTTPRoute", *key) if known and "gateway" in known["spec"]["traffic"] else None

    async def sight(self, raw: Raw, act_problem: str | None) -> Sight:
        """See one ModelDeployment as the cache and the metrics source show it."""
        meta = raw["metadata"]
        key = Key(meta["namespace"], meta["name"])
        status = DEPLOYMENT_STATUS.validate_python(raw.get("status") or {})
        measured = await self._measure(key, status)
        budgets = self._budgets(key, raw)
        evidence = status.trial.evidence if status.trial else ()
        if measured and status.trial and status.candidate and status.stable and status.phase in MEASURED:
            evidence = weigh(
                status.trial,
                status.candidate.hash,
                status.stable.hash,
                measured,
                fresh_s=self._fresh_s,
                service=_services(status.trial, budgets),
            )
            evidence = covered(evidence, status.trial.plan, status.candidate.hash, self._labels(key, status))
        world = World(
            now_s=self._clock(),
            generation=meta["generation"],
            wish=await self._wish(key, raw),
            workloads=self._workloads(key, self._prices(key, status)),
            route=self._router.read(raw, seen(self._cache, key)),
            evidence=evidence,
            late=await self._late(key, status, budgets),
            targets_up=measured.targets_up if measured else {},
            unlabelled=measured.unlabelled if measured else {},
            metrics_down=measured.unavailable if measured else None,
            budget=least(budgets.values()),
            paging=paging(budgets),
            frozen=next((budget.frozen for budget in budgets.values() if budget.frozen), None),
            act_problem=act_problem,
            commands=commands_of(raw["spec"]),
            fitness=self._senses.probes.look(key, ask_of(status, lambda version: self._port(key, version))),
            queued=self._senses.line.queued(key),
            limited=self._senses.line.limited,
            check=self._check(key, raw, status),
            drift=self._findings.drift.get(key),
            labels=self._findings.labels.get(key),
            attested=await self._attested(raw, status),
            incumbent=await incumbent(self._kube, raw, status),
        )
        return Sight(raw, status, world, {key: granted_by(budget) for key, budget in budgets.items()})

    async def _late(
        self, key: Key, status: ModelDeploymentStatus, budgets: Mapping[str, ObjectiveBudget]
    ) -> tuple[ObjectiveEvidence, ...]:
        """Have late labels judged while nothing is on trial; they come slowly, so nothing is kept between two looks."""
        watch = status.label_watch
        if not watch or status.candidate:
            return ()
        request = late_request(*key, watch)
        if not request.slis:
            return ()
        measured = await self._senses.metrics.measure(request)
        self._senses.metrics.forget(*key)
        late = weigh_late(watch, measured, fresh_s=self._fresh_s, service=_services(watch.trial, budgets))
        return covered(late, watch.trial.plan, watch.trial.version.hash, self._labels(key, status))

    def _labels(self, key: Key, status: ModelDeploymentStatus) -> LabelStatus | None:
        """Recall what labels say; until the first look since the operator started, what is written down."""
        return self._findings.labels.get(key) or status.labels

    async def _attested(self, raw: Raw, status: ModelDeploymentStatus) -> bool:
        """Ask whether names under commands are proven, only while a command waits: at rest nothing is read."""
        answered = {answer.id for answer in status.answers}
        waits = any(command.id not in answered for command in commands_of(raw["spec"]))
        return waits and await self._attestation.holds()

    def _slos(self, key: Key, raw: Raw) -> dict[str, Raw]:
        """Recall the ModelSLOs that a ModelDeployment answers to, by name."""
        names = [str(ref.get("name")) for ref in raw["spec"].get("slos") or ()]
        return {name: slo for name in names if (slo := self._cache.get("ModelSLO", key.namespace, name))}

    def _budgets(self, key: Key, raw: Raw) -> dict[str, ObjectiveBudget]:
        """Read budgets from the ModelSLOs, by ModelSLO and objective, again only when one has changed."""
        slos = self._slos(key, raw)
        stamp = tuple((slo["metadata"]["uid"], slo["metadata"].get("resourceVersion")) for slo in slos.values())
        known = self._known_budgets.get(key)
        if known and known[0] == stamp:
            return known[1]
        budgets = {
            f"{name}/{budget.objective}": budget
            for name, slo in slos.items()
            for budget in SLO_STATUS.validate_python(slo.get("status") or {}).budgets
            if budget.model_deployment == key.name
        }
        self._known_budgets[key] = (stamp, budgets)
        return budgets

    async def _wish(self, key: Key, raw: Raw) -> Wish | Refusal:
        """Read the wish again only when the spec, a ModelSLO or what the template reads has changed."""
        contents = await self._senses.configs.contents(key, raw)
        if isinstance(contents, Refusal):
            return contents
        slos = self._slos(key, raw)
        stamp = (
            (raw["metadata"]["uid"], raw["metadata"]["generation"]),
            tuple((slo["metadata"]["uid"], slo["metadata"]["generation"]) for slo in slos.values()),
            contents,
        )
        known = self._wishes.get(key)
        if known and known[0] == stamp:
            return known[1]
        wish = wish_of(raw["spec"], {name: slo["spec"] for name, slo in slos.items()}, counting, contents)
        self._wishes[key] = (stamp, wish)
        return wish

    def _port(self, key: Key, version: str) -> int | None:
        return port_of(self._cache.get("Deployment", key.namespace, f"{key.name}-{version}"))

    def _prices(self, key: Key, status: ModelDeploymentStatus) -> Mapping[str, float] | None:
        """Recall what pods cost by metrics; None when their annotations say it."""
        cost = status.trial.plan.cost if status.trial else None
        return None if cost is None or cost.prices == ANNOTATION else self._findings.prices.get(key, {})

    def _workloads(self, key: Key, prices: Mapping[str, float] | None) -> dict[str, Workload]:
        pods = self._cache.children("Pod", key)
        found = {
            version: observe(
                raw, [pod for pod in pods if pod["metadata"]["labels"].get(VERSION_LABEL) == version], prices
            )
            for raw in self._cache.children("Deployment", key)
            if (version := raw["metadata"]["labels"].get(VERSION_LABEL))
        }
        endpoints = ready_endpoints(self._cache.children("EndpointSlice", key))
        return {
            version: replace(workload, ready=min(workload.ready, endpoints.get(version, workload.ready)))
            for version, workload in found.items()
        }

    async def _measure(self, key: Key, status: ModelDeploymentStatus) -> Measurements | None:
        """Count for a trial; while its candidate only starts, ask whether Prometheus sees its pods."""
        if not (status.trial and status.candidate and status.stable):
            return None
        if status.phase in MEASURED:
            request = request_for(*key, status.candidate.hash, status.stable.hash, status.trial)
            return await self._senses.metrics.measure(request)
        if status.phase is Phase.STARTING:
            return await self._senses.metrics.measure(Request(*key, (status.candidate.hash,), (), {}))
        return None


def _services(trial: Trial, budgets: Mapping[str, ObjectiveBudget]) -> dict[str, Service]:
    """Say what budgets tell of the service, by objective of a trial."""
    return {planned.key: service_of(planned, budgets.get(planned.key)) for planned in trial.plan.objectives}
