"""``python -m cluster image``: a Dockerfile into an image that the cluster's nodes have."""

from __future__ import annotations

import configparser
import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.errors import ClusterError
from cluster.imports import import_archive
from cluster.key import files_below, key_of_files
from cluster.own_images import BASE_TAG, base_archive
from cluster.progress import step
from cluster.shell import run, tail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cluster.layout import Layout
    from cluster.record import Record

_LOCAL_BASE = f"localhost/{BASE_TAG}"
_CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_CA_IN_BUILD = "/run/host-certificates.pem"


def build_image(layout: Layout, record: Record, tag: str, dockerfile: Path, context: Path) -> bool:
    """Build `tag` and give it to the cluster; return False when the cluster has it already from the same files.

    Raises
    ------
    ClusterError
        When the build fails; carries its last lines.
    """
    if record.level == "control-plane":
        raise ClusterError("The control-plane level plays its pods: there is nothing that could run an image.")
    key = _context_key(dockerfile, context)
    stamp = layout.imported / tag.replace("/", "_")
    known = stamp.read_text().split() if stamp.exists() else ["", ""]
    if known[0] == key:
        return False
    with tempfile.TemporaryDirectory(dir=layout.cache, prefix="build-") as scratch:
        archive = Path(scratch) / "image.tar"
        build = _buildah_build if record.level == "node" else _docker_build
        with step(f"building {tag}"):
            identity = build(layout, tag, dockerfile, context, Path(scratch))
        if identity != known[1]:
            with step(f"importing {tag}"):
                if record.level == "node":
                    _buildah(layout, ["push", "-q", identity, f"docker-archive:{archive}:{tag}"], f"packing {tag}")
                else:
                    run(["docker", "save", "-o", archive, tag], f"packing {tag}")
                import_archive(layout, record, archive)
    stamp.write_text(f"{key} {identity}")
    return True


def pip_configuration(environ: Mapping[str, str], files: list[Path], certificates: str) -> str:
    """Return pip's configuration for a build: this machine's own, with variables over files.

    Parameters
    ----------
    environ
        Environment; its ``PIP_*`` variables count, but those that name paths of this machine.
    files
        pip's configuration files, the strongest last.
    certificates
        Where the build sees this machine's certificate authorities; empty: it doesn't.
    """
    parser = configparser.RawConfigParser()
    parser.read(files)
    merged = dict(parser["global"]) if parser.has_section("global") else {}
    for name, value in environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            merged[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    merged = {name: value for name, value in merged.items() if name != "cert" and not value.startswith("/")}
    if certificates:
        merged["cert"] = certificates
    result = configparser.RawConfigParser()
    result["global"] = merged
    text = io.StringIO()
    result.write(text)
    return text.getvalue()


def _context_key(dockerfile: Path, context: Path) -> str:
    """Return the key of everything that the build can see and git does not ignore."""
    if not context.is_dir() or not dockerfile.is_file():
        raise ClusterError(f"There is no Dockerfile {dockerfile}, or no folder {context}.")
    listing = ["git", "-C", str(context), "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        files = [context / name for name in listed.stdout.split("\0") if name]
    else:
        files = list(files_below(context))
    return key_of_files(context, files, dockerfile.read_text())


def _buildah_build(layout: Layout, tag: str, dockerfile: Path, context: Path, scratch: Path) -> str:
    base = base_archive(layout)
    stamp = layout.buildah / "base"
    if not stamp.exists() or stamp.read_text() != base.name:
        shutil.rmtree(layout.buildah, ignore_errors=True)  # every layer in there stands on the old base
        _buildah(layout, ["pull", "-q", f"docker-archive:{base}"], "loading the base image")
        stamp.write_text(base.name)
    bundle = next((os.environ[name] for name in _CA_VARIABLES if Path(os.environ.get(name, "")).is_file()), "")
    files = [Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path(os.environ.get("PIP_CONFIG_FILE", "/"))]
    settings = scratch / "pip.conf"
    settings.write_text(
        pip_configuration(os.environ, [path for path in files if path.is_file()], _CA_IN_BUILD if bundle else "")
    )
    mounts = ["-v", f"{settings}:/etc/pip.conf:ro", *(["-v", f"{bundle}:{_CA_IN_BUILD}:ro"] if bundle else [])]
    identity = scratch / "identity"
    build = [
        "bud", "--layers", "--isolation", "chroot", "--pull-never", "--format", "docker", *mounts,
        "--build-arg", f"BASE={_LOCAL_BASE}", "-f", dockerfile, "-t", tag, "--iidfile", identity, context,
    ]  # fmt: skip
    _buildah(layout, build, f"building {tag}")
    return identity.read_text().strip().removeprefix("sha256:")


def _docker_build(_layout: Layout, tag: str, dockerfile: Path, context: Path, scratch: Path) -> str:
    identity = scratch / "identity"
    run(["docker", "build", "-q", "-f", dockerfile, "-t", tag, "--iidfile", identity, context], f"building {tag}")
    return identity.read_text().strip().removeprefix("sha256:")


def _buildah(layout: Layout, arguments: Sequence[object], what: str) -> None:
    """Run buildah with a store of its own, in a mount namespace of its own: it leaves mounts behind."""
    layout.buildah.mkdir(parents=True, exist_ok=True)
    log = layout.buildah / "last.log"
    store = ["--root", layout.buildah / "store", "--runroot", layout.buildah / "run", "--storage-driver", "overlay"]
    command = ["unshare", "--mount", "--propagation", "private", "buildah", *store, *arguments]
    with log.open("w") as stream:
        code = subprocess.run([str(part) for part in command], stdout=stream, stderr=stream, check=False).returncode
    if code != 0:
        raise ClusterError(f"{what}: buildah ended with {code}:\n{tail(log.read_text(), 30)}", f"All of it: {log}")
