"""Image archives into the running cluster."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cluster import node
from cluster.errors import ClusterError
from cluster.shell import run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cluster.layout import Layout
    from cluster.record import Record


def import_archive(layout: Layout, record: Record, archive: Path) -> None:
    """Give the images of `archive` to the cluster's nodes; what they were called before moves to the new ones.

    Raises
    ------
    ClusterError
        When this level has no images, or the import fails.
    """
    if record.level == "node":
        ctr = [layout.bin / "ctr", "-a", node.CONTAINERD_SOCKET, "-n", "k8s.io"]
        load = [*node.enter(record, mounts=True), *ctr, "images", "import", "--local", archive]
        run(load, f"importing {archive.name}", env=os.environ | {"CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS": "1"})
    elif record.level == "kind":
        name = record.details["cluster"]
        run([layout.bin / "kind", "load", "image-archive", archive, "--name", name], f"loading {archive.name}")
    else:
        raise ClusterError("The control-plane level plays its pods: there is nothing that could run an image.")


def import_all(layout: Layout, record: Record, archives: Iterable[Path]) -> None:
    """Import several archives at the same time."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda archive: import_archive(layout, record, archive), archives))
