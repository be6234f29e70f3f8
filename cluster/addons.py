"""What stands on the bare cluster: Gateway API, Contour with Envoy, Prometheus, and DNS where the level has none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cluster.build import module_folder
from cluster.errors import ClusterError
from cluster.kubectl import kubectl, ready
from cluster.layout import SOURCES
from cluster.programs import CONTOUR
from cluster.supervisor import ALL_STARTED

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.layout import Layout
    from cluster.record import Record

MANIFESTS = SOURCES / "manifests"
_API_WITHIN_S = 60
_PODS_WITHIN_S = 120


def wait_for_api(layout: Layout, record: Record) -> None:
    """Wait until the API server is ready.

    Raises
    ------
    ClusterError
        When it is not within a minute.
    """
    deadline = time.monotonic() + _API_WITHIN_S
    while not ready(layout, record):
        if time.monotonic() > deadline:
            raise ClusterError(
                f"The API server does not get ready within {_API_WITHIN_S} s.",
                f"Its last words stand in {layout.logs / 'kube-apiserver.log'}.",
            )
        time.sleep(0.1)


def wait_for_components(layout: Layout, record: Record) -> None:
    """Wait until the supervisor has started everything, the last being what runs pods; kind has its own.

    Raises
    ------
    ClusterError
        When it has not within a minute.
    """
    log = layout.logs / "supervisor.log"
    deadline = time.monotonic() + _API_WITHIN_S
    while record.process is not None and ALL_STARTED not in (log.read_text() if log.exists() else ""):
        if time.monotonic() > deadline:
            raise ClusterError(f"Not all components start within {_API_WITHIN_S} s.", f"What did stands in {log}.")
        time.sleep(0.1)


def apply_crds(layout: Layout, record: Record, *, contour: bool) -> None:
    """Install the Gateway API's standard channel, of the version that Contour is made for (and Contour's own kinds)."""
    folders: list[Path] = [module_folder(layout, CONTOUR, "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"]
    if contour:
        source = module_folder(layout, CONTOUR, "github.com/projectcontour/contour")
        folders.append(source / "examples" / "contour" / "01-crds.yaml")
    _apply(layout, record, folders, "installing the Gateway API")
    wait = ["wait", "--for=condition=Established", "crd", "--all", f"--timeout={_API_WITHIN_S}s"]
    kubectl(layout, record, wait, "waiting for the new kinds", timeout_s=_API_WITHIN_S + 5)


def apply_manifests(layout: Layout, record: Record, *names: str) -> None:
    """Apply these files of ``cluster/manifests``."""
    _apply(layout, record, [MANIFESTS / f"{name}.yaml" for name in names], f"applying {', '.join(names)}")


def wait_for_pods(layout: Layout, record: Record, *namespaces: str) -> None:
    """Wait until every Deployment in these namespaces has all its pods.

    Raises
    ------
    ClusterError
        When they don't come; says which.
    """
    for namespace in namespaces:
        wait = [
            "wait",
            "-n",
            namespace,
            "--for=condition=Available",
            "deployment",
            "--all",
            f"--timeout={_PODS_WITHIN_S}s",
        ]
        kubectl(layout, record, wait, f"waiting for the pods in {namespace}", timeout_s=_PODS_WITHIN_S + 5)


def _apply(layout: Layout, record: Record, files: list[Path], what: str) -> None:
    arguments: list[str | Path] = ["apply", "--server-side", "--force-conflicts"]
    for path in files:
        arguments += ["-f", path]
    kubectl(layout, record, arguments, what, timeout_s=120)
