"""Verbs that ask something of a rollout: each is one entry in ``spec.commands``, and its answer is waited for."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from seatrial.api.commands import Verb
from seatrial.api.fields import format_duration, format_time, parse_time
from seatrial.cli.formats import DURATION
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
from seatrial.cli.plugin.read import form_option
from seatrial.cli.plugin.view import view_of
from seatrial.kube.errors import Gone, Refused
from seatrial.rollout.steps import current_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seatrial.kube.person import Person

__all__ = ["ASKING", "entries", "gate_of"]

_ANSWERED_WITHIN_S = 30.0


def entries(raw: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make ``spec.commands`` anew: what still waits for an answer, and one more; what was answered goes."""
    answered = {answer["id"] for answer in (raw.get("status") or {}).get("answers") or ()}
    waiting = [entry for entry in raw["spec"].get("commands") or () if entry["id"] not in answered]
    return [*waiting, dict(new)]


def gate_of(raw: Mapping[str, Any]) -> str | None:
    """Tell at which gate a trial stands, so that an approval is for the gate that its giver saw."""
    status = view_of(raw).status
    step = current_step(status) if status.candidate else None
    return step.gate.name if step and step.gate else None


def _verb(verb: Verb, sentence: str, *options: Callable[[Callable[..., Any]], Callable[..., Any]]) -> click.Command:
    """Make the command of a verb; its options are fields of the entry."""

    def command(*, where: Where, name: str, output: str, wait: float, **fields: Any) -> None:  # noqa: ANN401 - click's
        _ask(where, name, _fields(verb, fields), wait_s=wait, output=output)

    command.__doc__ = f"{sentence}\n\nExits 0 when it is done, 1 when it is refused, 3 when no answer comes in time."
    wait = click.option(
        "--wait",
        type=DURATION,
        default=format_duration(_ANSWERED_WITHIN_S),
        show_default=True,
        help="How long to wait for the operator's answer.",
    )
    for option in (wait, form_option, where_options(), *reversed(options), name_argument()):
        command = option(command)
    return click.command(verb.value)(command)


def _fields(verb: Verb, given: Mapping[str, Any]) -> dict[str, Any]:
    """Make an entry from what was given on the command line."""
    fields = {key: value for key, value in given.items() if value is not None}
    if fields.pop("full", False):
        if "gate" in fields:
            raise click.UsageError("--full skips all gates: leave --gate out")
        verb = Verb.PROMOTE_FULL
    lasts_s = fields.pop("lasts", None)
    if verb in {Verb.FREEZE, Verb.OVERRIDE}:
        if (lasts_s is None) == ("until" not in fields):
            raise click.UsageError("say when it ends: either --for 2h or --until 2026-12-24T18:00:00Z")
        fields["until"] = format_time(fields["until"] if lasts_s is None else time.time() + lasts_s)
    return {"verb": verb.value, **fields}


def _ask(where: Where, name: str, fields: dict[str, Any], *, wait_s: float, output: str) -> None:
    answer = reach(_asked(where, name, fields, wait_s))
    if answer is None:
        asked = f"{fields['verb']} stands in spec.commands of {name}"
        within = format_duration(wait_s)
        fail(f"{asked}, and was not answered within {within}: is the operator running?", Exit.TIMEOUT)
    done = answer["outcome"] == "Done"
    if output != "text":
        print_document(answer, output)
    else:
        click.echo(f"{answer['outcome']}: {answer['sentence']}", err=not done)
        if not answer["verified"]:
            click.echo(f"Recorded as asked by {answer['by']}, unverified: no admission policy is in force.", err=True)
    raise SystemExit(int(Exit.DONE if done else Exit.OTHERWISE))


async def _asked(where: Where, name: str, fields: dict[str, Any], wait_s: float) -> dict[str, Any] | None:
    """Put the entry into the object and wait for its answer; None when none comes in time."""
    async with where.connect() as person:
        namespace = where.namespace_of(person)
        new = {"id": f"{fields['verb']}-{secrets.token_hex(5)}", "by": await person.whoami(), **fields}

        def make(raw: dict[str, Any]) -> list[dict[str, Any]]:
            gate = gate_of(raw) if fields["verb"] == Verb.PROMOTE and "gate" not in fields else None
            return entries(raw, {**new, "gate": gate} if gate else new)

        try:
            await person.command(namespace, name, make)
        except Gone:
            fail(f"There is no ModelDeployment {name} in namespace {namespace}.", Exit.UNREACHABLE)
        except Refused as error:
            fail(error.sentence, Exit.OTHERWISE)
        try:
            async with asyncio.timeout(wait_s):
                return await _answer(person, namespace, name, new["id"])
        except TimeoutError:
            return None


async def _answer(person: Person, namespace: str, name: str, identity: str) -> dict[str, Any]:
    async for scene in person.follow("ModelDeployment", namespace, name):
        for raw in scene.objects:
            for answer in status_document(view_of(raw))["status"].get("answers", ()):
                if answer["id"] == identity:
                    return dict(answer)
        if not scene.objects:
            fail("The ModelDeployment was deleted before the operator answered.", Exit.OTHERWISE)
    raise AssertionError("following ends only with the program")


class _Time(click.ParamType[float]):
    """A time as RFC 3339 writes it."""

    name = "time"

    @override
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return parse_time(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write 2026-12-24T18:00:00Z", param, ctx)


REASON = click.option("--reason", help="Why, for those who come after.")
UNTIL = (
    click.option("--for", "lasts", type=DURATION, help="How long: 2h."),
    click.option("--until", type=_Time(), help="When it ends: 2026-12-24T18:00:00Z."),
)

ASKING = (
    _verb(
        Verb.PROMOTE,
        "Open the gate, or pass the step, at which the trial stands. A version that burns is rolled back all the same.",
        click.option("--gate", help="The gate that is meant; the one where the trial stands when absent."),
        click.option("--full", is_flag=True, default=None, help="Skip all steps that are left."),
        REASON,
    ),
    _verb(Verb.PAUSE, "Start no trial and take no step until resumed; judging and rollback go on.", REASON),
    _verb(Verb.RESUME, "Take back a pause or a freeze.", REASON),
    _verb(Verb.ABORT, "Roll the version on trial back.", REASON),
    _verb(Verb.RETRY, "Try the wished version again, although it was rolled back.", REASON),
    _verb(
        Verb.ROLLBACK,
        "Return to a former version.",
        click.option("--to", "version", help="Hash or name of the version; the one before when absent."),
        REASON,
    ),
    _verb(Verb.FREEZE, "Pause until a given time, whatever is applied meanwhile.", *UNTIL, REASON),
    _verb(
        Verb.OVERRIDE,
        "Let verdicts count as Healthy and a spent budget stop nothing, until a given time.",
        *UNTIL,
        click.option("--reason", required=True, help="Why, for those who come after."),
    ),
    _verb(Verb.FALLBACK, "Let spec.fallback answer all requests until restored.", REASON),
    _verb(Verb.RESTORE, "Let the versions answer again, instead of spec.fallback.", REASON),
)
"""Commands that ask."""
