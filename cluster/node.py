"""The node level: a real single-node Kubernetes in network, mount and process namespaces of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import cgroups, components, config, pki
from cluster.errors import ClusterError
from cluster.layout import CHECKOUT
from cluster.packages import CNI_BIN
from cluster.record import Process, Record, end, identify
from cluster.shell import run

if TYPE_CHECKING:
    from cluster.layout import Layout

CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
_HIDDEN = ("/run", "/var/lib", "/var/log")  # covered by empty folders inside, see the supervisor


def obstacles() -> list[str]:
    """Return why this machine can't carry the node level; empty when it can."""
    found = []
    if sys.platform != "linux":
        found.append("Linux")
    elif os.geteuid() != 0:
        found.append("root (or run it in a privileged container)")
    elif shutil.which("unshare") is None:
        found.append("the program unshare (Debian package util-linux)")
    else:
        probe = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private", "true"]
        tried = subprocess.run(probe, capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            found.append(f"the right to make namespaces ({tried.stderr.strip()})")
    return found


def start(layout: Layout, key: str) -> Record:
    """Start the processes of the cluster; return its record, already written. The API server may not answer yet.

    Raises
    ------
    ClusterError
        When a part of it can't be made.
    """
    state = layout.state
    if any(state.is_relative_to(folder) for folder in _HIDDEN):
        raise ClusterError(f"The cluster can't live in {state}.", f"Point SEATRIAL_CACHE outside {', '.join(_HIDDEN)}.")
    for folder in (layout.config / "cni", layout.logs, layout.audit_log.parent, layout.imported):
        folder.mkdir(parents=True)
    ports = components.Ports(config.NODE_ADDRESS)
    group = cgroups.name_for(state)
    pki.create(layout, ports.host, ports.api)
    (layout.config / "audit-policy.yaml").write_text(config.audit_policy())
    (layout.config / "kubelet.yaml").write_text(config.kubelet_config(state, layout.pki / "ca.crt", f"/{group}"))
    (layout.config / "containerd.toml").write_text(config.containerd_config(state, CNI_BIN, _snapshotter(state)))
    (layout.config / "cni" / "10-pods.conflist").write_text(config.cni_config())
    parts = components.control_plane(layout, ports) + components.node(layout, CONTAINERD_SOCKET)
    specification = layout.config / "components.json"
    specification.write_text(
        json.dumps({
            "components": [part.to_dict() for part in parts],
            "logs": str(layout.logs),
            "namespace_address": config.NODE_ADDRESS,
        })
    )  # fmt: skip
    cgroups.create(group)
    return _spawn(layout, key, specification)


def stop(record: Record, layout: Layout) -> None:
    """End the cluster: without their first process, the kernel takes down everything in its namespaces."""
    if record.process is not None:
        end(record.process, grace_s=0)
    group = cgroups.name_for(layout.state)
    deadline = time.monotonic() + 10
    cgroups.remove(group)
    while any(cgroups.ROOT.glob(f"*/{group}")) and time.monotonic() < deadline:
        time.sleep(0.1)
        cgroups.remove(group)


def enter(record: Record, *, mounts: bool = False) -> list[str]:
    """Return the words to put before a command that shall run inside the cluster's network (and see its sockets)."""
    if record.process is None:
        raise ClusterError("The record of the running cluster names no process.", "Run `python -m cluster down`.")
    namespaces = ["-n", "-m", "-p"] if mounts else ["-n"]
    return ["nsenter", "-t", str(record.process.pid), *namespaces, "--"]


def _spawn(layout: Layout, key: str, specification: Path) -> Record:
    """Start process 1 and put it on record before it is let go."""
    path = os.pathsep.join([str(layout.bin), os.environ["PATH"], "/usr/sbin:/sbin"])
    with (layout.logs / "supervisor.log").open("ab") as log:
        launcher = subprocess.Popen(
            [
                "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                "--propagation", "private", sys.executable, "-m", "cluster.supervisor", str(specification),
            ],
            cwd=CHECKOUT, env=_clean_environment() | {"PATH": path},
            stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, text=True,
        )  # fmt: skip
    process = _first_child(launcher)
    address = f"http://{config.NODE_ADDRESS}"
    record = Record(
        "node", key, process, f"{address}:{config.GATEWAY_NODE_PORT}", f"{address}:{config.PROMETHEUS_NODE_PORT}",
        str(CHECKOUT), {"cgroup": cgroups.name_for(layout.state)},
    )  # fmt: skip
    layout.record.write_text(record.to_json())
    if launcher.stdin is not None:
        launcher.stdin.write("go\n")
        launcher.stdin.close()
    return record


def _first_child(launcher: subprocess.Popen[str]) -> Process:
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and launcher.poll() is None:
        found = children.read_text().split()
        process = identify(int(found[0])) if found else None
        if process is not None:
            return process
        time.sleep(0.01)
    raise ClusterError("The namespaces of the cluster could not be made.", "See supervisor.log in the state folder.")


def _clean_environment() -> dict[str, str]:
    """Return only what the components may see of our environment: no proxies, no credentials."""
    return {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}


def _snapshotter(state: Path) -> str:
    """Return overlayfs, unless the state folder itself lies on one (as in a container), which can't be stacked."""
    kind = run(["stat", "-f", "-c", "%T", state], "asking for the file system's type").strip()
    return "native" if kind == "overlayfs" else "overlayfs"
