"""What the watches have delivered, cut down to what is needed, so that at rest no request is made but the watches.

The cache may lag behind the cluster. That is fine for looking: whatever is decided from it is decided again on a fresh
reading before anything moves (see tick.py), and the status is written by compare-and-set.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from seatrial.kube.workloads import MODEL_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Raw = dict[str, Any]


class Key(NamedTuple):
    """A ModelDeployment."""

    namespace: str
    name: str


class Cache:
    """Objects by kind, namespace and name; children also by the ModelDeployment that they carry the label of."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Raw] = {}
        self._children: defaultdict[tuple[str, Key], set[str]] = defaultdict(set)

    def put(self, kind: str, raw: Mapping[str, Any]) -> None:
        """Remember an object as it is now."""
        meta = raw["metadata"]
        place = (kind, meta["namespace"], meta["name"])
        self._objects[place] = TRIM.get(kind, _whole)(raw)
        if owner := owner_of(kind, raw):
            self._children[kind, owner].add(meta["name"])

    def drop(self, kind: str, raw: Mapping[str, Any]) -> None:
        """Forget an object, unless a successor of the same name is already there."""
        meta = raw["metadata"]
        place = (kind, meta["namespace"], meta["name"])
        known = self._objects.get(place)
        if not known or known["metadata"]["uid"] != meta["uid"]:
            return
        del self._objects[place]
        if owner := owner_of(kind, raw):
            self._children[kind, owner].discard(meta["name"])
            if not self._children[kind, owner]:
                del self._children[kind, owner]

    def get(self, kind: str, namespace: str, name: str) -> Raw | None:
        """Recall an object."""
        return self._objects.get((kind, namespace, name))

    def children(self, kind: str, owner: Key) -> list[Raw]:
        """Recall the objects of a kind that carry the label of a ModelDeployment."""
        names = self._children.get((kind, owner), ())
        return [self._objects[kind, owner.namespace, name] for name in sorted(names)]

    def replace_children(self, kind: str, owner: Key, fresh: list[Raw]) -> None:
        """Take what was just read for all that there is."""
        for raw in self.children(kind, owner):
            self.drop(kind, raw)
        for raw in fresh:
            self.put(kind, raw)

    def all(self, kind: str) -> list[Raw]:
        """Recall all objects of a kind."""
        return [raw for (of, _, _), raw in self._objects.items() if of == kind]


def owner_of(kind: str, raw: Mapping[str, Any]) -> Key | None:
    """Tell which ModelDeployment an object belongs to, by its label."""
    meta = raw["metadata"]
    name = (meta.get("labels") or {}).get(MODEL_LABEL)
    return Key(meta["namespace"], name) if name and kind not in {"ModelDeployment", "ModelSLO"} else None


def _whole(raw: Mapping[str, Any]) -> Raw:
    meta = {key: value for key, value in raw["metadata"].items() if key != "managedFields"}
    return {**raw, "metadata": meta}


def _meta(raw: Mapping[str, Any]) -> Raw:
    meta = raw["metadata"]
    return {key: meta[key] for key in ("namespace", "name", "uid", "labels", "deletionTimestamp") if key in meta}


def _deployment(raw: Mapping[str, Any]) -> Raw:
    status = raw.get("status") or {}
    kept = {key: status[key] for key in ("readyReplicas", "availableReplicas", "conditions") if key in status}
    return {"metadata": _meta(raw), "spec": {"replicas": raw["spec"].get("replicas", 1)}, "status": kept}


def _pod(raw: Mapping[str, Any]) -> Raw:
    status = raw.get("status") or {}
    names = ("startTime", "conditions", "initContainerStatuses", "containerStatuses")
    return {"metadata": _meta(raw), "status": {key: status[key] for key in names if key in status}}


def _service(raw: Mapping[str, Any]) -> Raw:
    return {"metadata": _meta(raw)}


TRIM: Mapping[str, Callable[[Mapping[str, Any]], Raw]] = {
    "Deployment": _deployment,
    "Pod": _pod,
    "Service": _service,
}
