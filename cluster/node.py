"""The node level: a real single-node Kubernetes in network, mount and process namespaces of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from cluster import cgroups, components, config
from cluster.errors import ClusterError
from cluster.launch import launch, prepare
from cluster.layout import CHECKOUT
from cluster.packages import CNI_BIN
from cluster.record import Record, end
from cluster.shell import run

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.layout import Layout

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
_UNSHARE = [
    "unshare",
    "--net",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
]
_HIDDEN = ("/run", "/var/lib", "/var/log")  # covered by empty folders inside, see the supervisor
_GROUP_GONE_WITHIN_S = 10


def obstacles() -> list[str]:
    """Return what this machine lacks for the node level."""
    if sys.platform != "linux":
        return ["Linux"]
    if os.geteuid() != 0:
        return ["root (sudo, or a privileged container)"]
    if shutil.which("unshare") is None:
        return ["the program unshare (Debian package util-linux)"]
    tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, check=False)
    return [] if tried.returncode == 0 else [f"the right to make namespaces ({tried.stderr.strip()})"]


def start(layout: Layout, key: str) -> Record:
    """Start the processes of the cluster; the API server may not answer yet.

    Raises
    ------
    ClusterError
        When a part of it can't be made.
    """
    state = layout.state
    if any(state.is_relative_to(folder) for folder in _HIDDEN):
        raise ClusterError(f"The cluster can't live in {state}.", f"Point SEATRIAL_CACHE outside {', '.join(_HIDDEN)}.")
    ports = components.Ports(config.NODE_ADDRESS)
    group = cgroups.name_for(state)
    prepare(layout, ports)
    (layout.config / "kubelet.yaml").write_text(config.kubelet_config(state, layout.pki / "ca.crt", f"/{group}"))
    (layout.config / "containerd.toml").write_text(config.containerd_config(state, CNI_BIN, _snapshotter(state)))
    (layout.config / "cni").mkdir()
    (layout.config / "cni" / "10-pods.conflist").write_text(config.cni_config())
    cgroups.create(group)
    gateway, prometheus = (
        f"http://{config.NODE_ADDRESS}:{port}" for port in (config.GATEWAY_NODE_PORT, config.PROMETHEUS_NODE_PORT)
    )
    return launch(
        layout,
        Record("node", key, None, gateway, prometheus, str(CHECKOUT)),
        components.control_plane(layout, ports) + components.node(layout, CONTAINERD_SOCKET),
        namespaces=_UNSHARE,
        address=config.NODE_ADDRESS,
    )


def stop(record: Record, layout: Layout) -> None:
    """End the cluster: without their first process, the kernel takes down everything in its namespaces."""
    if record.process is not None:
        end(record.process, grace_s=0)
    group = cgroups.name_for(layout.state)
    deadline = time.monotonic() + _GROUP_GONE_WITHIN_S
    while not cgroups.remove(group) and time.monotonic() < deadline:  # the last processes may take a moment to go
        time.sleep(0.1)


def enter(record: Record, *, mounts: bool = False) -> list[str]:
    """Return the words to put before a command that shall run inside the cluster's network (and see its sockets).

    Raises
    ------
    ClusterError
        When the record names no process.
    """
    if record.process is None:
        raise ClusterError("The record of the running cluster names no process.", "Run `python -m cluster down`.")
    namespaces = ["-n", "-m", "-p"] if mounts else ["-n"]
    return ["nsenter", "-t", str(record.process.pid), *namespaces, "--"]


def _snapshotter(state: Path) -> str:
    """Return overlayfs, unless the state folder itself lies on one (as in a container), which can't be stacked."""
    kind = run(["stat", "-f", "-c", "%T", state], "asking for the file system's type").strip()
    return "native" if kind == "overlayfs" else "overlayfs"
