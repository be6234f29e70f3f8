"""`python -m bench.instrument`: what the instrument library costs a model server.

Two parts: the time of one call, and the share that instrumenting takes of what the demo's model server can serve. The
second part compares requests with the library and without it that follow each other in one server, and does so in
several servers: in each one memory lies in another order, which is worth some microseconds.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from scipy.stats import sem, t  # type: ignore[import-untyped] # scipy ships no types

from bench.report import machine, markdown, spread
from bench.serving import model_python, paired, served, train
from bench.sides import Sides
from seatrial_instrument import Instrument, Options
from seatrial_instrument.profile import from_dataframe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.sides import Times

FEATURES, BATCH = 30, 32
BLOCK = 500
"""Pairs of requests that are averaged: about as many as are counted together."""


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


class Cost(NamedTuple):
    """What one server takes, in microseconds of its processor.

    Attributes
    ----------
    without, with_it
        For a request, without the library and with it.
    page
        What the library adds to the metrics page.
    """

    without: float
    with_it: float
    page: float

    def more(self, requests: int) -> float:
        """Return what the library takes for a request when the page is read once for so many."""
        return self.with_it - self.without + self.page / requests

    def lost(self, requests: int) -> float:
        """Return the share of a busy core's throughput that the library takes."""
        return self.more(requests) / (self.without + self.more(requests))


def cost(times: Times) -> Cost:
    """Reduce a server's times: blocks keep what comes up once in many requests, their median drops what is rarer."""
    off, on = (np.array(side).reshape(-1, BLOCK).mean(axis=1) for side in times.requests)
    page = np.median(np.subtract(times.pages.on, times.pages.off))
    more = np.median(on - off)
    return Cost(*(float(ns) / 1e3 for ns in (np.median(off), np.median(off) + more, page)))


def interval(figures: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean and its 95 % interval (Student)."""
    mean = float(np.mean(figures))
    low, high = t.interval(0.95, len(figures) - 1, loc=mean, scale=sem(figures))
    return mean, float(low), float(high)


async def costs(servers: int, blocks: int, requests: int) -> list[Cost]:
    """Measure some servers one after the other; each has its memory in another order."""
    python, found = model_python(), []
    with TemporaryDirectory() as folder:
        models = Path(folder)
        train(python, models)
        for _ in range(servers):
            async with served(python, models) as url:
                times = await paired(url, (blocks + 1) * BLOCK, requests)
            warm = [side[BLOCK:] for side in times.requests]  # the first block warms up
            found.append(cost(times._replace(requests=Sides(*warm))))
    return found


def share_of_throughput(found: Sequence[Cost], requests: int) -> str:
    """Write what servers took as a table."""
    more, least, most = interval([one.more(requests) for one in found])
    lost, low, high = interval([one.lost(requests) for one in found])
    rows = [
        ("without the library, smallest / median / largest", spread([one.without for one in found], 0) + " us"),
        ("with it", spread([one.with_it for one in found], 0) + " us"),
        ("its part of the metrics page", spread([one.page for one in found], 0) + " us"),
        ("more, mean (95 % interval)", f"{more:.1f} us ({least:.1f} to {most:.1f})"),
        ("less throughput of a busy core, mean (95 % interval)", f"{lost:.1%} ({low:.1%} to {high:.1%})"),
    ]
    return markdown((f"{len(found)} servers of the demo", "processor time of a request"), rows)


@click.command(help=__doc__)
@click.option("--servers", default=10, show_default=True, help="Servers to start, one after the other.")
@click.option("--blocks", default=8, show_default=True, help=f"Times {BLOCK} requests to ask each, with and without.")
@click.option(
    "--requests",
    default=2000,
    show_default=True,
    help="Requests to each of which the metrics page is read once: what a busy core answers in 2 seconds.",
)
@click.option("--calls-only", is_flag=True, help="Leave the demo's server out; needs no network.")
def main(servers: int, blocks: int, requests: int, calls_only: bool) -> None:
    """Print all tables."""
    click.echo(f"{machine()}\n\n{call_times()}\n")
    if not calls_only:
        click.echo(share_of_throughput(asyncio.run(costs(servers, blocks, requests)), requests))
        click.echo(f"\nload {' '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
