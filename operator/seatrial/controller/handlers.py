"""The only kopf code: watches that fill the cache and wake the loops. kopf writes nothing on any object.

Of kopf's handlers only the two lowest levels are used. An *index* handler sees every object before any other handler
runs at all, so no loop starts on half a picture; it returns nothing, as the cache keeps what is needed. An *event*
handler sees what changed since. There are no finalizers: whatever a ModelDeployment made goes with it by owner
references, and it can be deleted while the operator is away.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import kopf

from seatrial.api import GROUP, VERSION
from seatrial.controller.cache import Key, owner_of
from seatrial.kube.workloads import MODEL_LABEL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from seatrial.controller.cache import Cache
    from seatrial.controller.loops import Loops

GATEWAY = "gateway.networking.k8s.io"
CHILDREN = {
    "Deployment": ("apps", "v1", "deployments"),
    "Pod": ("", "v1", "pods"),
    "Service": ("", "v1", "services"),
    "HTTPRoute": (GATEWAY, "v1", "httproutes"),
}
"""Kinds that a ModelDeployment makes; only those that carry its label are watched."""


def registry_for(cache: Cache, loops: Loops, forget: Callable[[Key], None]) -> kopf.OperatorRegistry:
    """Register all handlers in a registry of their own."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    kopf.on.startup(registry=registry)(_configure)
    kopf.on.cleanup(registry=registry)(_cleanup(loops))
    own = {"ModelDeployment": (GROUP, VERSION, "modeldeployments"), "ModelSLO": (GROUP, VERSION, "modelslos")}
    for kind, resource in {**own, **CHILDREN}.items():
        kopf.index(*resource, id=f"{kind}-seen", registry=registry)(_seen(cache, kind))
    kopf.on.event(*own["ModelDeployment"], id="model-deployment", registry=registry)(_own(cache, loops, forget))
    kopf.on.event(*own["ModelSLO"], id="model-slo", registry=registry)(_slo(cache, loops))
    for kind, resource in CHILDREN.items():
        kopf.on.event(*resource, id=f"{kind}-changed", registry=registry)(_child(cache, loops, kind))
    return registry


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


def _own(cache: Cache, loops: Loops, forget: Callable[[Key], None]) -> Callable[..., Awaitable[None]]:
    async def changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:  # noqa: ANN401 - kopf's keywords
        key = Key(str(body.metadata.namespace), str(body.metadata.name))
        if event["type"] != "DELETED":
            loops.wake(key, start=True)
            return
        cache.drop("ModelDeployment", body)
        if cache.get("ModelDeployment", *key) is None:
            await loops.end(key)
            forget(key)

    return changed


def _slo(cache: Cache, loops: Loops) -> Callable[..., Awaitable[None]]:
    async def changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:  # noqa: ANN401 - kopf's keywords
        if event["type"] == "DELETED":
            cache.drop("ModelSLO", body)
        for raw in cache.all("ModelDeployment"):
            meta = raw["metadata"]
            named = {ref.get("name") for ref in raw["spec"].get("slos") or ()}
            if meta["namespace"] == body.metadata.namespace and body.metadata.name in named:
                loops.wake(Key(meta["namespace"], meta["name"]))

    return changed


def _child(cache: Cache, loops: Loops, kind: str) -> Callable[..., Awaitable[None]]:
    async def changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:  # noqa: ANN401 - kopf's keywords
        if event["type"] == "DELETED":
            cache.drop(kind, body)
        if owner := owner_of(kind, body):
            loops.wake(owner)

    return changed
