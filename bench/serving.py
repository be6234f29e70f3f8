"""The demo's model server on this machine: started from its own pinned requirements, asked, and timed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import click

from bench.sides import PAGE_PATH, SIDE_HEADER, SIDES, TIMES_PATH, Sides, Times
from demo.load import MODEL_PATH, held_out_digits
from seatrial_instrument.request import REQUEST_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[1]


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
async def served(python: Path, models: Path) -> AsyncIterator[str]:
    """Run `bench.switched`; give its address."""
    http, grpc, metrics = free_ports(3)
    environment = os.environ | {
        "MLSERVER_HOST": "127.0.0.1", "MLSERVER_HTTP_PORT": str(http), "MLSERVER_GRPC_PORT": str(grpc),
        "MLSERVER_METRICS_PORT": str(metrics), "MODEL_FOLDER": str(models), "MODEL_QUALITY": "v2",
        "OMP_NUM_THREADS": "1", "JOBLIB_MULTIPROCESSING": "0", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'instrument'}",
    }  # fmt: skip
    log = models / f"server-{http}.log"
    with log.open("w") as stream:
        command = [str(python), "-m", "bench.switched"]
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
        yield url
    finally:
        process.terminate()
        process.wait(30)


async def paired(url: str, pairs: int, scrape_every: int) -> Times:
    """Ask a server of `bench.switched`, one request after the other: of each two one has the library, in any order.

    Parameters
    ----------
    url
        Whom to ask.
    pairs
        How many times two requests.
    scrape_every
        Pairs after which the metrics page is written.
    """
    bodies = [sample.body for sample in held_out_digits()]
    chance = random.Random(pairs)  # an order, not a key
    connection = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(headers={"content-type": "application/json"}, connector=connection) as session:

        async def ask(number: int, side: str) -> None:
            headers = {SIDE_HEADER: side}
            body = bodies[number % len(bodies)]
            async with session.post(url + MODEL_PATH, data=body, headers=headers) as answer:
                await answer.read()
                if answer.status != 200 or (REQUEST_ID_HEADER in answer.headers) != (side == "on"):
                    raise click.ClickException(f"the model server answered {answer.status}, {[*answer.headers]}")

        for number in range(pairs):
            for side in chance.sample(SIDES, 2):
                await ask(number, side)
            if number % scrape_every == scrape_every - 1:
                async with session.get(url + PAGE_PATH) as page:
                    await page.read()
        async with session.get(url + TIMES_PATH) as answer:
            return Times(*(Sides(**times) for times in await answer.json(content_type=None)))
