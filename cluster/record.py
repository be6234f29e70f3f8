"""The record of the running cluster: which processes are ours, and what they were started from.

A process is known by its number *and* its start time, so that a number the system has given to another program since is
never taken for ours, and never killed.
"""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

PROC = Path("/proc")
_START_TIME_FIELD = 22  # of /proc/PID/stat, counted from 1; see proc(5)


@dataclass(frozen=True, slots=True)
class Process:
    """One process of one boot.

    Parameters
    ----------
    pid
        Its number.
    started
        Its start time in clock ticks since boot, as /proc tells it.
    boot
        Identity of the boot in which it was started.
    """

    pid: int
    started: int
    boot: str


@dataclass(frozen=True, slots=True)
class Record:
    """What runs.

    Parameters
    ----------
    level
        ``kind``, ``node`` or ``control-plane``.
    key
        Content key of the `cluster/` folder that started it (see `cluster.key`).
    process
        The one process whose end ends the whole cluster; None for kind, where Docker holds it.
    gateway, prometheus
        URLs (http://host:port) as seen by ``run``.
    checkout
        The checkout that started it.
    details
        What only this level needs to know.
    """

    level: str
    key: str
    process: Process | None
    gateway: str
    prometheus: str
    checkout: str
    details: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the form that `record_from_json` reads."""
        return json.dumps(asdict(self), indent=1)


def record_from_json(text: str) -> Record:
    """Return the record that `Record.to_json` wrote.

    Raises
    ------
    ValueError
        When the text is no such record.
    """
    try:
        data = json.loads(text)
        process = Process(**data["process"]) if data["process"] else None
        return Record(
            data["level"], data["key"], process, data["gateway"], data["prometheus"], data["checkout"],
            data.get("details", {}),
        )  # fmt: skip
    except (TypeError, KeyError) as error:
        raise ValueError(f"no record of a cluster: {error}") from error


def read_record(path: Path) -> Record | None:
    """Return the record at `path`, or None when there is none that can be read."""
    try:
        return record_from_json(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def start_time(stat: str) -> int:
    """Return the start time in the text of a /proc/PID/stat (the command in it may hold spaces and brackets)."""
    after_command = stat.rpartition(")")[2].split()
    return int(after_command[_START_TIME_FIELD - 3])


def identify(pid: int, proc: Path = PROC) -> Process | None:
    """Return who `pid` is now, or None when there is no such process (one that is dead and not yet reaped is none)."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if stat.rpartition(")")[2].split()[0] in "ZX":
        return None
    return Process(pid, start_time(stat), boot)


def alive(process: Process, proc: Path = PROC) -> bool:
    """Return whether this very process still runs."""
    return identify(process.pid, proc) == process


def end(process: Process, grace_s: float, poll_s: float = 0.05) -> None:
    """End this very process: ask, wait `grace_s`, then kill (0: kill at once). Does nothing when it is gone.

    Raises
    ------
    TimeoutError
        When it survives SIGKILL for 10 s.
    """
    for sign, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10.0)):
        if patience_s <= 0:
            continue
        if not alive(process):
            return
        os.kill(process.pid, sign)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not alive(process):
                return
            time.sleep(poll_s)
    raise TimeoutError(f"process {process.pid} does not end, even when killed")
