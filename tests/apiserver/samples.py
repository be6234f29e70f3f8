"""Manifests that are in order, and ways to spoil them."""

from __future__ import annotations

import copy
from typing import Any

import yaml

DEPLOYMENT: dict[str, Any] = yaml.safe_load("""
apiVersion: seatrial.dev/v1alpha1
kind: ModelDeployment
metadata: {name: fraud-scorer, namespace: default}
spec:
  model: {name: fraud-scorer, version: "7"}
  replicas: 3
  template:
    metadata: {labels: {team: risk}}
    spec:
      containers:
      - name: server
        image: registry.example/fraud-scorer:7
        ports: [{containerPort: 8080}]
  port: 8080
  traffic:
    gateway:
      parentRefs: [{name: public, namespace: gateway-system}]
      hostnames: [fraud-scorer.example.com]
  slos: [{name: fraud-scorer}]
  strategy:
    steps:
    - {weight: 1, for: 2m}
    - {weight: 10, for: 10m, minRequests: 500}
    - {weight: 50, for: 10m}
  paused: false
""")

SLO: dict[str, Any] = yaml.safe_load("""
apiVersion: seatrial.dev/v1alpha1
kind: ModelSLO
metadata: {name: fraud-scorer, namespace: default}
spec:
  window: 28d
  objectives:
  - {name: availability, target: "99.9", sli: {template: http-availability}}
  - {name: latency, target: "95", sli: {template: http-latency, threshold: 300ms}}
  - name: own
    target: "99.5"
    sli: {good: 'app_requests_total{code!~"5..",$selector}', total: 'app_requests_total{$selector}'}
  rollback: {burnRate: "2", alpha: "0.01", minBad: 3}
""")


def changed(manifest: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Copy a manifest and set fields of it, named by path: ``spec__port=0``; None removes the field."""
    result = copy.deepcopy(manifest)
    for path, value in changes.items():
        *way, last = (int(part) if part.isdigit() else part for part in path.split("__"))
        node: Any = result
        for part in way:
            node = node[part]
        if value is None:
            del node[last]
        else:
            node[last] = value
    return result


def steps(*weights: int) -> list[dict[str, Any]]:
    return [{"weight": weight, "for": "1m"} for weight in weights]


def objective(**fields: Any) -> dict[str, Any]:
    return {"name": "availability", "target": "99.9", "sli": {"template": "http-availability"}} | fields
