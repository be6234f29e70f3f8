"""The way to the cluster: options that all commands share, what goes wrong, and completion of names."""

from __future__ import annotations

import asyncio
import functools
import json
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
import yaml

from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.kube.errors import KubeError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from seatrial.cli.plugin.view import View
    from seatrial.kube.person import Person

__all__ = [
    "Exit",
    "Where",
    "complete_name",
    "fail",
    "name_argument",
    "print_document",
    "reach",
    "status_document",
    "where_options",
]

T = TypeVar("T")
INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C ended."""
_COMPLETION_S = 3.0
"""Nobody waits longer for a tab key."""


class Exit(IntEnum):
    """What a command ends with; scripts count on it."""

    DONE = 0
    """Done, or what was waited for has come."""
    OTHERWISE = 1
    """Refused, or it came otherwise than was waited for."""
    USAGE = 2
    """The command line makes no sense (click's own)."""
    TIMEOUT = 3
    """Neither has come in time."""
    UNREACHABLE = 4
    """The cluster does not answer, does not let you look, or has no such object."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which cluster and namespace; None for the kubeconfig's own."""

    context: str | None = None
    namespace: str | None = None
    everywhere: bool = False

    def connect(self, *, deadline_s: float = 10.0) -> Person:
        """Make the connection, to be used in an ``async with`` block."""
        from seatrial.kube.person import Person  # noqa: PLC0415 - takes a second, that other commands need not wait

        return Person(deadline_s=deadline_s, context=self.context)

    def namespace_of(self, person: Person) -> str:
        """Tell the namespace that is meant."""
        return self.namespace or person.namespace


def where_options(*, everywhere: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--namespace`` and ``--context``, and ``--all-namespaces`` where it makes sense; they come as ``where``."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_where(**options: Any) -> Any:  # noqa: ANN401 - click's own parameters
            given = {key: options.pop(key) for key in ("context", "namespace", "everywhere") if key in options}
            return command(where=Where(**given), **options)

        options = [
            click.option("-n", "--namespace", help="Namespace; that of the kubeconfig's context when absent."),
            click.option("--context", help="Context of the kubeconfig; the current one when absent."),
        ]
        if everywhere:
            options.append(
                click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Look into all namespaces.")
            )
        for option in options:
            with_where = option(with_where)
        return with_where

    return add


def name_argument(*, required: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the argument NAME, a ModelDeployment; the tab key completes it."""
    return click.argument("name", required=required, shell_complete=complete_name)


def complete_name(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """List the ModelDeployments that begin like this; none when the cluster can't be asked."""
    given = {key: context.params.get(key) for key in ("context", "namespace")}
    where = Where(given["context"], given["namespace"])

    async def names() -> list[str]:
        async with where.connect(deadline_s=_COMPLETION_S) as person:
            found = await person.list("ModelDeployment", where.namespace_of(person))
        return [name for raw in found if (name := raw["metadata"]["name"]).startswith(incomplete)]

    try:
        return asyncio.run(names())
    except KubeError:
        return []


def reach(doing: Coroutine[Any, Any, T]) -> T:
    """Do something with the cluster; what goes wrong ends the program with one sentence."""
    try:
        return asyncio.run(doing)
    except KubeError as error:
        fail(error.sentence, Exit.UNREACHABLE)
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


def fail(sentence: str, code: Exit) -> NoReturn:
    """End the program with a sentence on standard error."""
    click.echo(sentence, err=True)
    raise SystemExit(int(code))


def status_document(view: View) -> dict[str, Any]:
    """Write a status as the API does, with the names of what it belongs to."""
    return {"namespace": view.namespace, "name": view.name, "status": dump(DEPLOYMENT_STATUS, view.status)}


def print_document(document: object, form: str) -> None:
    """Print a document of plain values as ``json`` or ``yaml``."""
    if form == "json":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
