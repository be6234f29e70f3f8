"""The demo's model server on this machine: started from its own pinned requirements, asked, and timed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import click

from demo.load import MODEL_PATH, held_out_digits
from seatrial_instrument.request import REQUEST_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ROOT = Path(__file__).parents[1]
CLIENTS = 4
SWITCH_S = 5.0


class Server(NamedTuple):
    """A running model server: where it predicts, where it shows its metrics, and its process."""

    url: str
    metrics: str
    pid: int


def model_python() -> Path:
    """Return the Python of an environment with the demo server's requirements, made once below the cache."""
    requirements = ROOT / "demo" / "model" / "requirements.txt"
    cache = Path(os.environ.get("SEATRIAL_CACHE", Path.home() / ".cache" / "seatrial"))
    folder = cache / f"demo-model-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)  # noqa: S603 # our own arguments
        # The list is complete; an old pip that resolves takes other releases of what is asked for with an extra.
        how = ["--disable-pip-version-check", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([python, "-m", "pip", "install", "-q", *how, "-r", requirements], check=True)  # noqa: S603 # see above
        (folder / "ready").touch()
    return python


def train(python: Path, models: Path) -> None:
    """Train the demo's models into a folder."""
    command = [python, ROOT / "demo" / "model" / "train.py", models]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'instrument'}"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 # our own arguments


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


@contextlib.asynccontextmanager
async def served(python: Path, models: Path, module: str, switch: Mapping[str, str]) -> AsyncIterator[Server]:
    """Run the demo's model server by a module of its own, with some variables more."""
    http, grpc, metrics = free_ports(3)
    environment = os.environ | {
        "MLSERVER_HOST": "127.0.0.1", "MLSERVER_HTTP_PORT": str(http), "MLSERVER_GRPC_PORT": str(grpc),
        "MLSERVER_METRICS_PORT": str(metrics), "MODEL_FOLDER": str(models), "MODEL_QUALITY": "v2",
        "OMP_NUM_THREADS": "1", "JOBLIB_MULTIPROCESSING": "0", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'instrument'}",
    }  # fmt: skip
    log = models / f"server-{http}.log"
    with log.open("w") as stream:
        command = [str(python), "-m", module]
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


async def switch(server: Server, *, is_on: bool) -> None:
    """Take the library out of a server of `bench.switched` or put it back, and wait until that has happened.

    Raises
    ------
    TimeoutError
        It did not happen.
    """
    os.kill(server.pid, signal.SIGUSR2 if is_on else signal.SIGUSR1)
    body = held_out_digits()[0].body
    async with asyncio.timeout(SWITCH_S):
        while True:
            async with (
                aiohttp.ClientSession(headers={"content-type": "application/json"}) as session,
                session.post(server.url + MODEL_PATH, data=body) as answer,
            ):
                if (REQUEST_ID_HEADER in answer.headers) == is_on:
                    return


def cpu_s(pid: int) -> float:
    """Read the processor time that the threads of a process have used, in seconds."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


async def cost_s(server: Server, requests: int, scrapes: int = 0) -> float:
    """Send requests as fast as they are answered, by new connections; return the processor time that they took.

    Parameters
    ----------
    server
        Whom to ask.
    requests
        How many.
    scrapes
        How often the metrics page is read before; that time counts, too.
    """
    bodies = [sample.body for sample in held_out_digits()]
    left = iter(range(requests))
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def ask(number: int) -> None:
            async with session.post(server.url + MODEL_PATH, data=bodies[number % len(bodies)]) as answer:
                await answer.read()
                if answer.status != 200:
                    raise click.ClickException(f"the model server answered {answer.status}")

        async def client() -> None:
            for number in left:
                await ask(number)

        await asyncio.gather(*(ask(number) for number in range(CLIENTS)))  # connects
        began_s = cpu_s(server.pid)
        for _ in range(scrapes):
            await scrape(server, session)
        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        return cpu_s(server.pid) - began_s


async def scrape(server: Server, session: aiohttp.ClientSession) -> int:
    """Read the metrics page; return how many lines it has."""
    async with session.get(server.metrics) as answer:
        return (await answer.read()).count(b"\n")
