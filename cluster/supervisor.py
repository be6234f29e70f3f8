"""Keep the components of one cluster running: ``python -m cluster.supervisor SPEC``.

At the node level this is process 1 of the cluster's own namespaces: it also prepares their network and mounts and reaps
orphans, and when it ends, the kernel ends everything in them. It waits for one line on its input before it starts
anything, so that no cluster runs that nobody has on record.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ALL_STARTED = "all components started"
"""The supervisor's word, in its log, that everything serves."""

_RESTART_AFTER_S = 1.0
_SERVES_WITHIN_S = 60.0
_STOP_WITHIN_S = 5.0


def answers(address: str) -> bool:
    """Return whether the address answers: ``https://…`` with 200, a socket's path or ``host:port`` by connecting."""
    try:
        if address.startswith("https://"):
            insecure = ssl._create_unverified_context()  # noqa: S323, SLF001 - asks only whether it is there
            with urllib.request.urlopen(address, timeout=2, context=insecure):  # noqa: S310 - https by the test above
                return True
        if address.startswith("/"):
            with socket.socket(socket.AF_UNIX) as unix:
                unix.connect(address)
        else:
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


class Supervisor:
    """Starts components in order, starts those again that end, and stops them all in reverse order."""

    def __init__(self, components: list[dict[str, object]], logs: Path) -> None:
        self._components = {str(component["name"]): component for component in components}
        self._logs = logs
        self._running: dict[int, tuple[str, subprocess.Popen[bytes]]] = {}
        self._due: dict[str, float] = {}
        self.stopping = False  # set by the signal handler: an exception raised there could get lost in a destructor

    def start_all(self) -> None:
        """Start every component; go on as soon as each answers where it says that it serves."""
        for name, component in self._components.items():
            if self.stopping:
                return
            self._start(name)
            self._wait_for(str(component["serves"]))
        print(ALL_STARTED, flush=True)

    def watch(self) -> None:
        """Reap and restart until told to stop."""
        while not self.stopping:
            self._reap()
            self._start_due()
            time.sleep(0.2)

    def stop_all(self) -> None:
        """Ask the components to end, last one first; kill those that take too long."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for pid in reversed(self._running):
                os.kill(pid, sign)
            deadline = time.monotonic() + _STOP_WITHIN_S
            while self._running and time.monotonic() < deadline:
                self._reap()
                time.sleep(0.05)

    def _wait_for(self, address: str) -> None:
        deadline = time.monotonic() + _SERVES_WITHIN_S
        while address and not answers(address) and not self.stopping and time.monotonic() < deadline:
            self._reap()
            self._start_due()
            time.sleep(0.05)

    def _start(self, name: str) -> None:
        component = self._components[name]
        command, env = component["command"], component["env"]
        assert isinstance(command, list)  # noqa: S101 - the specification is our own, see components.py
        assert isinstance(env, dict)  # noqa: S101 - as above
        with (self._logs / f"{name}.log").open("ab") as log:
            # setpriv: no component outlives the supervisor, even when that one is killed
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                env=os.environ | env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        # Kept until we have reaped it: subprocess would reap a forgotten one itself, and nobody would start it again.
        self._running[process.pid] = (name, process)
        print(f"{name} started as process {process.pid}", flush=True)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._running:
                name, process = self._running.pop(pid)
                process.returncode = os.waitstatus_to_exitcode(status)
                print(f"{name} ended with {process.returncode}", flush=True)
                self._due[name] = time.monotonic() + _RESTART_AFTER_S

    def _start_due(self) -> None:
        for name in [name for name, when in self._due.items() if when <= time.monotonic()]:
            del self._due[name]
            self._start(name)


def prepare_namespaces(address: str) -> None:
    """Give the new namespaces a network with `address` and empty folders for what programs write outside the state."""
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", f"{address}/32", "dev", "lo"],
        ["mount", "-t", "tmpfs", "tmpfs", "/run"],
        ["mount", "-t", "tmpfs", "tmpfs", "/var/lib"],
        ["mount", "-t", "tmpfs", "tmpfs", "/var/log"],
    ):
        subprocess.run(command, check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for folder in ("/run/netns", "/run/containerd", "/run/lock"):
        Path(folder).mkdir(exist_ok=True)


def main() -> None:
    """Run the specification in the file that the first argument names."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    if not sys.stdin.readline():
        raise SystemExit("nobody has this cluster on record: not started")
    if spec["namespace_address"]:
        prepare_namespaces(spec["namespace_address"])
    supervisor = Supervisor(spec["components"], Path(spec["logs"]))

    def stop(_signal: int, _frame: object) -> None:
        supervisor.stopping = True

    signal.signal(signal.SIGTERM, stop)
    try:
        supervisor.start_all()
        supervisor.watch()
    finally:
        supervisor.stop_all()


if __name__ == "__main__":
    main()
