"""The kind level: Kubernetes nodes in Docker containers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from cluster import config
from cluster.layout import CHECKOUT, SOURCES
from cluster.own_images import ENVOY_TAG, envoy_folder
from cluster.record import Record
from cluster.shell import run

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.layout import Layout

NAME = "seatrial"
_HOST = "127.0.0.1"
_IN_NODE = "/etc/seatrial"
_STARTS_WITHIN_S = 600  # the first time, Docker fetches the node's image


def start(layout: Layout, key: str) -> Record:
    """Create the kind cluster, with its audit log and the two node ports where ``run`` expects them.

    Raises
    ------
    ClusterError
        When kind can't; carries its last lines.
    """
    for folder in (layout.config, layout.logs, layout.audit_log.parent, layout.imported):
        folder.mkdir(parents=True)
    (layout.config / "audit-policy.yaml").write_text(config.audit_policy())
    settings = layout.config / "kind.yaml"
    settings.write_text(kind_config(layout.config, layout.audit_log.parent))
    record = Record(
        "kind",
        key,
        None,
        f"http://{_HOST}:{config.GATEWAY_NODE_PORT}",
        f"http://{_HOST}:{config.PROMETHEUS_NODE_PORT}",
        str(CHECKOUT),
        {"cluster": NAME},
    )
    layout.record.write_text(record.to_json())
    create = ["create", "cluster", "--name", NAME, "--config", settings, "--kubeconfig", layout.kubeconfig]
    run([layout.bin / "kind", *create, "--wait", "120s"], "creating the kind cluster", timeout_s=_STARTS_WITHIN_S)
    return record


def load_envoy(layout: Layout, record: Record) -> None:
    """Build Envoy's image with Docker, on its own base image, and give it to the nodes."""
    dockerfile = SOURCES / "manifests" / "envoy.Dockerfile"
    run(["docker", "build", "-q", "-t", ENVOY_TAG, "-f", dockerfile, envoy_folder(layout)], "building Envoy's image")
    load = ["load", "docker-image", ENVOY_TAG, "--name", record.details["cluster"]]
    run([layout.bin / "kind", *load], "loading Envoy's image")


def alive(layout: Layout) -> bool:
    """Return whether kind has this cluster."""
    return NAME in run([layout.bin / "kind", "get", "clusters"], "asking kind for its clusters").split()


def stop(layout: Layout) -> None:
    """Delete the kind cluster."""
    run([layout.bin / "kind", "delete", "cluster", "--name", NAME], "deleting the kind cluster")


def kind_config(settings: Path, audit: Path) -> str:
    """Return kind's configuration.

    Parameters
    ----------
    settings
        Folder with ``audit-policy.yaml``.
    audit
        Folder that gets the API server's audit log.
    """
    mounts: list[dict[str, object]] = [
        {
            "name": "audit-policy",
            "hostPath": f"{_IN_NODE}/audit-policy.yaml",
            "mountPath": f"{_IN_NODE}/policy.yaml",
            "readOnly": True,
            "pathType": "File",
        },
        {
            "name": "audit-log",
            "hostPath": f"{_IN_NODE}-audit",
            "mountPath": f"{_IN_NODE}-audit",
            "readOnly": False,
            "pathType": "DirectoryOrCreate",
        },
    ]
    arguments = {
        "audit-policy-file": f"{_IN_NODE}/policy.yaml",
        "audit-log-path": f"{_IN_NODE}-audit/audit.log",
    }
    patch = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "apiServer": {
            "extraArgs": [{"name": name, "value": value} for name, value in arguments.items()],
            "extraVolumes": mounts,
        },
    }
    ports = [
        {"containerPort": port, "hostPort": port, "listenAddress": _HOST}
        for port in (config.GATEWAY_NODE_PORT, config.PROMETHEUS_NODE_PORT)
    ]
    return yaml.safe_dump({
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kind": "Cluster",
        "nodes": [
            {
                "role": "control-plane",
                "extraPortMappings": ports,
                "extraMounts": [
                    {"hostPath": str(settings), "containerPath": _IN_NODE, "readOnly": True},
                    {"hostPath": str(audit), "containerPath": f"{_IN_NODE}-audit"},
                ],
                "kubeadmConfigPatches": [json.dumps(patch)],
            }
        ],
    })  # fmt: skip
