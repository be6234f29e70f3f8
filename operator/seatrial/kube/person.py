"""What people need of the API server, besides what the operator needs: who they are, to ask, and to look on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from seatrial.kube.client import Kube
from seatrial.kube.errors import Conflict, Gone, KubeError, Unavailable, from_answer
from seatrial.kube.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

FIELD_MANAGER = "kubectl-seatrial"
"""Owns the commands that people give, so that no manifest's owner has to."""
WATCH_S = 240
"""So long one watch lasts; the client gives up after five minutes."""
PAUSE_S = 1.0
"""Rest after a watch that broke."""
TRIES = 20
"""So often a command is put again to an object that has changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is at one moment.

    Attributes
    ----------
    objects
        The objects as the API server has them, by namespace and name.
    problem
        Why it may be old, in one sentence; None when the watch is up.
    """

    objects: tuple[dict[str, Any], ...]
    problem: str | None = None


class Person(Kube):
    """A person's connection to the API server, with what the kubeconfig gives."""

    async def whoami(self) -> str:
        """Ask for the own user name, as the API server knows it."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = await self._call("POST", path, "find out your user name", body=body)
        return str(answer["status"]["userInfo"]["username"])

    async def command(
        self, namespace: str, name: str, make: Callable[[dict[str, Any]], Sequence[dict[str, Any]]]
    ) -> dict[str, Any]:
        """Put ``spec.commands`` of a ModelDeployment to what ``make`` makes of the object as it is now.

        It is made again when the object changed in between, so no command of another person gets lost.

        Raises
        ------
        Gone
            If there is no such ModelDeployment.
        """
        path = RESOURCES["ModelDeployment"].path(namespace, name)
        doing = f"command ModelDeployment {namespace}/{name}"
        for attempt in range(TRIES):
            raw = await self.get("ModelDeployment", namespace, name)
            if raw is None:
                raise Gone(f"There is no ModelDeployment {name} in namespace {namespace}.")
            meta = {key: raw["metadata"][key] for key in ("uid", "resourceVersion")}
            body = {"metadata": meta, "spec": {"commands": list(make(raw))}}
            query = {"fieldManager": FIELD_MANAGER}
            try:
                return await self._call(
                    "PATCH", path, doing, query=query, body=body, content_type="application/merge-patch+json"
                )
            except Conflict:
                await asyncio.sleep(0.05 * attempt)
        raise Conflict(f"Can't {doing}: it changes all the time; try again.")

    async def follow(self, kind: str, namespace: str | None, name: str | None = None) -> AsyncIterator[Scene]:
        """Tell what there is of a kind, at first and whenever it changes, without polling.

        A watch that ends is begun anew. Only the first listing raises; later problems are told with the scene.
        """
        objects: dict[Any, dict[str, Any]] | None = None
        while True:
            try:
                version, objects = await self._listed(kind, namespace, name)
                yield _scene(objects)
                async for event in self._events(kind, namespace, name, version):
                    if _took(objects, event):
                        yield _scene(objects)
            except KubeError as error:
                if objects is None:
                    raise
                yield _scene(objects, error.sentence)
                await asyncio.sleep(PAUSE_S)

    async def _listed(self, kind: str, namespace: str | None, name: str | None) -> tuple[str, dict[Any, Any]]:
        doing = f"list {kind} objects in {namespace or 'all namespaces'}"
        answer = await self._call("GET", RESOURCES[kind].path(namespace), doing, query=_named(name))
        version = str(answer["metadata"]["resourceVersion"])
        return version, {_key(item): item for item in answer.get("items") or ()}

    async def _events(
        self, kind: str, namespace: str | None, name: str | None, version: str
    ) -> AsyncIterator[dict[str, Any]]:
        """Watch until the API server ends it; an ERROR event (the version is too old) ends it, too."""
        if self._client is None:
            raise RuntimeError("Person is used outside its `async with` block.")
        doing = f"watch {kind} objects in {namespace or 'all namespaces'}"
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(WATCH_S), **_named(name)}
        rest = b""
        try:
            request = await self._client.param_serialize(
                "GET",
                RESOURCES[kind].path(namespace),
                query_params=list(query.items()),
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(*request)
            if answer.status >= 300:  # noqa: PLR2004 - HTTP: everything from here on is no success
                raise from_answer(doing, answer.status, await answer.read())  # type: ignore[no-untyped-call] # untyped in version 37
            # By chunks: an object may be longer than what aiohttp takes for a line.
            async for chunk in answer.response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for event in map(json.loads, lines):
                    if event["type"] == "ERROR":
                        return
                    yield event
        except TimeoutError as error:
            raise Unavailable(f"Can't {doing}: no answer.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"Can't {doing}: {error or type(error).__name__}.") from error


def _named(name: str | None) -> dict[str, str]:
    return {"fieldSelector": f"metadata.name={name}"} if name else {}


def _key(raw: dict[str, Any]) -> tuple[str, str]:
    return raw["metadata"]["namespace"], raw["metadata"]["name"]


def _scene(objects: dict[Any, dict[str, Any]], problem: str | None = None) -> Scene:
    return Scene(tuple(objects[key] for key in sorted(objects)), problem)


def _took(objects: dict[Any, dict[str, Any]], event: dict[str, Any]) -> bool:
    """Take an event in; tell whether it changed anything."""
    if event["type"] == "DELETED":
        return objects.pop(_key(event["object"]), None) is not None
    if event["type"] not in {"ADDED", "MODIFIED"}:
        return False
    objects[_key(event["object"])] = event["object"]
    return True
