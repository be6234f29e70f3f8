"""Who serves a model besides versions: the adopted Deployment is read and scaled, and the object's end held up for it.

The Deployment carries no label of ours, so no watch tells of it. It is read while something is handed over, and only
then: at rest nothing is asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seatrial.api.traffic import FINALIZER, Adopt
from seatrial.kube.errors import KubeError
from seatrial.rollout.adoption import at_rest
from seatrial.rollout.world import Incumbent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.controller.cache import Cache, Key
    from seatrial.kube.client import Kube
    from seatrial.rollout.decision import Target
    from seatrial.rollout.world import World

    Raw = Mapping[str, Any]


def held(raw: Raw) -> bool:
    """Tell whether a ModelDeployment that is deleted waits for us."""
    return FINALIZER in (raw["metadata"].get("finalizers") or ())


async def incumbent(kube: Kube, raw: Raw, status: ModelDeploymentStatus) -> Incumbent | None:
    """Look at who serves besides versions; None when the spec adopts nobody."""
    if not raw["spec"].get("adopt"):
        return None
    asked = Adopt.model_validate(raw["spec"]["adopt"])
    leaving = "deletionTimestamp" in raw["metadata"]
    known = Incumbent(
        deployment=asked.deployment,
        service=asked.backend_ref.name,
        port=asked.backend_ref.port,
        hand_back=asked.on_delete == "HandBack",
        leaving=leaving,
    )
    if status.adoption and at_rest(status.adoption) and not leaving:
        return known
    try:
        live = await kube.get("Deployment", raw["metadata"]["namespace"], asked.deployment)
    except KubeError as error:
        return replace(known, problem=error.sentence)
    if not live or "deletionTimestamp" in live["metadata"]:
        return known
    ready = (live.get("status") or {}).get("availableReplicas", 0)
    return replace(known, pods=live["spec"].get("replicas", 1), ready=ready)


class Relief:
    """Scales the adopted Deployment, and holds up the end of the ModelDeployment until it is told not to."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube = kube
        self._cache = cache

    async def act(self, key: Key, world: World, target: Target) -> bool:
        """Write whatever differs; tell whether the ModelDeployment goes on.

        It is held up before anything of the incumbent is touched.
        """
        goes_on = await self._hold(key, wanted=target.held)
        if world.incumbent and target.adopted is not None:
            await self._kube.scale(key.namespace, world.incumbent.deployment, target.adopted)
        return goes_on

    async def _hold(self, key: Key, *, wanted: bool) -> bool:
        live = self._cache.get("ModelDeployment", *key)
        if live is None:
            return False
        meta = live["metadata"]
        leaving, others = "deletionTimestamp" in meta, [f for f in meta.get("finalizers") or () if f != FINALIZER]
        if wanted != held(live) and not (wanted and leaving):  # one that is deleted takes no more finalizers
            finalizers = [*others, FINALIZER] if wanted else others
            change = {"finalizers": finalizers, "resourceVersion": meta["resourceVersion"]}
            amended = await self._kube.amend("ModelDeployment", *key, change)
            self._cache.put("ModelDeployment", amended)
        return wanted or not leaving
