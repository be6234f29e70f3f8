"""``watch``: what there is, as it changes, on a screen that is redrawn or, without a terminal, line by line."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from seatrial.api.fields import format_duration
from seatrial.cli.formats import DURATION, screen
from seatrial.cli.plugin.ending import Ending, Until, Waiting
from seatrial.cli.plugin.evidence import evidence
from seatrial.cli.plugin.reach import Exit, Where, fail, name_argument, reach, where_options
from seatrial.cli.plugin.show import decisions, headline, listing, steps, versions
from seatrial.cli.plugin.view import Unreadable, View, clock_time, view_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console, RenderableType

    from seatrial.kube.person import Scene

__all__ = ["watch_command"]

_REDRAWS_PER_S = 4


class Output(Protocol):
    """Where scenes are shown."""

    def show(self, views: list[View], problem: str | None) -> None:
        """Show what there is now."""


@click.command("watch")
@name_argument(required=False)
@where_options(everywhere=True)
@click.option("--until", type=click.Choice([each.value for each in Until]), help="End when this has come.")
@click.option("--timeout", type=DURATION, help="Give up after this time: 10m.")
@click.option("--plain", is_flag=True, help="Print a line for each change, as without a terminal.")
def watch_command(*, where: Where, name: str | None, until: str | None, timeout: float | None, plain: bool) -> None:
    """Look on: one ModelDeployment with its steps and evidence, or without NAME all of them.

    With --until it exits 0 when that has come, 1 when it ended otherwise, 3 when --timeout is over, and 4 when the
    cluster can't be reached or has no such object.
    """
    if until and not name:
        raise click.UsageError("--until needs the name of a ModelDeployment")
    if name and where.everywhere:
        raise click.UsageError("a name and --all-namespaces exclude each other")
    ending = reach(_watch(where, name, Waiting(Until(until)) if until else None, timeout, plain=plain))
    if ending is None:
        late = format_duration(timeout or 0)
        fail(f"Not {until} within {late}." if until else f"{late} are over.", Exit.TIMEOUT if until else Exit.DONE)
    click.echo(f"{until}: {ending.sentence}" if ending.reached else f"Not {until}: {ending.sentence}", err=True)
    raise SystemExit(int(Exit.DONE if ending.reached else Exit.OTHERWISE))


async def _watch(
    where: Where, name: str | None, waiting: Waiting | None, timeout_s: float | None, *, plain: bool
) -> Ending | None:
    """Show scenes until the end of the wait; None when time is over first."""
    console = screen()
    with contextlib.suppress(TimeoutError):
        async with where.connect() as person, asyncio.timeout(timeout_s):
            namespace = None if where.everywhere else where.namespace_of(person)
            scenes = person.follow("ModelDeployment", namespace, name)
            with _output(console, one=bool(name), lines=plain or not console.is_terminal) as output:
                first = True
                async for scene in scenes:
                    if first and name and not scene.objects:
                        fail(f"There is no ModelDeployment {name} in namespace {namespace}.", Exit.UNREACHABLE)
                    first = False
                    views = _views(scene)
                    output.show(views, scene.problem)
                    if name and not views:
                        return Ending(reached=False, sentence="the ModelDeployment was deleted")
                    if waiting:
                        waiting, ending = waiting.look(views[0])
                        if ending:
                            return ending
    return None


def _views(scene: Scene) -> list[View]:
    try:
        return [view_of(raw) for raw in scene.objects]
    except Unreadable as error:
        fail(str(error), Exit.UNREACHABLE)


def _output(console: Console, *, one: bool, lines: bool) -> AbstractContextManager[Output]:
    return _lines() if lines else _screen(console, one=one)


@contextlib.contextmanager
def _lines() -> Iterator[Output]:
    yield Lines({})


@contextlib.contextmanager
def _screen(console: Console, *, one: bool) -> Iterator[Output]:
    with Live(console=console, refresh_per_second=_REDRAWS_PER_S, vertical_overflow="crop") as live:
        yield Screen(live, one=one)


@dataclass(slots=True)
class Screen:
    """A screen that is redrawn."""

    live: Live
    one: bool

    def show(self, views: list[View], problem: str | None) -> None:
        """Draw what there is now."""
        shown = panel(views[0]) if self.one and views else listing(views, time.time(), everywhere=True)
        self.live.update(Group(shown, Text(problem or "", style="yellow")))


@dataclass(slots=True)
class Lines:
    """One line for each change.

    Attributes
    ----------
    told
        What was told last, by namespace and name.
    """

    told: dict[tuple[str, str], str]

    def show(self, views: list[View], problem: str | None) -> None:
        """Print what has changed since the last scene."""
        if problem:
            click.echo(f"{clock_time(time.time())}  {problem}", err=True)
        for view in views:
            key, said = (view.namespace, view.name), line(view)
            if self.told.get(key) != said:
                self.told[key] = said
                click.echo(f"{clock_time(time.time())}  {said}")
        here = {(view.namespace, view.name) for view in views}
        for key in [key for key in self.told if key not in here]:
            click.echo(f"{clock_time(time.time())}  {'/'.join(key)}: deleted")
            del self.told[key]


def line(view: View) -> str:
    """Say in one line what goes on: ``ml/scorer Trial 2/4, weight 10 %, Healthy: version 8 ...``."""
    status = view.status
    parts = [f"{status.phase.value} {status.step}".strip()]
    parts += [f"weight {status.weight} %"] if status.candidate else []
    parts += [status.verdict] if status.candidate and status.verdict else []
    return f"{view.namespace}/{view.name} {', '.join(parts)}: {status.summary}"


def panel(view: View) -> RenderableType:
    """Make what ``watch`` shows of one ModelDeployment."""
    status = view.status
    parts: list[RenderableType] = [headline(view), Text(), versions(view)]
    if marked := steps(view):
        parts += [Text(), marked]
    if status.candidate and status.trial and status.trial.evidence:
        parts += [Text(), evidence(status.trial)]
    if status.decisions:
        parts += [Text(), decisions(view, 4)]
    return Group(*parts)
