"""Which level this machine can carry."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from cluster import node
from cluster.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEVELS = ("kind", "node", "control-plane")  # from most to least real
_WHAT = {
    "kind": "kind: a real Kubernetes in Docker",
    "node": "node: a real single-node Kubernetes in namespaces of its own",
    "control-plane": "control-plane: real API server, controllers and Prometheus; pods and traffic are simulated",
}


def obstacles() -> dict[str, list[str]]:
    """Return, for each level, what this machine lacks for it."""
    return {"kind": _docker_obstacles(), "node": node.obstacles(), "control-plane": []}


def choose(found: Mapping[str, Sequence[str]], wanted: str | None) -> str:
    """Return the level to give: the wanted one, or the most real one without obstacles.

    Raises
    ------
    ClusterError
        When the wanted one can't be had.
    """
    if wanted is not None:
        if found[wanted]:
            raise ClusterError(f"Level {wanted} can't be had here; it needs {', '.join(found[wanted])}.")
        return wanted
    return next(level for level in LEVELS if not found[level])


def explain(found: Mapping[str, Sequence[str]], given: str) -> list[str]:
    """Return sentences: which level it is, and what the more real ones would need."""
    better = reversed(LEVELS[: LEVELS.index(given)])
    return [f"Level {_WHAT[given]}."] + [
        f"The next level ({level}) needs {', '.join(found[level]) or 'only to be asked for: --level ' + level}."
        for level in better
    ]


def _docker_obstacles() -> list[str]:
    if shutil.which("docker") is None:
        return ["Docker"]
    try:
        info = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False, timeout=10)
    except subprocess.TimeoutExpired:
        return ["a Docker daemon that answers"]
    return [] if info.returncode == 0 else ["a running Docker daemon (`docker info` fails)"]
