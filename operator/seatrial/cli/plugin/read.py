"""``get``, ``describe`` and ``history``: what there is, once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from seatrial.cli.formats import screen
from seatrial.cli.plugin.reach import (
    Exit,
    Where,
    fail,
    name_argument,
    print_document,
    reach,
    status_document,
    where_options,
)
from seatrial.cli.plugin.show import details, history, listing
from seatrial.cli.plugin.view import Unreadable, View, row, view_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["READING", "form_option"]


def form_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--output text|json|yaml``."""
    return click.option(
        *("-o", "--output"),
        type=click.Choice(["text", "json", "yaml"]),
        default="text",
        show_default=True,
        help="Form of the output.",
    )(command)


@click.command("get")
@name_argument(required=False)
@where_options(everywhere=True)
@form_option
def get_command(*, where: Where, name: str | None, output: str) -> None:
    """Show ModelDeployments, one on each line."""
    if name and where.everywhere:
        raise click.UsageError("a name and --all-namespaces exclude each other")
    views = [reach(_one(where, name))] if name else reach(_all(where))
    if output != "text":
        print_document([row(view) for view in views], output)
    elif views:
        screen().print(listing(views, time.time(), everywhere=where.everywhere))
    else:
        click.echo("No ModelDeployments found.", err=True)


@click.command("describe")
@name_argument()
@where_options()
@form_option
def describe_command(*, where: Where, name: str, output: str) -> None:
    """Tell all about one ModelDeployment: versions, steps, evidence, drift, decisions, commands, conditions."""
    view = reach(_one(where, name))
    if output != "text":
        print_document(status_document(view), output)
    else:
        screen().print(details(view))


@click.command("history")
@name_argument()
@where_options()
@form_option
def history_command(*, where: Where, name: str, output: str) -> None:
    """Tell how versions fared, what was decided and what people asked for; the newest first."""
    view = reach(_one(where, name))
    if output != "text":
        status = status_document(view)["status"]
        print_document({key: status.get(key, []) for key in ("history", "decisions", "answers")}, output)
    else:
        screen().print(history(view))


async def _one(where: Where, name: str) -> View:
    async with where.connect() as person:
        namespace = where.namespace_of(person)
        raw = await person.get("ModelDeployment", namespace, name)
    if raw is None:
        fail(f"There is no ModelDeployment {name} in namespace {namespace}.", Exit.UNREACHABLE)
    return _read(raw)


async def _all(where: Where) -> list[View]:
    async with where.connect() as person:
        found = await person.list("ModelDeployment", None if where.everywhere else where.namespace_of(person))
    return [_read(raw) for raw in found]


def _read(raw: dict[str, Any]) -> View:
    try:
        return view_of(raw)
    except Unreadable as error:
        fail(str(error), Exit.UNREACHABLE)


READING = (get_command, describe_command, history_command)
"""Commands that only look."""
