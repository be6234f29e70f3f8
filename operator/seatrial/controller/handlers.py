"""The only kopf code: watches that fill the cache and wake the loops. kopf writes nothing on any object.

Of kopf's handlers only the two lowest levels are used. An *index* handler sees every object before any other handler
runs at all, so no loop starts on half a picture; it returns nothing, as the cache keeps what is needed. An *event*
handler sees what changed since. There are no finalizers, but for what is adopted (incumbent.py): whatever a
ModelDeployment made goes with it by owner references, and it can be deleted while the operator is away.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import kopf

from seatrial.api import GROUP, VERSION
from seatrial.controller.cache import Key, owner_of
from seatrial.kube.workloads import MODEL_LABEL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from seatrial.controller.cache import Cache, Raw
    from seatrial.controller.loops import Loops

GATEWAY = "gateway.networking.k8s.io"
CHILDREN = {
    "Deployment": ("apps", "v1", "deployments"),
    "Pod": ("", "v1", "pods"),
    "EndpointSlice": ("discovery.k8s.io", "v1", "endpointslices"),
    "Service": ("", "v1", "services"),
    "ControllerRevision": ("apps", "v1", "controllerrevisions"),
    "HorizontalPodAutoscaler": ("autoscaling", "v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("policy", "v1", "poddisruptionbudgets"),
    "HTTPRoute": (GATEWAY, "v1", "httproutes"),
}
"""Kinds that a ModelDeployment makes; only those that carry its label are watched. EndpointSlices have it of their
Service."""


OWN = {"ModelDeployment": (GROUP, VERSION, "modeldeployments"), "ModelSLO": (GROUP, VERSION, "modelslos")}
"""The kinds that people write."""


def registry_for(
    cache: Cache, loops: Loops, listed: Callable[[], None], gone: Callable[[str, Raw], Awaitable[None]]
) -> kopf.OperatorRegistry:
    """Register all handlers in a registry of their own.

    Parameters
    ----------
    cache
        What the watches fill.
    loops
        What they wake.
    listed
        Called when an object comes out of a listing instead of a watch.
    gone
        Called when an object was deleted.
    """
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    kopf.on.startup(registry=registry)(_configure)
    kopf.on.cleanup(registry=registry)(_cleanup(loops))
    for kind, resource in {**OWN, **CHILDREN}.items():
        kopf.index(*resource, id=f"{kind}-seen", registry=registry)(_seen(cache, kind))
        changed = _changed(kind, functools.partial(wake, cache, loops, kind), listed, gone)
        kopf.on.event(*resource, id=f"{kind}-changed", registry=registry)(changed)
    return registry


def wake(cache: Cache, loops: Loops, kind: str, raw: Mapping[str, Any]) -> None:
    """Wake the loops that look at an object; that of a ModelDeployment is started if need be."""
    meta = raw["metadata"]
    if kind == "ModelDeployment":
        loops.wake(Key(meta["namespace"], meta["name"]), start=True)
    elif kind == "ModelSLO":
        for deployment in cache.all("ModelDeployment"):
            place, named = deployment["metadata"], deployment["spec"].get("slos") or ()
            if place["namespace"] == meta["namespace"] and meta["name"] in {ref.get("name") for ref in named}:
                loops.wake(Key(place["namespace"], place["name"]))
    elif owner := owner_of(kind, raw):
        loops.wake(owner)


async def take_leave(
    cache: Cache, loops: Loops, forget: Callable[[Key], None], kind: str, raw: Mapping[str, Any]
) -> None:
    """Drop a deleted object, and wake the loops that looked at it; that of a ModelDeployment ends."""
    cache.drop(kind, raw)
    if kind != "ModelDeployment":
        wake(cache, loops, kind, raw)
        return
    key = Key(raw["metadata"]["namespace"], raw["metadata"]["name"])
    if cache.get(kind, *key) is None:
        await loops.end(key)
        forget(key)


async def _configure(settings: kopf.OperatorSettings, **_: Any) -> None:  # noqa: ANN401 - kopf's keywords
    """Set kopf up: no scanning, no peering, no events of its own, nothing between an event and its handler."""
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    for resource in CHILDREN.values():
        settings.watching.label_selectors[resource] = MODEL_LABEL


async def _login(**keywords: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 - kopf's keywords
    """Take the same credentials as kube/client.py; kopf asks again when they are refused."""
    way = kopf.login_with_kubeconfig if "KUBECONFIG" in os.environ else kopf.login_with_service_account
    return way(**keywords)


def _cleanup(loops: Loops) -> Callable[..., Awaitable[None]]:
    async def cleanup(**_: Any) -> None:  # noqa: ANN401 - kopf's keywords
        await loops.end_all()

    return cleanup


def _seen(cache: Cache, kind: str) -> Callable[..., Awaitable[None]]:
    async def seen(body: kopf.Body, **_: Any) -> None:  # noqa: ANN401 - kopf's keywords
        cache.put(kind, dict(body))

    return seen


def _changed(
    kind: str,
    wake: Callable[[Mapping[str, Any]], None],
    listed: Callable[[], None],
    gone: Callable[[str, Raw], Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    async def changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:  # noqa: ANN401 - kopf's keywords
        if event["type"] == "DELETED":
            await gone(kind, dict(body))
            return
        if event["type"] is None:
            listed()
        wake(body)

    return changed
