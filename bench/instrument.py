"""`python -m bench.instrument`: what the instrument library costs a model server.

Two parts: the time of one call, and the share that instrumenting takes of what the demo's model server can serve. The
second part measures the processor time of that server's process in pairs, without the library and with it: first inside
one server, in which the library is switched, then of two servers, which differ by how their memory lies, too.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from bench.report import machine, markdown, spread
from bench.serving import Server, cost_s, model_python, served, switch, train
from seatrial_instrument import Instrument, Options
from seatrial_instrument.profile import from_dataframe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

FEATURES, BATCH = 30, 32
TURNS = 8
"""Parts that both sides of a pair are measured in, alternating: the machine changes from one second to the next."""


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


class Pair(NamedTuple):
    """Processor time of a request in microseconds, without the library and with it, right after each other."""

    without: float
    with_it: float

    @property
    def more_us(self) -> float:
        """Microseconds that the library takes."""
        return self.with_it - self.without

    @property
    def lost(self) -> float:
        """Share of a busy core's throughput that the library takes."""
        return 1 - self.without / self.with_it


async def pairs(rounds: int, requests: int, choose: Callable[[bool], Awaitable[Server]]) -> list[Pair]:
    """Measure by turns, some requests without the library and some with it; the first round warms up.

    Parameters
    ----------
    rounds
        Pairs.
    requests
        Requests of each side of a pair, for which the metrics page is read once.
    choose
        Gives the server without the library (False) or with it (True).
    """
    found = []
    for _ in range(rounds + 1):
        spent_s = {False: 0.0, True: 0.0}
        for turn in range(TURNS):
            for is_on in (False, True) if turn % 2 else (True, False):
                server = await choose(is_on)
                spent_s[is_on] += await cost_s(server, requests // TURNS, scrapes=turn == 0)
        found.append(Pair(*(spent_s[is_on] / (requests // TURNS * TURNS) * 1e6 for is_on in (False, True))))
    return found[1:]


def middle(figures: Sequence[float]) -> tuple[float, float, float]:
    """Return the median and its distribution-free 95 % interval: order statistics of the binomial."""
    ordered, count = sorted(figures), len(figures)
    away = round(1.96 * count**0.5 / 2)
    return median(ordered), ordered[max(count // 2 - away, 0)], ordered[min(count // 2 + away, count - 1)]


def comparison(where: str, found: Sequence[Pair]) -> str:
    """Write pairs as a table."""
    more, least, most = middle([pair.more_us for pair in found])
    lost, low, high = middle([pair.lost for pair in found])
    rows = [
        ("without the library", spread([pair.without for pair in found], 0) + " us"),
        ("with it", spread([pair.with_it for pair in found], 0) + " us"),
        ("more, median of pairs (95 % interval)", f"{more:.0f} us ({least:.0f} to {most:.0f})"),
        ("less throughput of a busy core (95 % interval)", f"{lost:.1%} ({low:.1%} to {high:.1%})"),
    ]
    return markdown((f"{where}, {len(found)} pairs", "processor time of a request (min / median / max)"), rows)


async def share_of_throughput(rounds: int, requests: int) -> AsyncIterator[str]:
    """Compare the demo server with and without the library: one that is switched, and two of them."""
    python = model_python()
    with TemporaryDirectory() as folder:
        models = Path(folder)
        train(python, models)
        async with served(python, models, "bench.switched", {}) as server:

            async def switched(is_on: bool) -> Server:
                await switch(server, is_on=is_on)
                return server

            yield comparison("one server, switched", await pairs(rounds, requests, switched))
        async with (
            served(python, models, "demo.model.serve", {"MODEL_INSTRUMENT": "off"}) as plain,
            served(python, models, "demo.model.serve", {"MODEL_INSTRUMENT": "on"}) as instrumented,
        ):

            async def either(is_on: bool) -> Server:
                return instrumented if is_on else plain

            yield comparison("two servers", await pairs(rounds, requests, either))


async def print_share(rounds: int, requests: int) -> None:
    """Print the second part, each table as soon as it is there."""
    async for table in share_of_throughput(rounds, requests):
        click.echo(f"{table}\n\nload {' '.join(f'{load:.1f}' for load in os.getloadavg())}\n")


@click.command(help=__doc__)
@click.option("--rounds", default=120, show_default=True, help="Pairs of measurements of the demo's server.")
@click.option(
    "--requests",
    default=2000,
    show_default=True,
    help="Requests of one measurement, to each of which the page is read once: what a busy core answers in 2 seconds.",
)
@click.option("--calls-only", is_flag=True, help="Leave the demo's server out; needs no network.")
def main(rounds: int, requests: int, calls_only: bool) -> None:
    """Print all tables."""
    click.echo(f"{machine()}\n\n{call_times()}\n")
    if not calls_only:
        asyncio.run(print_share(rounds, requests))


if __name__ == "__main__":
    main()
