"""Make what a version runs as, in an order in which a crash at any point leaves nothing undone for good.

First the ControllerRevision (it owns the copies of ConfigMaps and Secrets), then the copies, last the Deployment: when
the Deployment is there, so is all that its pods need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.kube.config import content_of, copy_name, copy_of, rewritten
from seatrial.kube.errors import Conflict, Refused
from seatrial.kube.revisions import Remembered, recall, revision
from seatrial.kube.workloads import deployment, name_of, port_of
from seatrial.rollout.versions import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seatrial.controller.cache import Cache, Key
    from seatrial.kube.client import Kube
    from seatrial.rollout.versions import Content

    Raw = dict[str, Any]


class Launcher:
    """Makes Deployments, and what stands behind them."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube = kube
        self._cache = cache

    async def remember(self, key: Key, raw: Mapping[str, Any], version: str, contents: Iterable[Content]) -> Raw:
        """Write down what the wished version is, and copy what its template reads.

        Raises
        ------
        Conflict
            When a ConfigMap or Secret has changed since the version was named after its content.
        """
        names = {(one.kind, one.name): copy_name(raw, version, one) for one in contents}
        template = rewritten(raw["spec"]["template"], names)
        made = await self._keep(revision(raw, version, Remembered(template, raw["spec"]["port"])))
        for content in contents:
            if content.exists:
                await self._copy(key, raw, made, version, content)
        return made

    async def remember_live(self, key: Key, raw: Mapping[str, Any], version: str) -> None:
        """Write down what a version is that no longer stands in the spec, from its Deployment."""
        live = await self._kube.get("Deployment", key.namespace, name_of(raw, version))
        port = port_of(live)
        if live and port:
            await self._keep(revision(raw, version, Remembered(live["spec"]["template"], port)))

    async def launch(
        self, key: Key, raw: Mapping[str, Any], version: str, replicas: int, warm_up_s: int, made: Raw | None
    ) -> None:
        """Make the Deployment of a version, also of one that no longer stands in the spec.

        Parameters
        ----------
        key, raw
            The ModelDeployment.
        version
            Hash of the version.
        replicas
            Number of pods.
        warm_up_s
            Seconds that a pod must have been ready before it counts as available.
        made
            Its ControllerRevision, raw; it is read when it is None.

        Raises
        ------
        Refused
            When nothing says any more what the version was.
        """
        name = name_of(raw, version)
        found = made or await self._kube.get("ControllerRevision", key.namespace, name)
        if not found:
            raise Refused(
                f"Deployment {key.namespace}/{name} is gone, and ControllerRevision {name}, which says what it was, "
                "too: apply that version again."
            )
        was = recall(found)
        manifest = deployment(raw, version, was.template, replicas, warm_up_s, was.port)
        self._cache.put("Deployment", await self._kube.apply(manifest))

    async def port(self, key: Key, raw: Mapping[str, Any], version: str, made: Raw | None) -> int | None:
        """Recall the port of a version, from its ControllerRevision if that was just made."""
        name = name_of(raw, version)
        if port := port_of(self._cache.get("Deployment", key.namespace, name)):
            return port
        known = made or await self._kube.get("ControllerRevision", key.namespace, name)
        return recall(known).port if known else None

    async def _keep(self, manifest: Raw) -> Raw:
        """Write a ControllerRevision down, or find the one that a former attempt made.

        It is applied, not created: the API server stores the data of a created one byte by byte as it came, and a later
        patch writes it in the server's own way, which then counts as a change of what must not change. So nobody could
        ever patch such an object, nor could Kubernetes take its owner away.
        """
        made = await self._kube.apply(manifest)
        self._cache.put("ControllerRevision", made)
        return made

    async def _copy(self, key: Key, raw: Mapping[str, Any], made: Raw, version: str, content: Content) -> None:
        if await self._kube.get(content.kind, key.namespace, copy_name(raw, version, content)):
            return
        where = f"{content.kind} {key.namespace}/{content.name}"
        live = await self._kube.get(content.kind, key.namespace, content.name)
        if live is None or content_of(Reference(content.kind, content.name), live) != content:
            raise Conflict(f"{where} has changed since version {version} was named after its content.")
        await self._kube.create(copy_of(made, raw, version, live))
