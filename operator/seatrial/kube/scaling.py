"""How many pods a version may have and lose: its HorizontalPodAutoscaler and PodDisruptionBudget. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.kube.workloads import labels_of, name_of, owned_metadata
from seatrial.rollout.capacity import Scaling
from seatrial.rollout.versions import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping


_FOLLOWED = ("metrics", "behavior")
_ASKED = "seatrial.dev/autoscaling"
"""Annotation with a hash of what the autoscaler follows."""
_DISRUPTED_AT_ONCE = 1
"""Pods of a version that a drain of nodes may take at the same time. A floor in pods would block drains at one pod."""


def autoscaler(owner: Mapping[str, Any], version: str, scaling: Scaling) -> dict[str, Any]:
    """Build the HorizontalPodAutoscaler of a version, to be applied server-side.

    Parameters
    ----------
    owner
        The ModelDeployment, raw: what its ``spec.autoscaling`` says of metrics and behavior is passed on as written.
    version
        Hash of the version.
    scaling
        The fewest and the most pods that it may have now.
    """
    asked = owner["spec"].get("autoscaling") or {}
    metadata = owned_metadata(owner, name_of(owner, version), labels_of(owner, version))
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {**metadata, "annotations": {_ASKED: _mark(owner)}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name_of(owner, version)},
            "minReplicas": scaling.fewest,
            "maxReplicas": scaling.most,
            **{key: asked[key] for key in _FOLLOWED if asked.get(key)},
        },
    }


def in_force(owner: Mapping[str, Any], scaling: Scaling, live: Mapping[str, Any]) -> bool:
    """Tell whether a live HorizontalPodAutoscaler is as :func:`autoscaler` would build it."""
    bounds = Scaling(live["spec"].get("minReplicas", 1), live["spec"]["maxReplicas"])
    return bounds == scaling and (live["metadata"].get("annotations") or {}).get(_ASKED) == _mark(owner)


def _mark(owner: Mapping[str, Any]) -> str:
    """Hash what an autoscaler follows: the API server rewrites it, so it can't be compared itself."""
    asked = owner["spec"].get("autoscaling") or {}
    return fingerprint([asked.get(key) for key in _FOLLOWED])


def disruption_budget(owner: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Build the PodDisruptionBudget of a version: a drain of nodes takes one of its pods at a time."""
    labels = labels_of(owner, version)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": owned_metadata(owner, name_of(owner, version), labels),
        "spec": {"maxUnavailable": _DISRUPTED_AT_ONCE, "selector": {"matchLabels": labels}},
    }
