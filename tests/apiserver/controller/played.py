"""The kubelet and the gateway of a stage: they write the statuses that real ones would."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from seatrial.kube.errors import Conflict, Gone, Unavailable

if TYPE_CHECKING:
    from seatrial.kube.client import Kube
    from tests.apiserver.controller.stage import Raw, Stage


async def play(stage: Stage) -> None:
    """Play the kubelet and the gateway of one namespace until cancelled: pods get ready, routes get accepted."""
    while True:
        await asyncio.sleep(0.1)
        with contextlib.suppress(Unavailable):  # a busy machine: they try again, as real ones do
            if not stage.quiet:
                await _look(stage)


async def _look(stage: Stage) -> None:
    for item in await stage.user.list("Deployment", stage.namespace):
        replicas = 0 if item["metadata"]["name"] in stage.unready else item["spec"]["replicas"]
        status = {"replicas": item["spec"]["replicas"], "readyReplicas": replicas, "availableReplicas": replicas}
        if item.get("status", {}).get("readyReplicas", 0) != replicas:
            await _put_status(stage.user, {**item, "apiVersion": "apps/v1", "kind": "Deployment", "status": status})
    for item in await stage.user.list("HTTPRoute", stage.namespace):
        if _answered(item) != item["metadata"]["generation"]:
            whole = {**item, "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
            await _put_status(stage.user, {**whole, "status": _accepted(item)})


async def _put_status(user: Kube, manifest: Raw) -> None:
    with contextlib.suppress(Conflict, Gone):  # next time round
        await user._put(manifest, "play a controller", "status")  # whole, as controllers do it


def _answered(route: Raw) -> int:
    parents = route.get("status", {}).get("parents") or [{"conditions": [{"observedGeneration": 0}]}]
    return int(parents[0]["conditions"][0]["observedGeneration"])


def _accepted(route: Raw) -> Raw:
    meta = {
        "status": "True",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": route["metadata"]["generation"],
    }
    conditions = [{"type": kind, "reason": kind, **meta} for kind in ("Accepted", "ResolvedRefs")]
    parent = route["spec"]["parentRefs"][0]
    return {"parents": [{"parentRef": parent, "controllerName": "example.com/gateway", "conditions": conditions}]}
