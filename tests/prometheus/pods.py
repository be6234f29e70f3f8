"""Pods that a test drives: real HTTP metrics pages, written by the real client library."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from typing_extensions import override

from tests.prometheus.server import honored_targets

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

EDGES = (0.1, 0.25, 1.0)


class Page:
    """What one process of a model server counts: it is gone when the process restarts."""

    def __init__(self, *, tells_start: bool) -> None:
        self.registry = CollectorRegistry()
        if tells_start:
            Gauge("process_start_time_seconds", "Start.", registry=self.registry).set(time.time())
        self._requests = Counter("ml_model_requests", "Requests.", ["error_type"], registry=self.registry)
        self._seconds = Histogram(
            "ml_model_request_duration_seconds", "Latency.", registry=self.registry, buckets=EDGES
        )

    def answer(self, error: str, seconds: float) -> None:
        self._requests.labels(error).inc()
        self._seconds.observe(seconds)


@dataclass
class Pod:
    """One pod of a version."""

    name: str
    rollout: str
    version: str
    page: Page = field(init=False)
    tells_start: bool = False
    honored: bool = False
    """Whether it is scraped with honor_labels: labels on its page win over those of its target."""
    delay_s: float = 0.0
    healthy: bool = True

    def serve(self, good: int, *, bad: int = 0, slow: int = 0) -> None:
        for _ in range(good):
            self.page.answer("", 0.01)
        for _ in range(slow):
            self.page.answer("", 0.5)
        for _ in range(bad):
            self.page.answer("backend", 0.01)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.page = Page(tells_start=self.tells_start)


class Pods:
    """The HTTP server of all pods, and the file by which Prometheus finds them."""

    def __init__(self, targets: Path) -> None:
        self.prometheus_url = ""
        """Where the Prometheus listens that scrapes them."""
        self._targets = targets
        self._pods: dict[str, Pod] = {}
        pods = self._pods

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pod = pods.get(self.path.rsplit("/", 1)[-1])
                if pod is None or not pod.healthy:
                    self.send_error(503)
                    return
                text = generate_latest(pod.page.registry)
                time.sleep(pod.delay_s)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # a scrape that took too long: the next one counts
                    self.wfile.write(text)

            @override
            def log_message(self, *_: object) -> None:
                """Keep the test's output readable."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def start(self, name: str, *, version: str = "aaaaaaaaaa", rollout: str = "model", honored: bool = False) -> Pod:
        """Start a pod. Prometheus finds it within five seconds, as it would in a cluster."""
        pod = self._pods[name] = Pod(name, rollout, version, honored=honored)
        self._write()
        return pod

    def delete(self, pod: Pod) -> None:
        del self._pods[pod.name]
        self._write()

    def scraped(self, *pods: Pod, timeout_s: float = 30.0) -> None:
        """Wait until Prometheus has everything that the pods counted so far: a scrape began after it, and succeeded."""
        since_s = time.time()
        wanted = {pod.name for pod in pods}
        query = urllib.parse.urlencode({"query": f'up{{pod=~"{"|".join(wanted)}"}}[1m]'})
        while wanted:
            if time.time() > since_s + timeout_s:
                raise TimeoutError(f"not scraped within {timeout_s} s: {sorted(wanted)}")
            time.sleep(0.05)
            with urllib.request.urlopen(f"{self.prometheus_url}/api/v1/query?{query}", timeout=5) as answer:  # noqa: S310 (http)
                series = json.load(answer)["data"]["result"]
            for one in series:
                if any(at_s >= since_s and value == "1" for at_s, value in one["values"]):
                    wanted.discard(one["metric"]["pod"])

    def _write(self) -> None:
        address = f"127.0.0.1:{self._server.server_address[1]}"
        for honored in (False, True):
            groups = [
                {
                    "targets": [address],
                    "labels": {
                        "__metrics_path__": f"/pod/{pod.name}",
                        "namespace": "ml",
                        "pod": pod.name,
                        "rollout_name": pod.rollout,
                        "rollout_version": pod.version,
                    },
                }
                for pod in self._pods.values()
                if pod.honored is honored
            ]
            targets = honored_targets(self._targets) if honored else self._targets
            scratch = targets.with_suffix(".tmp")
            scratch.write_text(json.dumps(groups))
            scratch.replace(targets)
