"""What the watches have delivered, cut down to what is needed, so that at rest no request is made but the watches.

The cache may lag behind the cluster. That is fine for looking: whatever is decided from it is decided again on a fresh
reading before anything moves (see tick.py), and the status is written by compare-and-set.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from seatrial.api.cost import PRICE_ANNOTATION
from seatrial.kube.workloads import MODEL_LABEL, PORT_ANNOTATION, VERSION_LABEL
from seatrial.traffic.router import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Raw = dict[str, Any]
IDENTITY = ("namespace", "name", "uid", "resourceVersion", "labels", "deletionTimestamp")
REMEMBERED_DELETIONS = 1_000
"""So many deleted objects are kept out; an answer that was on its way when its object went is never older."""


class Key(NamedTuple):
    """A ModelDeployment."""

    namespace: str
    name: str


class Cache:
    """Objects by kind, namespace and name; children also by the ModelDeployment that they carry the label of."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Raw] = {}
        self._children: defaultdict[tuple[str, Key], set[str]] = defaultdict(set)
        self._gone: deque[str] = deque(maxlen=REMEMBERED_DELETIONS)

    def put(self, kind: str, raw: Mapping[str, Any]) -> None:
        """Remember an object, unless something newer is known of it.

        What a watch tells and what a call answers come on two ways, in any order. An answer that is overtaken by a
        later event and then stands in the cache would be believed until the object changes once more, perhaps never.
        """
        meta = raw["metadata"]
        place = (kind, meta["namespace"], meta["name"])
        known = self._objects.get(place, {"metadata": {}})["metadata"]
        # Resource versions of one object are decimal numbers that grow (Kubernetes API concepts, "Resource versions").
        overtaken = known.get("uid") == meta["uid"] and int(known["resourceVersion"]) > int(meta["resourceVersion"])
        if overtaken or meta["uid"] in self._gone:
            return
        self._objects[place] = TRIM.get(kind, _whole)(raw)
        if owner := owner_of(kind, raw):
            self._children[kind, owner].add(meta["name"])

    def drop(self, kind: str, raw: Mapping[str, Any]) -> None:
        """Forget an object for good: it was deleted. A successor of the same name stays."""
        self._gone.append(raw["metadata"]["uid"])
        self._remove(kind, raw)

    def _remove(self, kind: str, raw: Mapping[str, Any]) -> None:
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

    def replace(self, kind: str, namespace: str, name: str, fresh: Raw | None) -> None:
        """Take what was just read, or that there was nothing, for what there is."""
        known = self.get(kind, namespace, name)
        if known and (not fresh or fresh["metadata"]["uid"] != known["metadata"]["uid"]):
            self._remove(kind, known)
        if fresh:
            self.put(kind, fresh)

    def replace_children(self, kind: str, owner: Key, fresh: list[Raw]) -> None:
        """Take what was just read for all that there is."""
        uids = {raw["metadata"]["uid"] for raw in fresh}
        for raw in self.children(kind, owner):
            if raw["metadata"]["uid"] not in uids:
                self._remove(kind, raw)
        for raw in fresh:
            self.put(kind, raw)

    def all(self, kind: str) -> list[Raw]:
        """Recall all objects of a kind."""
        return [raw for (of, _, _), raw in self._objects.items() if of == kind]


def seen(cache: Cache, key: Key) -> Seen:
    """Gather what a router may need to know of a ModelDeployment.

    The objects of its own name come whosever they are: a router never takes over what it did not make.
    """
    routes, services = (
        {raw["metadata"]["name"]: raw for raw in [*cache.children(kind, key), cache.get(kind, *key)] if raw}
        for kind in ("HTTPRoute", "Service")
    )
    ports = {
        raw["metadata"]["labels"].get(VERSION_LABEL, ""): raw["metadata"]
        .get("annotations", {})
        .get(PORT_ANNOTATION, "")
        for raw in cache.children("Deployment", key)
    }
    return Seen(
        routes=routes,
        services={
            name: raw for name, raw in services.items() if VERSION_LABEL not in raw["metadata"].get("labels", {})
        },
        pods=cache.children("Pod", key),
        ports={version: int(port) for version, port in ports.items() if port.isdecimal()},
    )


def owner_of(kind: str, raw: Mapping[str, Any]) -> Key | None:
    """Tell which ModelDeployment an object belongs to, by its label."""
    meta = raw["metadata"]
    name = (meta.get("labels") or {}).get(MODEL_LABEL)
    return Key(meta["namespace"], name) if name and kind not in {"ModelDeployment", "ModelSLO"} else None


def _whole(raw: Mapping[str, Any]) -> Raw:
    meta = {key: value for key, value in raw["metadata"].items() if key != "managedFields"}
    return {**raw, "metadata": meta}


def _meta(raw: Mapping[str, Any], *also: str) -> Raw:
    meta = raw["metadata"]
    return {key: meta[key] for key in (*IDENTITY, *also) if key in meta}


def _deployment(raw: Mapping[str, Any]) -> Raw:
    status = raw.get("status") or {}
    kept = {key: status[key] for key in ("readyReplicas", "availableReplicas", "conditions") if key in status}
    meta = _meta(raw, "annotations", "ownerReferences")
    scaled = [entry for entry in raw["metadata"].get("managedFields") or () if entry.get("subresource") == "scale"]
    if scaled:
        meta["managedFields"] = [{key: entry[key] for key in ("manager", "subresource")} for entry in scaled]
    return {"metadata": meta, "spec": {"replicas": raw["spec"].get("replicas", 1)}, "status": kept}


def _pod(raw: Mapping[str, Any]) -> Raw:
    status = raw.get("status") or {}
    names = ("conditions", "initContainerStatuses", "containerStatuses", "podIP")
    meta = _meta(raw)
    price = (raw["metadata"].get("annotations") or {}).get(PRICE_ANNOTATION)
    if price is not None:
        meta["annotations"] = {PRICE_ANNOTATION: price}
    return {"metadata": meta, "status": {key: status[key] for key in names if key in status}}


def _scaler(raw: Mapping[str, Any]) -> Raw:
    spec = raw["spec"]
    bounds = {key: spec[key] for key in ("minReplicas", "maxReplicas") if key in spec}
    return {"metadata": _meta(raw, "annotations", "ownerReferences"), "spec": bounds}


def _identity(raw: Mapping[str, Any]) -> Raw:
    return {"metadata": _meta(raw, "ownerReferences")}


def _service(raw: Mapping[str, Any]) -> Raw:
    """Of a version's Service it is enough to know that it is there; a router's Service is read back."""
    if VERSION_LABEL in (raw["metadata"].get("labels") or {}):
        return {"metadata": _meta(raw, "ownerReferences")}
    kept = {key: raw["spec"][key] for key in ("selector", "ports") if key in raw["spec"]}
    return {"metadata": _meta(raw, "annotations", "ownerReferences"), "spec": kept}


def _endpoint_slice(raw: Mapping[str, Any]) -> Raw:
    endpoints = raw.get("endpoints") or ()
    conditions = [{"ready": (one.get("conditions") or {}).get("ready", True)} for one in endpoints]
    return {
        "metadata": _meta(raw),
        "addressType": raw["addressType"],
        "endpoints": [{"conditions": condition} for condition in conditions],
    }


TRIM: Mapping[str, Callable[[Mapping[str, Any]], Raw]] = {
    "Deployment": _deployment,
    "Pod": _pod,
    "ControllerRevision": _identity,
    "PodDisruptionBudget": _identity,
    "HorizontalPodAutoscaler": _scaler,
    "Service": _service,
    "EndpointSlice": _endpoint_slice,
}
