"""`python -m bench.look`: what one look costs the operator, with 100 trials on one Prometheus.

The answers have the size and shape of Prometheus's (2 versions, 2 pods each, MLServer's labels, a scrape each 2 s) and
come over HTTP through the real client; what Prometheus itself needs to write them is not in the figures.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from statistics import median
from typing import Any

import click
from typing_extensions import override

from seatrial.metrics.connection import FixedConnection
from seatrial.metrics.prometheus import Prometheus
from seatrial.metrics.source import PrometheusSource
from seatrial.metrics.types import Checkpoint, Request, Sli

VERSIONS = ("aaaaaaaaaa", "bbbbbbbbbb")
PODS = 2
SCRAPE_S = 2.0
LOOK_S = 5.0
SETTLE_S = 15.0
INFER = "/v2/models/{model_name}/infer"
SLIS = (
    Sli("availability", template="http-availability", server="mlserver"),
    Sli("latency", template="http-latency", server="mlserver", threshold=Decimal("0.25")),
)


class Clock:
    """The operator's clock, which the benchmark turns on."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


def series(trials: int) -> list[dict[str, str]]:
    """List the labels of everything that is asked for."""
    found = []
    for trial in range(trials):
        for version in VERSIONS:
            for pod in range(PODS):
                target = {
                    "instance": f"10.244.{trial}.{pod}:8082",
                    "job": "pods",
                    "namespace": "models",
                    "pod": f"model-{trial}-{version}-7f9c7d8b5-{pod}",
                    "rollout_name": f"model-{trial}",
                    "rollout_version": version,
                }
                http = {"app_name": "mlserver", "method": "POST", "path": INFER}
                found += [{"__name__": name, **target} for name in ("up", "process_start_time_seconds")]
                for code in ("200", "500"):
                    counted = {**target, **http, "status_code": code}
                    found.append({"__name__": "rest_server_requests_total", **counted})
                    found += [
                        {"__name__": "rest_server_request_duration_seconds_bucket", **counted, "le": edge}
                        for edge in ("0.25", "+Inf")
                    ]
    return found


class Answers(HTTPServer):
    """Answers like a Prometheus with a sample of each series every two seconds; the texts are written beforehand."""

    def __init__(self, trials: int) -> None:
        self.queries = 0
        self.witness = self.baselines = self.samples = b""
        self._labels = series(trials)
        answers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                body = answers.baselines if b"last_over_time" in query else answers.samples
                if b"count%28up%29" in query:
                    body = answers.witness
                answers.queries += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, *_: object) -> None:
                """Print figures only."""

        super().__init__(("127.0.0.1", 0), Handler)

    def prepare(self, now_s: float) -> None:
        """Write the answers to the queries of the next look: all scrapes of the window that it reads."""
        scrapes = [now_s - SCRAPE_S * back for back in range(int((LOOK_S + SETTLE_S) / SCRAPE_S), -1, -1)]
        values = {name: [[at_s, "1"] for at_s in scrapes] for name in ("up", "process_start_time_seconds")}
        counted = [[at_s, str(int(10 * at_s))] for at_s in scrapes]
        samples: list[dict[str, Any]] = [
            {"metric": one, "values": values.get(one["__name__"], counted)} for one in self._labels
        ]
        self.samples = _answer(samples)
        self.baselines = _answer([{"metric": one["metric"], "value": one["values"][0]} for one in samples])
        self.witness = _answer([{"metric": {}, "value": [now_s, "9"]}])


def _answer(result: list[dict[str, Any]]) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


async def measure(trials: int, looks: int) -> None:
    """Make looks and print what they cost."""
    clock = Clock()
    answers = Answers(trials)
    threading.Thread(target=answers.serve_forever, args=(0.02,), daemon=True).start()
    client = Prometheus(FixedConnection(f"http://127.0.0.1:{answers.server_address[1]}"))
    source = PrometheusSource(client, 0.8 * LOOK_S, clock)
    began = {(version, sli.name): Checkpoint(clock.now_s, 0, 0) for version in VERSIONS for sli in SLIS}
    asks = [Request("models", f"model-{trial}", VERSIONS, SLIS, began) for trial in range(trials)]
    wall_s, cpu_s = [], []
    for look in range(looks + 2):
        clock.now_s += LOOK_S
        answers.prepare(clock.now_s)
        queries = answers.queries
        began_s, spent_s = time.perf_counter(), time.process_time()
        measured = await asyncio.gather(*(source.measure(ask) for ask in asks))
        if look > 1:  # the first looks bring the trials up to date
            wall_s.append(1000 * (time.perf_counter() - began_s))
            cpu_s.append(1000 * (time.process_time() - spent_s))
        if any(one.unavailable for one in measured):
            raise click.ClickException(str(measured[0].unavailable))
    print("| trials | series | answer | queries a look | look: median, max | processor time: median |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(
        f"| {trials} | {len(series(trials))} | {len(answers.samples) / 2**20:.1f} MiB | {answers.queries - queries} "
        f"| {median(wall_s):.0f} ms, {max(wall_s):.0f} ms | {median(cpu_s):.0f} ms |"
    )
    client.close()
    answers.shutdown()


@click.command()
@click.option("--trials", default=100, show_default=True, help="Rollouts on trial at a time.")
@click.option("--looks", default=20, show_default=True, help="Looks to take the figures from.")
def main(trials: int, looks: int) -> None:
    """Measure what a look costs the operator."""
    asyncio.run(measure(trials, looks))


if __name__ == "__main__":
    main()
