"""Image archives of the cluster's own parts: a few files on a base, no Dockerfile and no registry.

The format is the one that `docker save` writes, which docker, buildah and containerd all load.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NO_TIME = "1970-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Go and image registries call them


@dataclass(frozen=True, slots=True)
class Image:
    """What an archive holds.

    Parameters
    ----------
    tag
        Its name.
    files
        Absolute path in the image -> file on this machine; all of them executable.
    command
        What it runs; empty for a base.
    base
        Root file system below it, as a tar file; None: empty.
    """

    tag: str
    files: Mapping[str, Path]
    command: tuple[str, ...]
    base: Path | None = None


def write_archive(image: Image, target: Path) -> None:
    """Write the archive of `image` to `target`; a half-written one never has that name."""
    unfinished = target.with_suffix(".unfinished")
    layers = [image.base] if image.base else []
    if image.files:
        own = target.with_suffix(".layer")
        _write_layer(image.files, own)
        layers.append(own)
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": list(image.command), "Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]},
        # buildah takes a layer from its cache only when the base's history, times included, is that of the cached image
        "history": [{"created": _NO_TIME, "created_by": "seatrial's cluster"} for _ in layers],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}" for layer in layers]},
    }
    names = [f"layer{number}.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": [image.tag], "Layers": names}]
    with tarfile.open(unfinished, "w") as archive:
        for name, text in (("manifest.json", json.dumps(manifest)), ("config.json", json.dumps(config))):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
        for name, layer in zip(names, layers, strict=True):
            archive.add(layer, name)
    if image.files:
        own.unlink()
    unfinished.rename(target)


def _write_layer(files: Mapping[str, Path], target: Path) -> None:
    with tarfile.open(target, "w") as layer:
        for inside, source in sorted(files.items()):
            entry = tarfile.TarInfo(inside.lstrip("/"))
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as stream:
                layer.addfile(entry, stream)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
