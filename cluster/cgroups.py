"""The control group of the cluster's pods, in the first or the second version of that interface."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = "+cpu +cpuset +memory +pids"
_SHARES = {"cpu.shares": "16384", "cpu.weight": "1000"}
"""All pods together are one group: without this they would get as much of a busy machine as one program of a user."""


def name_for(state: Path) -> str:
    """Return the group of the cluster in `state`: two kubelets in one group would kill each other's pods."""
    return f"seatrial-{hashlib.sha256(str(state).encode()).hexdigest()[:8]}"


def create(name: str, root: Path = ROOT) -> None:
    """Create the group in every controller.

    Raises
    ------
    ClusterError
        When the system doesn't let us.
    """
    try:
        if (root / "cgroup.controllers").exists():
            _delegate(root)
            (root / name).mkdir(exist_ok=True)
            _delegate(root / name)
            _raise_share(root / name)
            return
        for controller in _hierarchies(root):
            group = controller / name
            group.mkdir(exist_ok=True)
            for limit in ("cpuset.cpus", "cpuset.mems"):
                if (group / limit).exists():
                    (group / limit).write_text((controller / limit).read_text())
            _raise_share(group)
    except OSError as error:
        raise ClusterError(
            f"The control group {name} can't be made: {error}.",
            "Real pods need writable control groups below /sys/fs/cgroup; `--level control-plane` does without pods.",
        ) from error


def remove(name: str, root: Path = ROOT) -> bool:
    """Remove the group and all below it, depth first; return whether nothing is left of it."""
    tops = [hierarchy / name for hierarchy in (root, *_hierarchies(root))]
    for top in tops:
        groups = [top, *(path for path in top.rglob("*") if path.is_dir())]
        for group in sorted(groups, reverse=True):
            with suppress(OSError):  # not there, or a process in it is not gone yet
                group.rmdir()
    return not any(top.exists() for top in tops)


def _delegate(group: Path) -> None:
    for controller in _CONTROLLERS.split():
        with suppress(OSError):  # a controller that this kernel lacks is no reason to stop
            (group / "cgroup.subtree_control").write_text(controller)


def _raise_share(group: Path) -> None:
    for file, share in _SHARES.items():
        if (group / file).exists():
            (group / file).write_text(share)


def _hierarchies(root: Path) -> Iterator[Path]:
    return (
        path for path in root.iterdir() if path.is_dir() and not path.is_symlink() and (path / "cgroup.procs").exists()
    )
