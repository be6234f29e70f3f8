"""The router for those who have none: one Service over the pods of both versions, so that their number divides.

Theory: a Service spreads connections evenly over its ready pods, so a version's share is its share of those pods.
While one version has everything, the Service selects that version by its label, and pods come and go without us. While
two share, it selects pods that carry the label ``seatrial.dev/serving``, and as many pods carry it as come nearest to
the weights, never above what the candidate may have. A rollback is one write again: the Service selects stable alone.

Source: Kubernetes, Service (a selector names labels that pods must have; it can't say "or").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from seatrial.kube.errors import Refused
from seatrial.kube.workloads import MODEL_LABEL, SERVICE_PORT, VERSION_LABEL, owned_metadata
from seatrial.rollout.target import ALL
from seatrial.rollout.world import RouteView
from seatrial.traffic.router import ANNOTATION, Apply, Change, Label, Remove, Seen, belongs_to, is_like

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seatrial.rollout.decision import Division

    Raw = Mapping[str, Any]

KIND = "Service"
SERVING_LABEL = "seatrial.dev/serving"
SERVING = "true"


class ReplicaRouter:
    """A :class:`~seatrial.traffic.router.Router` by the number of pods behind one Service."""

    def changes(self, owner: Raw, division: Division, seen: Seen) -> tuple[Change, ...]:
        """Say what has to be written; see :meth:`seatrial.traffic.router.Router.changes`.

        Pods are labelled before the Service looks for labels, and lose them after it does no longer.
        """
        if not division.weights:
            return ()
        _refuse_what_no_service_can(division)
        name = owner["metadata"]["name"]
        live = seen.services.get(name)
        _refuse_foreign(owner, live)
        chosen = _chosen(owner, division.weights, seen)
        manifest = _service(owner, division.weights, seen)
        found: list[Change] = [
            Label(pod, SERVING_LABEL, SERVING) for pod in chosen if not _serves(pod) and _shared(division.weights)
        ]
        if not live or not _carries(manifest, live):
            found.append(Apply(manifest, force=live is not None))
        keep = {pod["metadata"]["name"] for pod in chosen} if _shared(division.weights) else set()
        found += [
            Label(pod, SERVING_LABEL, None)
            for pod in seen.pods
            if _serves(pod) and pod["metadata"]["name"] not in keep and "deletionTimestamp" not in pod["metadata"]
        ]
        return tuple(found)

    def read(self, owner: Raw, seen: Seen) -> RouteView | None:
        """Read the Service and the labels; see :meth:`seatrial.traffic.router.Router.read`.

        Nobody answers for a Service: what it selects counts as taken.
        """
        live = seen.services.get(owner["metadata"]["name"])
        if not live:
            return None
        weights = _noted(live)
        if sum(weights.values()) != ALL:
            return RouteView({}, accepted=True, resolved=True, attached=False)
        labelled = {pod["metadata"]["name"] for pod in seen.pods if _serves(pod) and _ready(pod)}
        wanted = {pod["metadata"]["name"] for pod in _chosen(owner, weights, seen)} if _shared(weights) else set()
        try:
            intact = _carries(_service(owner, weights, seen), live)
        except Refused:
            intact = False
        real = _real(owner, weights, seen)
        return RouteView(
            weights=weights,
            accepted=True,
            resolved=True,
            attached=intact and (labelled == wanted or not _shared(weights)),
            real=real,
            unable=_unable(weights, real, seen),
        )

    def release(self, owner: Raw, seen: Seen) -> tuple[Change, ...]:
        """Take away what this router made; see :meth:`seatrial.traffic.router.Router.release`."""
        live = seen.services.get(owner["metadata"]["name"])
        return (Remove(KIND, live),) if live and belongs_to(owner, live) else ()


def pods_for(weight: int, stable: int, candidate: int) -> tuple[int, int]:
    """Choose how many pods of each version serve.

    Parameters
    ----------
    weight
        Percent of the requests that the candidate may have at most, 0 to 100.
    stable, candidate
        Ready pods of each.

    Returns
    -------
    tuple
        Pods of stable and of the candidate: the candidate's share comes nearest to the weight from below, and there are
        never fewer pods than stable alone has, as long as they are there. Among equals, the most pods.
    """
    if weight == ALL:
        return 0, candidate
    found = [
        (s, c)
        for c in range(candidate + 1)
        for s in range(1, stable + 1)
        if s + c >= stable and c * ALL <= weight * (s + c)
    ]
    return max(found, key=lambda pods: (pods[1] / sum(pods), sum(pods)), default=(stable, 0))


def _shared(weights: Mapping[str, int]) -> bool:
    return max(weights.values()) < ALL


def _by_version(pods: Iterable[Raw]) -> dict[str, list[Raw]]:
    """Sort ready pods by version: those that serve first, so that as few labels as possible change."""
    found: dict[str, list[Raw]] = {}
    for pod in sorted(pods, key=lambda pod: (not _serves(pod), pod["metadata"]["name"])):
        if _ready(pod):
            found.setdefault(pod["metadata"]["labels"].get(VERSION_LABEL, ""), []).append(pod)
    return found


def _sides(owner: Raw, weights: Mapping[str, int]) -> tuple[str, str]:
    """Tell which of two versions is stable, and which the candidate."""
    known = str(((owner.get("status") or {}).get("stable") or {}).get("hash", ""))
    stable = known if weights.get(known) else max(weights, key=lambda version: (weights[version], version))
    return stable, max((v for v in weights if v != stable), key=lambda version: (weights[version], version), default="")


def _chosen(owner: Raw, weights: Mapping[str, int], seen: Seen) -> list[Raw]:
    """Choose the pods that get requests."""
    pods = _by_version(seen.pods)
    if not _shared(weights):
        return pods.get(max(weights, key=lambda version: weights[version]), [])
    stable, candidate = _sides(owner, weights)
    theirs, its = pods.get(stable, []), pods.get(candidate, [])
    old, new = pods_for(weights[candidate], len(theirs), len(its))
    return [*theirs[:old], *its[:new]]


def _real(owner: Raw, weights: Mapping[str, int], seen: Seen) -> dict[str, float]:
    """Compute the shares that the chosen pods give, from 0 to 1."""
    chosen = _chosen(owner, weights, seen)
    of = [pod["metadata"]["labels"].get(VERSION_LABEL, "") for pod in chosen]
    return {version: of.count(version) / len(of) for version in weights} if of else dict.fromkeys(weights, 0.0)


def _unable(weights: Mapping[str, int], real: Mapping[str, float], seen: Seen) -> str | None:
    """Say when a version that should get requests can't have any."""
    for version, weight in weights.items():
        if weight and not real[version]:
            counts = ", ".join(f"{len(pods)} of {name}" for name, pods in sorted(_by_version(seen.pods).items()))
            return (
                f"{weight} % of the requests can't be had by whole pods (ready: {counts or 'none'}): begin with a "
                "larger weight, raise replicas, or use a gateway"
            )
    return None


def _service(owner: Raw, weights: Mapping[str, int], seen: Seen) -> dict[str, Any]:
    name = owner["metadata"]["name"]
    serving = [version for version, weight in weights.items() if weight]
    ports = {seen.ports.get(version, owner["spec"]["port"]) for version in serving}
    if len(ports) > 1:
        raise Refused(
            f"Service {owner['metadata']['namespace']}/{name} can't lead to two versions whose ports differ "
            f"({', '.join(map(str, sorted(ports)))}): keep the port, or use a gateway."
        )
    only = {SERVING_LABEL: SERVING} if _shared(weights) else {VERSION_LABEL: serving[0]}
    metadata = owned_metadata(owner, name, {MODEL_LABEL: name})
    metadata["annotations"] = {ANNOTATION: json.dumps({"weights": dict(weights)}, sort_keys=True)}
    return {
        "apiVersion": "v1",
        "kind": KIND,
        "metadata": metadata,
        "spec": {
            "selector": {MODEL_LABEL: name, **only},
            "ports": [{"name": "http", "protocol": "TCP", "port": SERVICE_PORT, "targetPort": ports.pop()}],
        },
    }


def _carries(manifest: Raw, live: Raw) -> bool:
    notes = [(one["metadata"].get("annotations") or {}).get(ANNOTATION) for one in (manifest, live)]
    same = manifest["spec"]["selector"] == (live.get("spec") or {}).get("selector")
    return notes[0] == notes[1] and same and is_like(manifest["spec"], live["spec"])


def _noted(live: Raw) -> dict[str, int]:
    """Read the weights that the Service was last made for; a note that somebody has spoilt counts for nothing."""
    try:
        weights = json.loads((live["metadata"].get("annotations") or {}).get(ANNOTATION, "{}"))["weights"]
        return {str(version): int(weight) for version, weight in weights.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _serves(pod: Raw) -> bool:
    return bool((pod["metadata"].get("labels") or {}).get(SERVING_LABEL) == SERVING)


def _ready(pod: Raw) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _refuse_what_no_service_can(division: Division) -> None:
    extras = ("mirror", "group", "sticky", "preview", "fallback")
    asked = [extra for extra in extras if getattr(division, extra)]
    if asked:
        raise Refused(f"Without a gateway there is no {asked[0]}: a Service only divides by pods. Use traffic.gateway.")


def _refuse_foreign(owner: Raw, live: Raw | None) -> None:
    if live is not None and not belongs_to(owner, live):
        where = f"{owner['metadata']['namespace']}/{owner['metadata']['name']}"
        raise Refused(
            f"Service {where} exists and was not made for this ModelDeployment: delete it, or rename one of them."
        )
