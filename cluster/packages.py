"""Debian packages that the node level needs: installed when they are missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cluster.errors import ClusterError
from cluster.progress import step
from cluster.shell import run

CNI_BIN = Path("/usr/lib/cni")
_PACKAGE_OF = {
    "buildah": "buildah",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "ipset": "ipset",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "runc": "runc",
    str(CNI_BIN / "ptp"): "containernetworking-plugins",
}


def missing_packages() -> list[str]:
    """Return the packages whose program is not there."""
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted({package for program, package in _PACKAGE_OF.items() if shutil.which(program, path=search) is None})


def ensure_packages() -> None:
    """Install what is missing.

    Raises
    ------
    ClusterError
        When this is no Debian, or apt-get fails.
    """
    missing = missing_packages()
    if not missing:
        return
    hint = f"Install these yourself, then try again: {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        raise ClusterError(
            "Programs are missing, and without apt-get (Debian) they can't be installed from here.", hint
        )
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"Debian packages: {' '.join(missing)}"):
        run(["apt-get", "update", "-qq"], "updating the package lists", hint=hint, env=env)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        run(install, "installing Debian packages", hint=hint, env=env)
