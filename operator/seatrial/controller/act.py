"""Act: make the cluster equal to a decision's target, idempotently, the traffic first.

Nothing here decides anything. Each call compares the target with what is cached and writes only differences, so a tick
at rest makes no request, and one that died half-way is completed by the next.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from seatrial.controller.cache import seen
from seatrial.kube.errors import Gone
from seatrial.kube.workloads import PORT_ANNOTATION, VERSION_LABEL, deployment, name_of, service
from seatrial.rollout.world import Wish
from seatrial.traffic.router import Apply, Label

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.controller.cache import Cache, Key
    from seatrial.kube.client import Kube
    from seatrial.rollout.decision import Target
    from seatrial.rollout.world import World
    from seatrial.traffic.router import Router


class Actor:
    """Brings one ModelDeployment's route and workloads to their target."""

    def __init__(self, kube: Kube, cache: Cache, router: Router) -> None:
        self._kube = kube
        self._cache = cache
        self._router = router

    async def act(self, key: Key, raw: Mapping[str, Any], world: World, target: Target) -> None:
        """Write whatever differs.

        Raises
        ------
        seatrial.kube.errors.KubeError
            When a write fails; what was written before it stays, and the next tick goes on.
        """
        await self._route(key, raw, target)
        await self._workloads(key, raw, world, target)
        await self._retire(key, world, target)

    async def _route(self, key: Key, raw: Mapping[str, Any], target: Target) -> None:
        for change in self._router.changes(raw, target.division, seen(self._cache, key)):
            if isinstance(change, Apply):
                manifest = change.manifest
                self._cache.put(manifest["kind"], await self._kube.apply(manifest, force=change.force))
            elif isinstance(change, Label):
                name = change.pod["metadata"]["name"]
                labelled = self._kube.label("Pod", key.namespace, name, change.key, change.value)
                with contextlib.suppress(Gone):  # a pod that has gone needs no label
                    self._cache.put("Pod", await labelled)
            else:
                meta = change.live["metadata"]
                await self._kube.delete(change.kind, key.namespace, meta["name"], uid=meta["uid"])

    async def _workloads(self, key: Key, raw: Mapping[str, Any], world: World, target: Target) -> None:
        services = {self._version(item) for item in self._cache.children("Service", key)}
        for version, replicas in target.replicas.items():
            wished = isinstance(world.wish, Wish) and version == world.wish.version
            workload = world.workloads.get(version)
            port = raw["spec"]["port"] if wished else self._port(key, name_of(raw, version))
            if version not in services and port:
                self._cache.put("Service", await self._kube.apply(service(raw, version, port)))
            if workload is None:
                if wished and isinstance(world.wish, Wish):
                    warm_up_s = round(world.wish.plan.warm_up)
                    manifest = deployment(raw, version, raw["spec"]["template"], replicas, warm_up_s)
                    self._cache.put("Deployment", await self._kube.apply(manifest))
            elif workload.desired != replicas and not workload.terminating:
                await self._kube.scale(key.namespace, name_of(raw, version), replicas)

    async def _retire(self, key: Key, world: World, target: Target) -> None:
        """Remove versions that nobody needs; never one that the route still names, whatever else is thought of it."""
        kept = {""} | set(target.replicas) | set(target.weights) | set(world.route.weights if world.route else ())
        for kind in ("Deployment", "Service"):
            for item in self._cache.children(kind, key):
                if self._version(item) not in kept and "deletionTimestamp" not in item["metadata"]:
                    meta = item["metadata"]
                    await self._kube.delete(kind, key.namespace, meta["name"], uid=meta["uid"])

    def _port(self, key: Key, name: str) -> int | None:
        """Recall the port of a version that no longer stands in the spec."""
        found = self._cache.get("Deployment", key.namespace, name) or {"metadata": {}}
        port = found["metadata"].get("annotations", {}).get(PORT_ANNOTATION, "")
        return int(port) if port.isdecimal() else None

    @staticmethod
    def _version(item: Mapping[str, Any]) -> str:
        return str(item["metadata"]["labels"].get(VERSION_LABEL, ""))
