"""`python -m bench.instrument`: what the instrument library costs a model server.

Two parts: the time of one call, and the share that instrumenting takes of what the demo's model server can serve. The
second part starts that server twice, with and without the library, from its own pinned requirements.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import click
import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from bench.report import machine, markdown
from demo.load import held_out_digits
from seatrial_instrument import Instrument, Options
from seatrial_instrument.profile import from_dataframe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

ROOT = Path(__file__).parents[1]
FEATURES, BATCH = 30, 32
INFER = "/v2/models/digits/infer"
CLIENTS = 4
SCRAPE_S = 2.0


class Server(NamedTuple):
    """A running model server: where it predicts, where it shows its metrics, and its process."""

    url: str
    metrics: str
    pid: int


def call_time_us(work: Callable[[], object], calls: int = 200, rounds: int = 200) -> float:
    """Time one call in microseconds: the best of many short rounds, so that what else the machine does is not in it."""
    work()
    times = []
    for _ in range(rounds):
        began_s = time.thread_time()
        for _ in range(calls):
            work()
        times.append((time.thread_time() - began_s) / calls)
    return min(times) * 1e6


def call_times() -> str:
    """Time observing and showing, for a model with 30 numeric features and one numeric output."""
    rng = np.random.default_rng(0)
    columns = {f"f{index}": rng.normal(size=5000) for index in range(FEATURES)}
    table = {**columns, "score": rng.random(5000)}
    profile = from_dataframe(table, predictions=["score"], bounds={"score": (0, 1)})
    batch, scores = rng.normal(size=(BATCH, FEATURES)), rng.random(BATCH)
    rows = []
    with TemporaryDirectory() as folder:
        for where, shared in (("one process", None), ("shared file", folder)):
            registry = CollectorRegistry()
            options = Options(folder=shared, max_rows_per_s=1e9)
            one = Instrument(profile, "bench", options, registry=registry)
            works: dict[str, Callable[[], object]] = {
                f"features, batch of {BATCH}": lambda one=one: one.observe(batch),  # type: ignore[misc] # bound on purpose
                f"features and predictions, batch of {BATCH}": lambda one=one: one.observe(batch, scores),  # type: ignore[misc] # see above
                "features and predictions, one row": lambda one=one: one.observe(batch[:1], scores[:1]),  # type: ignore[misc] # see above
                "a request": lambda one=one: one.request(0.1),  # type: ignore[misc] # see above
            }
            rows += [(name, where, f"{call_time_us(work):.0f}") for name, work in works.items()]
            page_us = call_time_us(lambda registry=registry: generate_latest(registry), 1, 100)  # type: ignore[misc] # see above
            series = generate_latest(registry).count(b"\n")
            errors = registry.get_sample_value("ml_model_instrument_errors_total", {"model_name": "bench"})
            if errors:
                raise click.ClickException(f"{errors:.0f} batches were not counted")
            rows.append((f"the metrics page ({series} lines)", where, f"{page_us:.0f}"))
    return markdown((f"{FEATURES} features", "counts in", "microseconds"), rows)


def model_python() -> Path:
    """Return the Python of an environment with the demo server's requirements, made once below the cache."""
    requirements = ROOT / "demo" / "model" / "requirements.txt"
    cache = Path(os.environ.get("SEATRIAL_CACHE", Path.home() / ".cache" / "seatrial"))
    folder = cache / f"demo-model-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)  # noqa: S603 # our own arguments
        install = [
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--require-hashes",
            "--only-binary",
            ":all:",
        ]
        subprocess.run([python, *install, "-r", requirements], check=True)  # noqa: S603 # see above
        (folder / "ready").touch()
    return python


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


@contextlib.asynccontextmanager
async def served(python: Path, models: Path, switch: Mapping[str, str]) -> AsyncIterator[Server]:
    """Run the demo's model server."""
    http, grpc, metrics = free_ports(3)
    environment = os.environ | {
        "MLSERVER_HOST": "127.0.0.1", "MLSERVER_HTTP_PORT": str(http), "MLSERVER_GRPC_PORT": str(grpc),
        "MLSERVER_METRICS_PORT": str(metrics), "MODEL_FOLDER": str(models), "MODEL_QUALITY": "v2",
        "OMP_NUM_THREADS": "1", "JOBLIB_MULTIPROCESSING": "0", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'instrument'}",
    }  # fmt: skip
    log = models / f"server-{http}.log"
    with log.open("w") as stream:
        command = [str(python), "-m", "demo.model.serve"]
        environment |= switch
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream)  # noqa: ASYNC220, S603 # it only starts
    url = f"http://127.0.0.1:{http}"
    try:
        async with aiohttp.ClientSession() as session:
            for _ in range(600):
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/v2/models/digits/ready") as answer:
                        if answer.status == 200:
                            break
                if process.poll() is not None:
                    break
                await asyncio.sleep(0.1)
            else:
                process.poll()
        if process.poll() is not None:
            raise click.ClickException(f"the model server did not start:\n{log.read_text()[-2000:]}")
        yield Server(url, f"http://127.0.0.1:{metrics}/metrics", process.pid)
    finally:
        process.terminate()
        process.wait(30)


def cpu_s(pid: int) -> float:
    """Read the processor time that the threads of a process have used, in seconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


async def cost_us(server: Server, requests: int) -> float:
    """Send requests as fast as they are answered; return the processor time of each in microseconds, with scrapes."""
    bodies = [sample.body for sample in held_out_digits()]
    left = iter(range(requests))
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def client() -> None:
            for number in left:
                async with session.post(server.url + INFER, data=bodies[number % len(bodies)]) as answer:
                    await answer.read()
                    if answer.status != 200:
                        raise click.ClickException(f"the model server answered {answer.status}")

        began_s = cpu_s(server.pid)
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return (cpu_s(server.pid) - began_s) / requests * 1e6


async def scrape(server: Server) -> None:
    """Read the metrics page as often as the demo's Prometheus does, until cancelled."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(server.metrics) as answer:
                await answer.read()
            await asyncio.sleep(SCRAPE_S)


def quietest(costs: Sequence[float]) -> float:
    """Average the cheapest fifth of the rounds: those in which nothing else on the machine disturbed."""
    return mean(sorted(costs)[: max(len(costs) // 5, 1)])


async def share_of_throughput(rounds: int, requests: int) -> str:
    """Compare the demo server with and without the library, by turns."""
    python = model_python()
    with TemporaryDirectory() as folder:
        models = Path(folder)
        search = {"PYTHONPATH": f"{ROOT / 'instrument'}"}
        train = [python, ROOT / "demo" / "model" / "train.py", models]
        subprocess.run(train, check=True, env=os.environ | search, stdout=subprocess.DEVNULL)  # noqa: ASYNC221, S603 # alone
        async with (
            served(python, models, {"MODEL_INSTRUMENT": "off"}) as plain,
            served(python, models, {"MODEL_INSTRUMENT": "on"}) as instrumented,
        ):
            scraping = [asyncio.create_task(scrape(server)) for server in (plain, instrumented)]
            costs: dict[str, list[float]] = {"without": [], "with": []}
            for turn in range(rounds + 1):
                order = (("without", plain), ("with", instrumented))
                for name, server in order if turn % 2 else order[::-1]:
                    spent = await cost_us(server, requests)
                    if turn:  # the first round warms up
                        costs[name].append(spent)
            for task in scraping:
                task.cancel()
    pairs = sorted(after / before - 1 for before, after in zip(costs["without"], costs["with"], strict=True))
    # Distribution-free interval of a median: order statistics of the binomial, 1.96 standard deviations each side.
    away = round(1.96 * (rounds**0.5) / 2)
    lowest, highest = pairs[max(rounds // 2 - away, 0)], pairs[min(rounds // 2 + away, rounds - 1)]
    low, middle, high = min(costs["without"]), median(costs["without"]), max(costs["without"])
    rows = [
        ("without the library", f"{low:.0f} / {middle:.0f} / {high:.0f}"),
        ("with it", f"{min(costs['with']):.0f} / {median(costs['with']):.0f} / {max(costs['with']):.0f}"),
        ("more, median of pairs (95 % interval)", f"{median(pairs):.1%} ({lowest:.1%} to {highest:.1%})"),
        (
            "less throughput of a busy core, quietest fifth, scrapes aside",
            f"{1 - quietest(costs['without']) / quietest(costs['with']):.1%}",
        ),
    ]
    return markdown(
        ("one prediction of the demo's model server", "microseconds of processor time (min / median / max)"), rows
    )


@click.command(help=__doc__)
@click.option("--rounds", default=60, show_default=True, help="Pairs of measurements of the demo's server.")
@click.option("--requests", default=200, show_default=True, help="Requests of one measurement.")
@click.option("--calls-only", is_flag=True, help="Leave the demo's server out; needs no network.")
def main(rounds: int, requests: int, calls_only: bool) -> None:
    """Print all tables."""
    click.echo(f"{machine()}\n\n{call_times()}\n")
    if not calls_only:
        click.echo(asyncio.run(share_of_throughput(rounds, requests)))


if __name__ == "__main__":
    main()
