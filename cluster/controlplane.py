"""The control-plane level, for those who are not root.

Real are the API server, etcd, the controllers, the scheduler and Prometheus, as plain processes on loopback; kwok plays
the pods, `cluster.simulator` the gateway and what the pods' metrics would say.
"""

from __future__ import annotations

import json
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import yaml

from cluster import components, config
from cluster.build import module_folder
from cluster.components import Component
from cluster.kubectl import kubectl
from cluster.launch import launch, prepare
from cluster.layout import CHECKOUT
from cluster.programs import KWOK
from cluster.record import Record, end

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.layout import Layout

_HOST = "127.0.0.1"


def start(layout: Layout, key: str) -> Record:
    """Start the processes of the cluster; the API server may not answer yet."""
    api, etcd, peer, controllers, scheduler, prometheus, gateway = _free_ports(7)
    ports = components.Ports(_HOST, api, etcd, peer, controllers, scheduler)
    prepare(layout, ports)
    (layout.config / "prometheus.yml").write_text(_prometheus_config(f"{_HOST}:{gateway}"))
    return launch(
        layout,
        Record("control-plane", key, None, f"http://{_HOST}:{gateway}", f"http://{_HOST}:{prometheus}", str(CHECKOUT)),
        components.control_plane(layout, ports) + _players(layout, gateway, prometheus),
    )


def add_node(layout: Layout, record: Record) -> None:
    """Add the one node that kwok plays; it takes any number of pods."""
    manifest = layout.config / "node.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": config.NODE_NAME}}))
    kubectl(layout, record, ["apply", "--server-side", "-f", manifest], "adding the node")
    wait = ["wait", "--for=condition=Ready", "node", "--all", "--timeout=30s"]
    kubectl(layout, record, wait, "waiting for the node that kwok plays")


def stop(record: Record) -> None:
    """End the cluster's processes."""
    if record.process is not None:
        end(record.process, grace_s=10)


def _players(layout: Layout, gateway: int, prometheus: int) -> list[Component]:
    return [
        Component(
            "kwok",
            [
                str(layout.bin / "kwok"),
                "--manage-all-nodes=true",
                f"--kubeconfig={layout.pki / 'kwok.kubeconfig'}",
                f"--cidr={config.POD_RANGE}",
                f"--node-ip={_HOST}",
                "--node-lease-duration-seconds=40",
                *(f"--config={stage}" for stage in _stages(layout)),
            ],
            env={"HOME": str(layout.state / "kwok")},
        ),
        Component(
            "prometheus",
            [
                str(layout.bin / "prometheus"),
                f"--config.file={layout.config / 'prometheus.yml'}",
                f"--storage.tsdb.path={layout.state / 'prometheus'}",
                "--storage.tsdb.retention.time=30d",
                "--web.enable-lifecycle",
                f"--web.listen-address={_HOST}:{prometheus}",
            ],
            serves=f"{_HOST}:{prometheus}",
        ),
        Component(
            "simulator",
            [
                sys.executable,
                "-m",
                "cluster.simulator",
                str(layout.pki / "simulator.kubeconfig"),
                f"{_HOST}:{gateway}",
            ],
        ),
    ]


def _stages(layout: Layout) -> list[Path]:
    """Return kwok's own descriptions of what nodes and pods do: pods are ready at once, and go at once."""
    folder = module_folder(layout, KWOK, "sigs.k8s.io/kwok") / "kustomize" / "stage"
    kinds = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
    files = [path for kind in kinds for path in sorted((folder / kind).glob("*.yaml"))]
    return [path for path in files if path.name != "kustomization.yaml"]


def _prometheus_config(simulator: str) -> str:
    """Return Prometheus' configuration: one page has the series of all pods, with their labels already on them."""
    return yaml.safe_dump({
        "global": {"scrape_interval": "2s", "scrape_timeout": "1500ms", "evaluation_interval": "5s"},
        "scrape_configs": [
            {
                "job_name": "pods",
                "honor_labels": True,
                "metrics_path": "/simulator/metrics",
                "static_configs": [{"targets": [simulator]}],
            }
        ],
    })  # fmt: skip


def _free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody uses right now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((_HOST, 0))
        return [one.getsockname()[1] for one in sockets]
