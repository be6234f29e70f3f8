"""What the operator's pods cost: memory and processor time, from their own metrics and from the kubelet's cgroups."""

import json
from typing import Any

from bench.prometheus import Prometheus
from demo.kubectl import kubectl

HEADINGS = ("operator pod", "resident MiB, max", "working set MiB, now", "cores, mean")


async def rows(prometheus: Prometheus, seconds: float) -> list[list[str]]:
    """Read what the operator's pods used in the last seconds, one row each."""
    selector = '{namespace="seatrial-system"}'
    memory = await prometheus.query(f"max_over_time(process_resident_memory_bytes{selector}[{seconds:.0f}s])")
    cpu = await prometheus.query(f"rate(process_cpu_seconds_total{selector}[{seconds:.0f}s])")
    cores = {one["metric"]["pod"]: float(one["value"][1]) for one in cpu}
    cgroups = await cgroup_memory()
    return [
        [
            pod,
            f"{float(one['value'][1]) / 2**20:.0f}",
            f"{cgroups[pod] / 2**20:.0f}" if pod in cgroups else "-",
            f"{cores.get(pod, 0.0):.3f}",
        ]
        for one in sorted(memory, key=lambda one: str(one["metric"]["pod"]))
        if (pod := one["metric"]["pod"])
    ]


async def cgroup_memory() -> dict[str, int]:
    """Read the working set of each of the operator's pods from the kubelet, bytes."""
    nodes = json.loads(await kubectl("get", "nodes", "--output", "json"))["items"]
    found: dict[str, int] = {}
    for node in nodes:
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        summary: dict[str, Any] = json.loads(await kubectl("get", "--raw", path))
        for pod in summary["pods"]:
            if pod["podRef"]["namespace"] == "seatrial-system" and "memory" in pod:
                found[pod["podRef"]["name"]] = pod["memory"].get("workingSetBytes", 0)
    return found
