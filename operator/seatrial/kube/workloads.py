"""What a version runs as: builders of its Deployment and Service, and the reader of how they fare. No I/O.

A version is immutable, so its Deployment never rolls: a new template makes a new Deployment beside it. Each version has
its own Service. Both selectors name the same two labels, so the pods of two versions are never mixed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from seatrial.api.cost import PRICE_ANNOTATION
from seatrial.rollout.world import Workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MODEL_LABEL = "seatrial.dev/model"
VERSION_LABEL = "seatrial.dev/version"
PORT_ANNOTATION = "seatrial.dev/port"
"""On a version's Deployment: what its Service must lead to, also after the spec has moved on to another version."""
MANAGED_BY = {"app.kubernetes.io/managed-by": "seatrial"}

SERVICE_PORT = 80
"""Port of every version's Service. The port of the pods may change with a version; a route must not care."""

PROGRESS_DEADLINE_S = 600
"""Seconds beyond the warm-up until Kubernetes itself calls a Deployment stuck; its verdict is shown, not waited for."""

LEAVING_S = 5
"""Seconds that a pod serves on after it was told to go: until every gateway and node has heard that it goes."""
GRACE_S = 30
"""Kubernetes' own default of terminationGracePeriodSeconds."""

RESTARTS_MIN = 2
"""Restarts of one container before it counts as crash looping: one crash, for example at a slow start, is forgiven."""

# A GitOps tool that finds its mark on pods that are not in its repository prunes them or reports them for ever.
_GITOPS_PREFIXES = ("argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")
_GITOPS_KEYS = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})

# Reasons of a waiting container that do not heal by themselves within seconds.
_STUCK_REASONS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
_LONGEST_DETAIL = 300

# Field managers that write a Deployment's scale for an autoscaler: a HorizontalPodAutoscaler, and KEDA at 0 pods.
_AUTOSCALERS = frozenset({"kube-controller-manager", "keda"})


def name_of(owner: Mapping[str, Any], version: str) -> str:
    """Name the Deployment and the Service of a version."""
    return f"{owner['metadata']['name']}-{version}"


def labels_of(owner: Mapping[str, Any], version: str) -> dict[str, str]:
    """Give the two labels that tell the pods of a version from all others."""
    return {MODEL_LABEL: owner["metadata"]["name"], VERSION_LABEL: version}


def owned_metadata(owner: Mapping[str, Any], name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Build the metadata of an object that lives and dies with its ModelDeployment.

    The owner reference does not block the owner's deletion: that would ask for a permission on finalizers, and nothing
    waits for these objects.
    """
    reference = {key: owner[key] for key in ("apiVersion", "kind")}
    reference |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": True}
    return {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": {**MANAGED_BY, **labels},
        "ownerReferences": [reference],
    }


def deployment(
    owner: Mapping[str, Any], version: str, template: Mapping[str, Any], replicas: int, warm_up_s: int, port: int
) -> dict[str, Any]:
    """Build the Deployment of a version, to be applied server-side.

    Parameters
    ----------
    owner
        The ModelDeployment, raw.
    version
        Hash of the version.
    template
        The user's PodTemplateSpec, raw. All of it is kept but the marks of GitOps tools; our two labels are added, and
        a moment for pods that go (``LEAVING_S``) to containers without a preStop hook.
    replicas
        Number of pods.
    warm_up_s
        Seconds that a pod must have been ready before it counts as available.
    port
        Port of the version's pods that serves predictions.
    """
    labels = labels_of(owner, version)
    theirs = template.get("metadata") or {}
    annotations = _without_gitops(theirs.get("annotations"))
    pod_metadata: dict[str, Any] = {"labels": {**_without_gitops(theirs.get("labels")), **labels}}
    if annotations:
        pod_metadata["annotations"] = annotations
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            **owned_metadata(owner, name_of(owner, version), labels),
            "annotations": {PORT_ANNOTATION: str(port)},
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": warm_up_s,
            "progressDeadlineSeconds": warm_up_s + PROGRESS_DEADLINE_S,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": labels},
            "template": {**template, "metadata": pod_metadata, "spec": _leaving(template["spec"])},
        },
    }


def _leaving(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Let containers serve on for a moment when their pod is to go; their own time to finish stays as it was.

    A pod is told to end at the same time as gateways are told to forget it. One that ends first refuses requests.
    """
    hook = {"preStop": {"sleep": {"seconds": LEAVING_S}}}
    containers = [{**one, "lifecycle": {**hook, **(one.get("lifecycle") or {})}} for one in pod.get("containers") or ()]
    grace_s = pod.get("terminationGracePeriodSeconds")
    grace_s = GRACE_S if grace_s is None else grace_s
    return {**pod, "containers": containers, "terminationGracePeriodSeconds": grace_s + LEAVING_S}


def service(owner: Mapping[str, Any], version: str, port: int) -> dict[str, Any]:
    """Build the Service of a version, to be applied server-side.

    Parameters
    ----------
    owner
        The ModelDeployment, raw.
    version
        Hash of the version.
    port
        Port of the version's pods that serves predictions; the Service itself always has ``SERVICE_PORT``.
    """
    labels = labels_of(owner, version)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owned_metadata(owner, name_of(owner, version), labels),
        "spec": {
            "selector": labels,
            "ports": [{"name": "http", "protocol": "TCP", "port": SERVICE_PORT, "targetPort": port}],
        },
    }


def observe(
    deployment: Mapping[str, Any], pods: Iterable[Mapping[str, Any]], prices: Mapping[str, float] | None = None
) -> Workload:
    """Read how a version's pods fare.

    Parameters
    ----------
    deployment
        The version's Deployment, raw. Its counters leave out pods that are being deleted.
    pods
        The version's pods, raw. They say why something does not start, which the Deployment does not.
    prices
        What pods cost per hour, by name; None when their annotations say it.
    """
    spec, status = deployment["spec"], deployment.get("status") or {}
    living = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return Workload(
        version=deployment["metadata"]["labels"][VERSION_LABEL],
        desired=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        terminating="deletionTimestamp" in deployment["metadata"],
        crash_looping=next((said for pod in living for said in _crash_loops(pod)), None),
        stuck=next((said for pod in living for said in _stuck(pod)), None) or _held_up(status),
        restarts=sum(container.get("restartCount", 0) for pod in living for container in _containers(pod)),
        autoscaler=_autoscaler(deployment),
        price_per_hour=_price(living, prices),
    )


def _price(pods: Sequence[Mapping[str, Any]], known: Mapping[str, float] | None) -> float | None:
    """Add up what pods cost per hour; None when the price of one of them isn't known, or is none."""
    try:
        prices = [
            float(pod["metadata"]["annotations"][PRICE_ANNOTATION]) if known is None else known[pod["metadata"]["name"]]
            for pod in pods
        ]
    except (KeyError, TypeError, ValueError):
        return None
    return sum(prices) if prices and all(math.isfinite(price) and price >= 0 for price in prices) else None


def _autoscaler(deployment: Mapping[str, Any]) -> str | None:
    """Tell which autoscaler set the number of pods last: it writes through ``/scale``, and the API server keeps who."""
    for entry in deployment["metadata"].get("managedFields") or ():
        if entry.get("subresource") == "scale" and entry["manager"] in _AUTOSCALERS:
            return str(entry["manager"])
    return None


def address_of(pod: Mapping[str, Any]) -> str | None:
    """Tell at which host a ready pod answers, as a URL writes it; None while it is not ready or on its way out."""
    status = pod.get("status") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
    address = status.get("podIP")
    if not ready or not address or "deletionTimestamp" in pod["metadata"]:
        return None
    return f"[{address}]" if ":" in address else str(address)


def port_of(deployment: Mapping[str, Any] | None) -> int | None:
    """Read the port of a version's pods from its Deployment; None when there is none, or somebody took it away."""
    written = ((deployment or {}).get("metadata", {}).get("annotations") or {}).get(PORT_ANNOTATION, "")
    return int(written) if written.isdecimal() else None


def _without_gitops(entries: Mapping[str, str] | None) -> dict[str, str]:
    return {
        key: value
        for key, value in (entries or {}).items()
        if key not in _GITOPS_KEYS and not key.startswith(_GITOPS_PREFIXES)
    }


def _containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _crash_loops(pod: Mapping[str, Any]) -> Iterator[str]:
    """Say which containers Kubernetes has given a pause because they end over and over.

    What the container itself wrote when it ended is left out: it may hold anything, a secret too.
    """
    for container in _containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        restarts = container.get("restartCount", 0)
        if waiting.get("reason") != "CrashLoopBackOff" or restarts < RESTARTS_MIN:
            continue
        last = (container.get("lastState") or {}).get("terminated") or {}
        ending = f"{last.get('reason', 'unknown reason')}, exit code {last.get('exitCode', 'unknown')}"
        yield (
            f"Container {container['name']} of pod {pod['metadata']['name']} crashes over and over: "
            f"{restarts} restarts, the last end was {ending}."
        )


def _stuck(pod: Mapping[str, Any]) -> Iterator[str]:
    """Say why a pod does not start, when Kubernetes says so."""
    name = pod["metadata"]["name"]
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            yield f"Pod {name} finds no node: {_detail(condition)}"
    for container in _containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _STUCK_REASONS:
            yield f"Container {container['name']} of pod {name} can't start ({waiting['reason']}): {_detail(waiting)}"


def _held_up(status: Mapping[str, Any]) -> str | None:
    """Say why pods are not even created, or that Kubernetes has given up waiting for them."""
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    failure = conditions.get("ReplicaFailure") or {}
    if failure.get("status") == "True":
        return f"Pods can't be created ({failure.get('reason', 'ReplicaFailure')}): {_detail(failure)}"
    progress = conditions.get("Progressing") or {}
    if progress.get("status") == "False":
        return f"The Deployment makes no progress ({progress.get('reason', 'unknown reason')}): {_detail(progress)}"
    return None


def _detail(said: Mapping[str, Any]) -> str:
    text = " ".join(str(said.get("message") or "no details given").split()).rstrip(".")
    return f"{text}." if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 1]}…"
