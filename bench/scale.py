"""What many ModelDeployments cost the operator: memory, processor time, API requests and lateness.

Run it at the control-plane level, where the pods are played and thousands fit on one machine:
`python -m cluster up --level control-plane`, then `python -m cluster run -- python -m bench.scale`.
The operator runs as a process of this benchmark. First all models are at rest, then some of them are on trial.
"""

import asyncio
import copy
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import click
import yaml

from bench.report import machine, markdown
from demo.kubectl import JsonObject, kubectl

ROOT = Path(__file__).parents[1]
NAMESPACE = "bench-scale"
AGENT = "seatrial/"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CHUNK = 100
HEADINGS = (
    "ModelDeployments",
    "on trial",
    "resident MiB",
    "cores",
    "API requests per minute, besides watches",
    "Prometheus queries per second",
    "looks per second",
    "late, p95",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters of the operator at one moment."""

    at_s: float
    cpu_s: float
    ticks: float
    late: dict[float, float]
    queries: float


class Operator:
    """The operator as a process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, prometheus_url: str) -> None:
        self._process = process
        self._port = port
        self._prometheus_url = prometheus_url

    def resident_mib(self) -> float:
        """Read its memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * PAGE_BYTES / 2**20

    def cpu_s(self) -> float:
        """Read the processor time that it has used, in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    async def read(self) -> Reading:
        """Read its counters, and Prometheus' own count of queries."""
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{self._port}/metrics") as answer:
                found = re.findall(r'tick_late_seconds_bucket\{le="([^"]+)"\} (\S+)', await answer.text())
                late = {float(edge): float(n) for edge, n in found}
            async with session.get(f"{self._prometheus_url}/metrics") as answer:
                asked = re.findall(
                    r'prometheus_http_requests_total\{.*handler="/api/v1/query.*\} (\S+)', await answer.text()
                )
        return Reading(time.time(), self.cpu_s(), late[float("inf")], late, sum(map(float, asked)))


def manifest(base: JsonObject, number: int, version: str, step_s: float) -> JsonObject:
    """Build one of many ModelDeployments."""
    made = copy.deepcopy(base)
    made["metadata"] = {"name": f"m{number:04d}", "namespace": NAMESPACE}
    spec = made["spec"]
    spec["model"]["version"] = version
    spec["replicas"] = 1
    spec["traffic"]["gateway"]["hostnames"] = [f"m{number:04d}.{NAMESPACE}.example"]
    spec["strategy"] = {"steps": [{"weight": 10, "for": f"{step_s:.0f}s"}], "warmUp": "0s", "drain": "5s"}
    wanted = {"MODEL_VERSION": version, "FAULT_ERROR_RATIO": "0.001", "SIMULATED_REQUESTS_PER_S": "5"}
    environment = [{"name": name, "value": value} for name, value in wanted.items()]
    spec["template"]["spec"]["containers"][0]["env"] = environment
    return made


async def apply(manifests: list[JsonObject]) -> None:
    """Apply manifests, a hundred at a time."""
    for first in range(0, len(manifests), CHUNK):
        text = "\n".join(f"---\n{json.dumps(one)}" for one in manifests[first : first + CHUNK])
        await kubectl("apply", "--server-side", "-f", "-", stdin=text, timeout_s=300.0)


async def until(phase: str, count: int, within_s: float) -> None:
    """Wait until so many ModelDeployments are in a phase."""
    ends_s = time.monotonic() + within_s
    path = "jsonpath={range .items[*]}{.status.phase}{'\\n'}{end}"
    while time.monotonic() < ends_s:
        phases = (await kubectl("get", "modeldeployments", "-n", NAMESPACE, "-o", path)).split()
        if phases.count(phase) >= count:
            return
        await asyncio.sleep(2)
    raise TimeoutError(f"{phases.count(phase)} of {count} are {phase} after {within_s:.0f} s")


def api_requests(log: Path, since_s: float, until_s: float) -> int:
    """Count the operator's requests in the audit log, besides watches."""
    count = 0
    with log.open() as lines:
        for line in lines:
            entry = json.loads(line)
            at_s = datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp()
            ours = entry.get("userAgent", "").startswith((AGENT, "kopf"))
            count += ours and entry["verb"] != "watch" and since_s <= at_s < until_s
    return count


def image_environment() -> dict[str, str]:
    """Read what the operator's image sets for glibc's memory."""
    return dict(re.findall(r"(MALLOC_\w+)=(\d+)", (ROOT / "Dockerfile").read_text()))


@contextmanager
def running(prometheus_url: str, look_s: float) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run the operator for the length of a block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    own = {
        **image_environment(),
        "PYTHONPATH": str(ROOT / "operator"),
        "POD_NAMESPACE": "default",
        "POD_NAME": "bench-scale",
        "SEATRIAL_PROMETHEUS_URL": prometheus_url,
        "SEATRIAL_HTTP_PORT": str(port),
        "SEATRIAL_LOOK_S": str(look_s),
    }
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-P", "-m", "seatrial"]
        process = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)  # noqa: S603 - our own program
        try:
            yield process, port
        finally:
            process.terminate()
            process.wait(30)


def late_p95(before: Reading, after: Reading) -> str:
    """Read the 95th percentile of the lateness off the histogram: the edge below which it lies."""
    total = after.ticks - before.ticks
    for edge in sorted(after.late):
        if total and after.late[edge] - before.late[edge] >= 0.95 * total:
            return f"under {edge:g} s"
    return "-"


async def measure(operator: Operator, models: int, trials: int, span_s: float, log: Path) -> list[str]:
    """Watch the operator for a while, and make a row of the table."""
    before = await operator.read()
    await asyncio.sleep(span_s)
    after = await operator.read()
    lasted_s = after.at_s - before.at_s
    requests = api_requests(log, before.at_s, after.at_s)
    return [
        str(models),
        str(trials),
        f"{operator.resident_mib():.0f}",
        f"{(after.cpu_s - before.cpu_s) / lasted_s:.3f}",
        f"{60 * requests / lasted_s:.0f}",
        f"{(after.queries - before.queries) / lasted_s:.2f}",
        f"{(after.ticks - before.ticks) / lasted_s:.1f}",
        late_p95(before, after),
    ]


async def run(prometheus_url: str, log: Path, counts: list[int], trials: int, look_s: float, span_s: float) -> None:
    """Measure each number of models at rest, then trials among the largest."""
    base: JsonObject = yaml.safe_load((ROOT / "demo" / "manifests" / "v2.yaml").read_text())
    slo: JsonObject = yaml.safe_load((ROOT / "demo" / "manifests" / "slo.yaml").read_text())
    slo["metadata"]["namespace"] = NAMESPACE
    await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout_s=300.0)
    await kubectl("apply", "--server-side", "-k", str(ROOT / "crds"))
    await apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, slo])
    rows = []
    with running(prometheus_url, look_s) as (process, port):
        operator = Operator(process, port, prometheus_url)
        there = 0
        for count in counts:
            await apply([manifest(base, number, "1", 3600) for number in range(there, count)])
            await until("Stable", count, 60 + count)
            there = count
            await asyncio.sleep(45)  # drains, first budgets
            rows.append(await measure(operator, count, 0, span_s, log))
            click.echo(f"{rows[-1]}", err=True)
        await apply([manifest(base, number, "2", 3600) for number in range(trials)])
        await until("Trial", trials, 60 + 2 * trials)
        await asyncio.sleep(20)
        rows.append(await measure(operator, there, trials, span_s, log))
    print(f"\nOn {machine()}, shared with the control plane; a look every {look_s:g} s, {span_s:.0f} s each.\n")
    print(markdown(HEADINGS, rows))
    await kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@click.command()
@click.option("--prometheus", envvar="SEATRIAL_PROMETHEUS", required=True, help="Address of Prometheus.")
@click.option("--audit-log", envvar="SEATRIAL_AUDIT_LOG", required=True, type=click.Path(path_type=Path))
@click.option("--level", envvar="SEATRIAL_CLUSTER_LEVEL", required=True, help="Level of the cluster.")
@click.option("--counts", default="300,1000", show_default=True, help="How many ModelDeployments at rest.")
@click.option("--trials", default=100, show_default=True, help="How many of them are then on trial.")
@click.option("--look", default=5.0, show_default=True, help="Seconds between two looks at a trial.")
@click.option("--span", default=60.0, show_default=True, help="Seconds for which each row is measured.")
def main(  # noqa: PLR0913, PLR0917 # click hands each option over by name
    prometheus: str, audit_log: Path, level: str, counts: str, trials: int, look: float, span: float
) -> None:
    """Measure what many ModelDeployments cost, and print a Markdown table."""
    if level != "control-plane":
        sys.exit(
            f"thousands of pods need `python -m cluster up --level control-plane`; this cluster is of level {level}"
        )
    asyncio.run(run(prometheus, audit_log, [int(count) for count in counts.split(",")], trials, look, span))


if __name__ == "__main__":
    main()
