"""Up and down: one cluster on this machine, whichever checkout asks."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cluster import addons, controlplane, kind, node
from cluster.build import ensure_built
from cluster.errors import ClusterError
from cluster.imports import import_all
from cluster.key import files_below, key_of_files
from cluster.kubectl import ready
from cluster.layout import SOURCES
from cluster.own_images import ensure_archives
from cluster.packages import ensure_packages
from cluster.progress import say, step
from cluster.record import Record, alive, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cluster.layout import Layout

_ONLY_LOOK = ("__main__.py", "diagnose.py", "health.py", "image_build.py", "levels.py")


def content_key(level: str) -> str:
    """Return the key of the cluster that this checkout would start: of all files but those that only look at one."""
    return key_of_files(SOURCES, (path for path in files_below(SOURCES) if path.name not in _ONLY_LOOK), level)


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the cache folder for the body: one at a time changes the cluster, others wait."""
    layout.cache.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step("waiting for another `python -m cluster`"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def running(layout: Layout) -> Record | None:
    """Return the record of the cluster if its processes run; healthy or not."""
    record = read_record(layout.record)
    if record is None:
        return None
    runs = kind.alive(layout) if record.process is None else alive(record.process)
    return record if runs else None


def require_running(layout: Layout) -> Record:
    """Return the record of the running cluster.

    Raises
    ------
    ClusterError
        When there is none.
    """
    record = running(layout)
    if record is None:
        raise ClusterError("No cluster is running.", "Start one: `make cluster` (python -m cluster up).")
    return record


def up(layout: Layout, level: str) -> Record:
    """Give a running cluster of this level: the one that is there when it is the same and healthy, else a new one.

    Raises
    ------
    ClusterError
        When a part of it fails; what has been started is ended again.
    """
    key = content_key(level)
    record = running(layout)
    if record is not None and (record.level, record.key) == (level, key) and ready(layout, record):
        say(f"the running cluster is up to date (started from {record.checkout})")
        return record
    if level == "node":
        ensure_packages()
    ensure_built(layout, level)
    archives = ensure_archives(layout, level)
    down(layout)
    shutil.rmtree(layout.failed_logs, ignore_errors=True)
    layout.state.mkdir(parents=True)
    try:
        record = _START[level](layout, key)
        addons.wait_for_api(layout, record)
        addons.wait_for_components(layout, record)
        say(f"control plane ({record.level})")
        _furnish(layout, record, archives)
    except BaseException:
        if layout.logs.exists():
            shutil.copytree(layout.logs, layout.failed_logs)
            say(f"the logs of this failed start are kept in {layout.failed_logs}")
        down(layout)
        raise
    return record


def down(layout: Layout) -> bool:
    """End the cluster and remove its state; return False when there was nothing."""
    record = read_record(layout.record)
    if record is not None:
        match record.level:
            case "kind":
                kind.stop(layout)
            case "node":
                node.stop(record, layout)
            case _:
                controlplane.stop(record)
    if not layout.state.exists():
        return False
    shutil.rmtree(layout.state)
    return True


def _furnish(layout: Layout, record: Record, archives: list[Path]) -> None:
    """Put onto the bare cluster what its level lacks."""
    if record.level == "control-plane":
        with step("Gateway API, node"):
            addons.apply_crds(layout, record, contour=False)
            controlplane.add_node(layout, record)
        return
    with step("images, Gateway API, manifests"):
        if record.level == "kind":
            kind.load_envoy(layout, record)
        import_all(layout, record, archives)
        addons.apply_crds(layout, record, contour=True)
        own_dns = [] if record.level == "kind" else ["dns"]
        addons.apply_manifests(layout, record, *own_dns, "gateway", "prometheus")
    with step("pods: DNS, gateway, Prometheus"):
        addons.wait_for_pods(layout, record, "kube-system", "gateway-system", "monitoring")


_START = {"kind": kind.start, "node": node.start, "control-plane": controlplane.start}
