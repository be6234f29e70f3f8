"""Autoscalers and disruption budgets: one of each for a version, on its own pods."""

from __future__ import annotations

from typing import Any

from seatrial.kube.scaling import autoscaler, disruption_budget, in_force
from seatrial.rollout.capacity import Scaling

VERSION = "bcdfghjklm"
METRICS = [{"type": "Pods", "pods": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "3"}}}]


def owner(**autoscaling: Any) -> dict[str, Any]:
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud", "namespace": "ml", "uid": "u-1"},
        "spec": {"autoscaling": {"min": 1, "max": 9, **autoscaling}},
    }


def test_an_autoscaler_scales_its_own_version_between_the_bounds_of_now() -> None:
    made = autoscaler(owner(), VERSION, Scaling(4, 9))
    assert made["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"fraud-{VERSION}"},
        "minReplicas": 4,
        "maxReplicas": 9,
    }


def test_an_autoscaler_is_in_force_while_neither_bounds_nor_what_it_follows_have_changed() -> None:
    made = autoscaler(owner(), VERSION, Scaling(4, 9))
    assert in_force(owner(), Scaling(4, 9), made)
    assert not in_force(owner(), Scaling(3, 9), made)
    assert not in_force(owner(metrics=METRICS), Scaling(4, 9), made)
    assert not in_force(owner(), Scaling(4, 9), {**made, "metadata": {}})


def test_what_the_number_follows_is_passed_on_as_written() -> None:
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    spec = autoscaler(owner(metrics=METRICS, behavior=behavior), VERSION, Scaling(1, 9))["spec"]
    assert (spec["metrics"], spec["behavior"]) == (METRICS, behavior)


def test_no_list_of_metrics_is_no_metric_of_ours() -> None:
    assert "metrics" not in autoscaler(owner(metrics=[]), VERSION, Scaling(1, 9))["spec"]


def test_a_budget_guards_the_pods_of_its_version_only() -> None:
    made = disruption_budget(owner(), VERSION)
    assert made["spec"]["selector"]["matchLabels"] == {"seatrial.dev/model": "fraud", "seatrial.dev/version": VERSION}
    assert made["spec"]["maxUnavailable"] == 1
