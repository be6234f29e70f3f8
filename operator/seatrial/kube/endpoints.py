"""How many pods really stand behind a version's Service, as EndpointSlices tell. Pure.

A proxy sends requests to endpoints, and learns of a lost one in the same moment as we do: long before the Deployment's
status says so, and far longer before a metric does.

Source: Kubernetes, EndpointSlice (discovery.k8s.io/v1); ``ready`` that is absent means ready.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from seatrial.kube.workloads import VERSION_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def ready_endpoints(slices: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count ready endpoints by version; a version of which no slice is known is not in the answer.

    A Service with two families of addresses has slices for each: a pod is counted once.
    """
    counts: dict[str, Counter[str]] = {}
    for one in slices:
        version = (one["metadata"].get("labels") or {}).get(VERSION_LABEL)
        if version:
            ready = sum((end.get("conditions") or {}).get("ready", True) is not False for end in one["endpoints"] or ())
            counts.setdefault(version, Counter())[one["addressType"]] += ready
    return {version: max(families.values()) for version, families in counts.items()}
