"""Act: make the cluster equal to a decision's target, idempotently, the traffic first.

Nothing here decides anything. Each call compares the target with what is cached and writes only differences, so a tick
at rest makes no request, and one that died half-way is completed by the next.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from seatrial.controller.cache import seen
from seatrial.controller.incumbent import Relief
from seatrial.controller.launch import Launcher
from seatrial.kube.errors import Gone
from seatrial.kube.scaling import autoscaler, disruption_budget, in_force
from seatrial.kube.workloads import VERSION_LABEL, name_of, owned_metadata, service
from seatrial.rollout.world import Wish
from seatrial.traffic.router import Apply, Label, belongs_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.controller.cache import Cache, Key
    from seatrial.kube.client import Kube
    from seatrial.rollout.decision import Target
    from seatrial.rollout.world import World
    from seatrial.traffic.router import Router


VERSIONED = ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ControllerRevision")
"""Kinds that a version has one object of each, in the order in which they go."""


class Actor:
    """Brings one ModelDeployment's route and workloads to their target."""

    def __init__(self, kube: Kube, cache: Cache, router: Router) -> None:
        self._kube = kube
        self._cache = cache
        self._router = router
        self._launcher = Launcher(kube, cache)
        self._relief = Relief(kube, cache)

    async def act(self, key: Key, raw: Mapping[str, Any], world: World, target: Target) -> None:
        """Write whatever differs.

        Raises
        ------
        seatrial.kube.errors.KubeError
            When a write fails; what was written before it stays, and the next tick goes on.
        """
        if not await self._relief.act(key, world, target):
            return
        await self._route(key, raw, target)
        await self._workloads(key, raw, world, target)
        await self._autoscalers(key, raw, world, target)
        await self._retire(key, world, target)
        await self._take_back(key, raw)

    async def _route(self, key: Key, raw: Mapping[str, Any], target: Target) -> None:
        for change in self._router.changes(raw, target.division, seen(self._cache, key)):
            if isinstance(change, Apply):
                manifest = change.manifest
                self._cache.put(manifest["kind"], await self._kube.apply(manifest, force=change.force))
            elif isinstance(change, Label):
                name = change.pod["metadata"]["name"]
                labelled = self._kube.amend("Pod", key.namespace, name, {"labels": {change.key: change.value}})
                with contextlib.suppress(Gone):  # a pod that has gone needs no label
                    self._cache.put("Pod", await labelled)
            else:
                meta = change.live["metadata"]
                await self._kube.delete(change.kind, key.namespace, meta["name"], uid=meta["uid"])

    async def _workloads(self, key: Key, raw: Mapping[str, Any], world: World, target: Target) -> None:
        wish = world.wish if isinstance(world.wish, Wish) else None
        for version, replicas in target.replicas.items():
            workload = world.workloads.get(version)
            made = None
            if wish and wish.version == version and not self._there("ControllerRevision", key, version):
                made = await self._launcher.remember(key, raw, version, wish.contents)
            elif workload and not self._there("ControllerRevision", key, version):
                await self._launcher.remember_live(key, raw, version)
            if not self._there("Service", key, version):
                port = await self._launcher.port(key, raw, version, made)
                if port:
                    self._cache.put("Service", await self._kube.apply(service(raw, version, port)))
            if not self._there("PodDisruptionBudget", key, version):
                self._cache.put("PodDisruptionBudget", await self._kube.apply(disruption_budget(raw, version)))
            if workload is None and wish:
                await self._launcher.launch(key, raw, version, replicas, round(wish.plan.warm_up), made)
            elif workload and workload.desired != replicas and not workload.terminating:
                await self._kube.scale(key.namespace, name_of(raw, version), replicas)

    async def _autoscalers(self, key: Key, raw: Mapping[str, Any], world: World, target: Target) -> None:
        live = {self._version(item): item for item in self._cache.children("HorizontalPodAutoscaler", key)}
        for version, scaling in target.scaling.items():
            if version not in live or not in_force(raw, scaling, live[version]):
                manifest = autoscaler(raw, version, scaling)
                self._cache.put("HorizontalPodAutoscaler", await self._kube.apply(manifest))
        if isinstance(world.wish, Wish) and not world.wish.scaling:
            for item in live.values():
                await self._delete(key, item, "HorizontalPodAutoscaler")

    async def _retire(self, key: Key, world: World, target: Target) -> None:
        """Remove versions that nobody needs; never one that the route still names, whatever else is thought of it."""
        kept = {""} | set(target.replicas) | set(target.weights) | set(world.route.weights if world.route else ())
        for kind in VERSIONED:
            for item in self._cache.children(kind, key):
                if self._version(item) not in kept:
                    await self._delete(key, item, kind)

    async def _take_back(self, key: Key, raw: Mapping[str, Any]) -> None:
        """Own again the orphans of a former ModelDeployment of this name, so that they go with this one.

        A route that is adopted stays without an owner: it was there before, and outlives the ModelDeployment.
        """
        if "deletionTimestamp" in raw["metadata"]:
            return
        for kind in VERSIONED if raw["spec"].get("adopt") else (*VERSIONED, "HTTPRoute"):
            for item in self._cache.children(kind, key):
                meta = item["metadata"]
                if not meta.get("ownerReferences") and "deletionTimestamp" not in meta and belongs_to(raw, item):
                    owners = owned_metadata(raw, meta["name"], {})["ownerReferences"]
                    version = {"resourceVersion": meta["resourceVersion"]}
                    amended = self._kube.amend(
                        kind, key.namespace, meta["name"], {**version, "ownerReferences": owners}
                    )
                    self._cache.put(kind, await amended)

    async def _delete(self, key: Key, item: Mapping[str, Any], kind: str) -> None:
        meta = item["metadata"]
        if "deletionTimestamp" not in meta:
            await self._kube.delete(kind, key.namespace, meta["name"], uid=meta["uid"])

    def _there(self, kind: str, key: Key, version: str) -> bool:
        """Tell whether a version has its object of a kind, as far as is known."""
        return any(self._version(item) == version for item in self._cache.children(kind, key))

    @staticmethod
    def _version(item: Mapping[str, Any]) -> str:
        return str(item["metadata"]["labels"].get(VERSION_LABEL, ""))
