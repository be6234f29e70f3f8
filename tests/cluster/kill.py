"""End programs of the cluster as an accident does: at once and without a word."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from demo.kubectl import kubectl

SYSTEM = "seatrial-system"


async def lease() -> dict[str, Any]:
    """Read which of the operator's pods leads, and since when."""
    spec: dict[str, Any] = json.loads(await kubectl("get", "lease", "seatrial", "-n", SYSTEM, "-o", "json"))["spec"]
    return spec


async def leader() -> str:
    """Name the operator's pod that leads."""
    return str((await lease())["holderIdentity"])


def kill_process_of(pod: str, word: str) -> None:
    """Kill the process of a pod that has a word in its command line."""
    mark = f"HOSTNAME={pod}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if mark in environment and word.encode() in command:
            os.kill(int(folder.name), signal.SIGKILL)
            return
    pytest.fail(f"no process of pod {pod} found")
