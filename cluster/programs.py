"""The Go programs of the cluster: which there are, and when a built one is still the right one (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.key import files_below, key_of_files

if TYPE_CHECKING:
    from pathlib import Path

_STRIPPED = "-s -w"  # no symbol tables: a third of the size, and nobody debugs these here


@dataclass(frozen=True, slots=True)
class GoModule:
    """One folder below ``cluster/go`` and what is built from it.

    Parameters
    ----------
    name
        Its folder.
    binaries
        Name of each program, and its Go package (``.`` is the folder's own main.go).
    tags
        Go build tags, comma-separated.
    links
        More names for the first program, which acts by the name it is called.
    """

    name: str
    binaries: dict[str, str]
    tags: str = ""
    links: tuple[str, ...] = ()


KUBERNETES = GoModule(
    "kubernetes",
    {"kubernetes": "."},
    links=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"),
)
ETCD = GoModule("etcd", {"etcd": "go.etcd.io/etcd/server/v3"})
CONTAINERD = GoModule(
    "containerd",
    {
        name: f"github.com/containerd/containerd/v2/cmd/{name}"
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
)
PROMETHEUS = GoModule(
    "prometheus",
    {"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
    tags="remove_all_sd,enable_kubernetes_sd",
)
CONTOUR = GoModule("contour", {"contour": "github.com/projectcontour/contour/cmd/contour"})
COREDNS = GoModule("coredns", {"coredns": "."})
PAUSE = GoModule("pause", {"pause": "."})
KWOK = GoModule("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"})
KIND = GoModule("kind", {"kind": "sigs.k8s.io/kind"})

GO_MODULES = {
    "kind": (KIND, CONTOUR, PROMETHEUS),
    "node": (PAUSE, ETCD, KUBERNETES, CONTAINERD, COREDNS, CONTOUR, PROMETHEUS),
    "control-plane": (ETCD, KUBERNETES, CONTOUR, PROMETHEUS, KWOK),
}


def required_version(go_mod: str, module: str) -> str:
    """Return the version of `module` that the text of a go.mod asks for.

    Raises
    ------
    ValueError
        When it asks for none.
    """
    found = re.search(rf"^(?:require\s+|\s+){re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError(f"go.mod does not require {module}")
    return found.group(1)


def linker_flags(go_mod: str) -> str:
    """Return the linker flags; Kubernetes programs learn their version by them, as clients and servers compare it."""
    try:
        version = required_version(go_mod, "k8s.io/kubernetes")
    except ValueError:
        return _STRIPPED
    major, minor, _ = version.removeprefix("v").split(".", 2)
    package = "k8s.io/component-base/version"
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join([_STRIPPED, *(f"-X {package}.{name}={value}" for name, value in values.items())])


def build_command(module: GoModule, go_mod: str, package: str, target: Path) -> list[str]:
    """Return the command that builds one program, to be run in the module's folder."""
    tags = ["-tags", module.tags] if module.tags else []
    flags = ["-v", "-trimpath", "-buildvcs=false", "-ldflags", linker_flags(go_mod)]
    return ["go", "build", *flags, *tags, "-o", str(target), package]


def module_key(module: GoModule, folder: Path) -> str:
    """Return the key of what `module` is built from: its sources, its pinned dependencies, and how it is built."""
    return key_of_files(folder, files_below(folder), module.tags, *module.binaries, *module.links)
