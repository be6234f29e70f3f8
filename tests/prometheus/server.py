"""A real Prometheus that a test starts, stops and starts again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

CACHE = Path(os.environ.get("SEATRIAL_CACHE") or Path.home() / ".cache" / "seatrial")

_CONFIG = """
global: {{scrape_interval: {interval}, scrape_timeout: {timeout}}}
scrape_configs:
- job_name: self
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  metric_relabel_configs: [{{source_labels: [__name__], regex: prometheus_build_info, action: keep}}]
- job_name: pods
  file_sd_configs: [{{files: ["{targets}"], refresh_interval: 1s}}]
- job_name: honored
  honor_labels: true
  file_sd_configs: [{{files: ["{honored}"], refresh_interval: 1s}}]
"""


def honored_targets(targets: Path) -> Path:
    """Name the file of targets that are scraped with honor_labels."""
    return targets.with_name("honored.json")


def binary(major: int) -> Path:
    """Find a Prometheus of this major version: 3 is built for the cluster, 2 is Debian's, unpacked but not installed.

    Raises
    ------
    FileNotFoundError
        Saying what to do, when there is none and none can be had.
    """
    if major == 3:
        built = CACHE / "bin" / "prometheus"
        if not built.exists():
            raise FileNotFoundError(f"no Prometheus 3 at {built}: `make cluster` builds it, or put one there")
        return built
    unpacked = CACHE / "debian-prometheus"
    if not (unpacked / "usr/bin/prometheus").exists():
        _unpack_debian(unpacked)
    return unpacked / "usr/bin/prometheus"


def _unpack_debian(unpacked: Path) -> None:
    scratch = unpacked.with_suffix(f".{os.getpid()}")
    scratch.mkdir(parents=True)
    try:
        try:
            _run("apt-get", "download", "prometheus", folder=scratch)
        except subprocess.CalledProcessError:
            _run("apt-get", "update", "-qq", folder=scratch)
            _run("apt-get", "download", "prometheus", folder=scratch)
        package = next(scratch.glob("prometheus_*.deb"))
        _run("dpkg-deb", "-x", package.name, ".", folder=scratch)
        package.unlink()
        scratch.replace(unpacked)
    except (OSError, StopIteration, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        raise FileNotFoundError(
            f"no Prometheus 2 at {unpacked}/usr/bin: `python -m tests.prometheus.server` fetches Debian's package with "
            f"apt-get, outside the cluster's network, and failed: {error} {said.decode(errors='replace')[-300:]}"
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(*command: str, folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)


class PrometheusServer:
    """One Prometheus process with its own data, on a free port of the loopback address."""

    def __init__(
        self, program: Path, folder: Path, *, interval: str = "400ms", timeout: str = "390ms", jobs: str = ""
    ) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.targets = folder / "targets.json"
        self._config = folder / "prometheus.yml"
        self._config.write_text(
            _CONFIG.format(
                interval=interval,
                timeout=timeout,
                port=self._port,
                targets=self.targets,
                honored=honored_targets(self.targets),
            )
            + jobs
        )

    @property
    def log(self) -> Path:
        return self._folder / "prometheus.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it on the data that is there, and wait until it answers and has seen itself."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._program),
                    f"--config.file={self._config}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        deadline_s = time.monotonic() + 30
        while not self._has_seen_itself():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                tail = self.log.read_text()[-2000:]
                raise RuntimeError(f"{self._program} does not come up; its log ends with:\n{tail}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def _has_seen_itself(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?query=up", timeout=2) as answer:  # noqa: S310 (http)
                return b'"job":"self"' in answer.read()
        except (urllib.error.URLError, OSError):
            return False


if __name__ == "__main__":
    # Ahead of tests in a network without a way out; Prometheus 3 comes with the cluster.
    sys.exit(not binary(2))
