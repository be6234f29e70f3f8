"""The only place that talks to the Kubernetes API.

It goes through ``kubernetes.aio`` for configuration, credentials and transport, and hands out plain dicts: the
generated pydantic models cost memory and time for each object, drop fields that are newer than the library, and a
template has to reach the API server exactly as its owner wrote it. Four facts of version 37 stand behind this file:

- ``param_serialize`` adds the bearer token (re-reading a rotated one) only if ``auth_settings`` names ``BearerToken``;
- ``call_api`` returns before the body is read and raises for no status code; ``RESTResponse.read`` gets the body;
- its own time limit is five minutes, and connection faults come out as raw ``aiohttp.ClientError`` or ``OSError``;
- a body is sent as JSON under ``application/apply-patch+yaml`` too, which is right: JSON is YAML.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from seatrial import __version__
from seatrial.kube.errors import Conflict, Gone, Refused, Unavailable, from_answer
from seatrial.kube.resources import OWN_API, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

FIELD_MANAGER = "seatrial"
REPORTING_CONTROLLER = "seatrial.dev/operator"

_AT_A_TIME = 24
"""Calls that are under way at the same time: with more of them a busy API server answers each so late that all fail."""
_AT_ONCE = frozenset(RESOURCES[kind].plural for kind in ("HTTPRoute", "Lease"))
"""What never waits in line, like a status: rollbacks and the lead depend on it."""
_LONGEST_NOTE = 1024  # what events.k8s.io/v1 allows for a note; kubectl wraps nothing, so longer ones help nobody


class Kube:
    """A connection to the API server; an asynchronous context manager.

    Every method raises only the errors of :mod:`seatrial.kube.errors`. Many calls at once wait in line, so hundreds of
    models that begin together get their turn one after another; what decides about traffic and the lead doesn't wait.

    Parameters
    ----------
    deadline_s
        Seconds that one call may take once it is its turn, from connecting to the last byte of the answer.
    context
        Name of the context in the kubeconfig; the current one when absent.
    """

    def __init__(self, *, deadline_s: float = 10.0, context: str | None = None) -> None:
        self._deadline_s = deadline_s
        self._context = context
        self.namespace = "default"
        self._client: ApiClient | None = None
        self._line = asyncio.Semaphore(_AT_A_TIME)

    async def __aenter__(self) -> Self:
        """Read the credentials: ``KUBECONFIG`` when set, then the pod's service account, then ``~/.kube/config``.

        Raises
        ------
        Refused
            When none of them can be used.
        """
        configuration = Configuration()
        try:
            if not self._context and "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
                config.load_incluster_config(configuration)  # type: ignore[no-untyped-call] # untyped in version 37
            else:
                loaded = await config.load_kube_config(  # type: ignore[no-untyped-call] # untyped in version 37
                    os.environ.get("KUBECONFIG"), self._context, configuration, persist_config=False
                )
                self.namespace = loaded.current_context["context"].get("namespace") or self.namespace
        except (config.ConfigException, OSError) as error:
            raise Refused(f"No way to the cluster: {error}; set KUBECONFIG or run in a pod.") from error
        self._client = ApiClient(configuration)
        self._client.user_agent = f"seatrial/{__version__}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call] # untyped in version 37
            self._client = None

    async def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        """Read one object, of the whole cluster when ``namespace`` is None; None when there is none."""
        doing = f"read {kind} {namespace}/{name}" if namespace else f"read {kind} {name}"
        try:
            return await self._call("GET", RESOURCES[kind].path(namespace, name), doing)
        except Gone:
            return None

    async def list(self, kind: str, namespace: str | None, label_selector: str = "") -> list[dict[str, Any]]:
        """Read the objects of a kind in one namespace, or in all of them (None), that carry these labels.

        The API server leaves ``kind`` and ``apiVersion`` out of a list's items; they are not put back.
        """
        doing = f"list {kind} objects in {namespace or 'all namespaces'}"
        query = {"labelSelector": label_selector} if label_selector else {}
        answer = await self._call("GET", RESOURCES[kind].path(namespace), doing, query=query)
        items: list[dict[str, Any]] = answer.get("items") or []
        return items

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object; ``Conflict`` when one of that name exists already."""
        namespace = manifest["metadata"]["namespace"]
        path = RESOURCES[manifest["kind"]].path(namespace)
        return await self._call("POST", path, f"create {_title(manifest)}", body=manifest)

    async def replace(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Replace an object if it is still the one that was read (its ``resourceVersion``), else raise ``Conflict``."""
        return await self._put(manifest, f"replace {_title(manifest)}")

    async def replace_status(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Write ``status`` if the object is still the one that was read: this is the fence between two leaders.

        Only identity and status are sent: the API server takes the rest from what it has, and a large template need
        not travel with every look. The uid makes sure that a successor of the same name is not written to.

        Raises
        ------
        Conflict
            When anything has changed the object since; decide again on what it is now.
        Gone
            When it has been deleted.
        """
        meta = manifest["metadata"]
        identity = {key: meta[key] for key in ("namespace", "name", "uid", "resourceVersion")}
        body = {"metadata": identity, **{key: manifest[key] for key in ("apiVersion", "kind", "status")}}
        return await self._put(body, f"write the status of {_title(manifest)}", "status")

    async def apply(self, manifest: Mapping[str, Any], *, force: bool = True) -> dict[str, Any]:
        """Make the fields of the manifest so, by server-side apply, and leave all other fields to their owners.

        Parameters
        ----------
        manifest
            Holds every field that Seatrial owns in this object, no more: what it leaves out is given up.
        force
            Whether to take a field that somebody else has set to another value; if not, that is a ``Conflict``.
        """
        path = RESOURCES[manifest["kind"]].path(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true" if force else "false"}
        kind = "application/apply-patch+yaml"
        return await self._call(
            "PATCH", path, f"apply {_title(manifest)}", query=query, body=manifest, content_type=kind
        )

    async def scale(self, namespace: str, name: str, replicas: int) -> None:
        """Set the number of pods of a Deployment, and nothing else of it.

        Server-side apply can't do this for a version whose template no longer stands in the ModelDeployment: what an
        apply leaves out, its manager gives up, so the template would go.
        """
        path = RESOURCES["Deployment"].path(namespace, name, "scale")
        doing = f"scale Deployment {namespace}/{name} to {replicas}"
        query = {"fieldManager": FIELD_MANAGER}
        body = {"spec": {"replicas": replicas}}
        await self._call("PATCH", path, doing, query=query, body=body, content_type="application/merge-patch+json")

    async def amend(self, kind: str, namespace: str, name: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Set parts of an object's metadata (labels, owners, finalizers), and nothing else of it.

        A label that is None is taken away; a ``resourceVersion`` makes it a ``Conflict`` when the object has changed.
        """
        path = RESOURCES[kind].path(namespace, name)
        doing = f"amend {kind} {namespace}/{name}"
        query = {"fieldManager": FIELD_MANAGER}
        body = {"metadata": metadata}
        return await self._call(
            "PATCH", path, doing, query=query, body=body, content_type="application/merge-patch+json"
        )

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str) -> None:
        """Delete the very object that was seen (its uid), and what it owns in the background; fine if already gone."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        doing = f"delete {kind} {namespace}/{name}"
        try:
            await self._call("DELETE", RESOURCES[kind].path(namespace, name), doing, body=body)
        except (Gone, Conflict):
            return  # Conflict: the name belongs to a successor by now, so ours is gone too.

    async def emit(
        self, regarding: Mapping[str, Any], *, severity: Literal["Normal", "Warning"], reason: str, note: str
    ) -> None:
        """Post an Event that ``kubectl describe`` shows under the object; the caller sees to it that it is news.

        It is a core/v1 Event with classic timestamps: kubectl reads this form in every release, while it shows the age
        of one made through events.k8s.io/v1 as unknown in releases before 1.23.

        Parameters
        ----------
        regarding
            The object, raw, with ``apiVersion``, ``kind`` and ``metadata``.
        severity
            The Event's ``type``.
        reason
            One word in CamelCase.
        note
            What happened, for a person; cut at 1,024 characters.
        """
        meta = regarding["metadata"]
        reference = {key: meta[key] for key in ("namespace", "name", "uid", "resourceVersion") if key in meta}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": meta["namespace"], "generateName": f"{meta['name']}."},
            "involvedObject": {"apiVersion": regarding["apiVersion"], "kind": regarding["kind"], **reference},
            "type": severity,
            "reason": reason,
            "message": note if len(note) <= _LONGEST_NOTE else note[: _LONGEST_NOTE - 1] + "…",
            "source": {"component": REPORTING_CONTROLLER},
            "reportingComponent": REPORTING_CONTROLLER,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        path = RESOURCES["Event"].path(meta["namespace"])
        await self._call("POST", path, f"post an Event about {_title(regarding)}", body=event)

    async def crd_exists(self) -> bool:
        """Whether the API server serves both of our kinds, told by discovery (which needs no permission of its own)."""
        try:
            answer = await self._call("GET", f"/apis/{OWN_API}", "look our CRDs up")
        except Refused:  # an unknown API group is answered in plain text, see from_answer
            return False
        served = {resource["name"] for resource in answer.get("resources") or ()}
        return {"modeldeployments", "modelslos"} <= served

    async def _put(self, manifest: Mapping[str, Any], doing: str, subresource: str = "") -> dict[str, Any]:
        meta = manifest["metadata"]
        if not meta.get("resourceVersion"):
            raise ValueError(f"Can't {doing} without its resourceVersion: it would overwrite whatever is there.")
        path = RESOURCES[manifest["kind"]].path(meta["namespace"], meta["name"], subresource)
        return await self._call("PUT", path, doing, query={"fieldManager": FIELD_MANAGER}, body=manifest)

    async def _call(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        if self._client is None:
            raise RuntimeError("Kube is used outside its `async with` block.")
        try:
            async with contextlib.nullcontext() if _at_once(path) else self._line, asyncio.timeout(self._deadline_s):
                request = await self._client.param_serialize(
                    method,
                    path,
                    query_params=list((query or {}).items()),
                    header_params={"Accept": "application/json", "Content-Type": content_type},
                    body=body,
                    auth_settings=["BearerToken"],
                )
                answer = await self._client.call_api(*request)
                content: bytes = await answer.read()  # type: ignore[no-untyped-call] # untyped in version 37
        except TimeoutError as error:
            raise Unavailable(f"Can't {doing}: no answer within {self._deadline_s:g} s.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"Can't {doing}: {error or type(error).__name__}.") from error
        if answer.status >= 300:  # noqa: PLR2004 - HTTP: everything from here on is no success
            raise from_answer(doing, answer.status, content)
        try:
            parsed: dict[str, Any] = json.loads(content)
        except ValueError as error:
            raise Unavailable(f"Can't {doing}: the answer is no JSON.") from error
        return parsed


def _at_once(path: str) -> bool:
    """Tell whether a call decides about traffic or the lead, and so must not wait for others."""
    parts = path.split("/")
    return parts[-1] == "status" or not _AT_ONCE.isdisjoint(parts)


def _title(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
