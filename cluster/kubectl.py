"""kubectl against the running cluster, from wherever this level's API server can be reached."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cluster import node
from cluster.errors import ClusterError
from cluster.shell import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cluster.layout import Layout
    from cluster.record import Record


def environment(layout: Layout, record: Record) -> dict[str, str]:
    """Return the environment variables by which programs find the cluster."""
    return {
        "KUBECONFIG": str(layout.kubeconfig),
        "KUBECACHEDIR": str(layout.state / "kubectl-cache"),
        "SEATRIAL_GATEWAY": record.gateway,
        "SEATRIAL_PROMETHEUS": record.prometheus,
        "SEATRIAL_AUDIT_LOG": str(layout.audit_log),
        "SEATRIAL_CLUSTER_LEVEL": record.level,
        "PATH": os.pathsep.join([str(layout.bin), os.environ.get("PATH", "")]),
    }


def entrance(record: Record) -> list[str]:
    """Return the words before a command that put it into the cluster's network; none where that is our own."""
    return node.enter(record) if record.level == "node" else []


def kubectl(
    layout: Layout, record: Record, arguments: Sequence[str | Path], what: str, *, timeout_s: float = 60
) -> str:
    """Run kubectl and return what it printed.

    Raises
    ------
    ClusterError
        When it fails.
    """
    own = layout.bin / "kubectl"
    command = [*entrance(record), own if own.exists() else "kubectl", *arguments]
    hint = "`python -m cluster diagnose` shows the state of everything."
    return run(command, what, hint=hint, env=os.environ | environment(layout, record), timeout_s=timeout_s)


def ready(layout: Layout, record: Record) -> bool:
    """Return whether the API server says that it is ready."""
    try:
        kubectl(
            layout, record, ["get", "--raw", "/readyz", "--request-timeout=2s"], "asking the API server", timeout_s=5
        )
    except ClusterError:
        return False
    return True
