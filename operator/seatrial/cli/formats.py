"""What all commands share: how values are written on the command line and in the terminal."""

from __future__ import annotations

import json
import math
import time
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from typing_extensions import override

from seatrial.api.fields import parse_duration, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DECIMAL",
    "DURATION",
    "MOMENT",
    "output_option",
    "print_json",
    "progress_bar",
    "prometheus_options",
    "screen",
    "seconds",
]


class _Decimal(click.ParamType[Decimal]):
    name = "number"

    @override
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not number.is_finite():
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class _Duration(click.ParamType[float]):
    name = "duration"

    @override
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            duration_s = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if duration_s <= 0:
            self.fail(f"{value!r} must be longer than 0", param, ctx)
        return duration_s


class _Moment(click.ParamType[float]):
    name = "time"

    @override
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return time.time() - parse_duration(value)
        except ValueError:
            pass
        try:
            return parse_time(value)
        except ValueError:
            self.fail(
                f"{value!r} is neither a time such as 2026-03-01T12:00:00Z nor how long ago it was, such as 2h",
                param,
                ctx,
            )


DECIMAL = _Decimal()
"""An exact decimal number, such as 99.9."""
DURATION = _Duration()
"""A duration above 0, such as 30s or 10m; seconds inside."""
MOMENT = _Moment()
"""A time, or how long ago it was; Unix seconds inside."""


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--output text|json``."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Form of the output.",
    )(command)


def prometheus_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--prometheus URL`` and ``--prometheus-dir FOLDER``."""
    folder = click.option(
        "--prometheus-dir",
        "folder",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder with url, token, ca.crt and so on, as the operator's Secret.",
    )
    url = click.option(
        "--prometheus",
        "url",
        envvar=["SEATRIAL_PROMETHEUS_URL", "SEATRIAL_PROMETHEUS"],
        show_envvar=True,
        help="Base URL of the Prometheus to read.",
    )
    return url(folder(command))


def screen() -> Console:
    """Return the terminal; wide enough for the tables when the output goes to a file."""
    # Sentences come from people and clusters: brackets and colons are no markup.
    console = Console(markup=False, emoji=False)
    return console if console.is_terminal else Console(width=160, markup=False, emoji=False)


def progress_bar(*, shown: bool) -> Progress:
    """Return a progress bar on standard error, so that the output stays clean."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown)


def print_json(document: object) -> None:
    """Print a document of dataclasses, lists and numbers as JSON; what is no finite number becomes null."""
    click.echo(json.dumps(_plain(document), indent=2, ensure_ascii=False))


def seconds(duration_s: float | None) -> str:
    """Write a duration for a table: ``8.3 s``, ``12 min``, ``2.7 h``, ``3.1 d``, ``never``."""
    if duration_s is None or math.isinf(duration_s):
        return "never"
    for unit_s, unit, from_s in ((86400.0, "d", 172800.0), (3600.0, "h", 5400.0), (60.0, "min", 90.0)):
        if duration_s >= from_s:
            return f"{duration_s / unit_s:.3g} {unit}"
    return f"{duration_s:.2g} s"


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
