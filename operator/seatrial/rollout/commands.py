"""Commands: what a person asks is done once, or refused with a sentence, in whatever phase it comes.

``obey`` takes the oldest command that has no answer yet, and answers it. What a command wants of the phase machine (a
promotion, an abort, a return) it leaves as an order in the status, and a row of the table carries it out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from seatrial.api.commands import Answer, Hold, Verb
from seatrial.api.drift import RETRAIN_GATE
from seatrial.api.fields import format_time
from seatrial.api.status import UNDERWAY, Phase
from seatrial.api.trial import Order, Return, Trial
from seatrial.rollout.aftermath import formers
from seatrial.rollout.retrain import approved, waiting
from seatrial.rollout.steps import current_step
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.commands import Command
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import VersionRef
    from seatrial.rollout.world import World

    Done = tuple[ModelDeploymentStatus, str]
    """The status after a command, and what was done."""

MAX_ANSWERS = 32


class Unlawful(Exception):  # noqa: N818 - not an error of the operator: the answer to a person
    """Why a command can't be obeyed now."""


def obey(status: ModelDeploymentStatus, world: World) -> ModelDeploymentStatus:
    """Carry out or refuse the first command that has no answer; the same status when there is none."""
    answered = {answer.id for answer in status.answers}
    command = next((asked for asked in world.commands if asked.id not in answered), None)
    if command is None:
        return status
    outcome: Literal["Done", "Refused"] = "Done"
    try:
        after, sentence = RULES[command.verb](status, world, command)
    except Unlawful as refusal:
        after, sentence, outcome = status, str(refusal), "Refused"
    answer = Answer(
        id=command.id,
        verb=command.verb,
        by=command.by,
        verified=world.attested,
        at=world.now_s,
        outcome=outcome,
        sentence=sentence,
        reason=command.reason,
    )
    asked = {known.id for known in world.commands}
    # A command that still stands in the spec must keep its answer: it is what keeps it from being done twice.
    old = [known for i, known in enumerate(status.answers) if known.id in asked or i < MAX_ANSWERS - 1 - len(asked)]
    return replace(after, answers=(answer, *old)[:MAX_ANSWERS])


def pending(status: ModelDeploymentStatus, world: World) -> bool:
    """Tell whether a command waits for its answer."""
    answered = {answer.id for answer in status.answers}
    return any(command.id not in answered for command in world.commands)


def _promote(status: ModelDeploymentStatus, world: World, command: Command) -> Done:
    if command.gate == RETRAIN_GATE:
        return _approve_retraining(status, world, command)
    trial = _trial(status, {Phase.TRIAL}, "promote: no trial is at a step or a gate")
    _not_held(status, world)
    step = current_step(status)
    gate = step.gate if step else None
    if command.gate and (not gate or gate.name != command.gate):
        where = f"gate {gate.name}" if gate else f"step {trial.step_index + 1}, which is no gate"
        raise Unlawful(f"gate {command.gate} is not where the trial stands: it stands at {where}")
    if not gate:
        return _ordered(status, trial, command, f"step {trial.step_index + 1} is passed")
    if command.by in trial.approvals:
        raise Unlawful(f"{command.by} has already said promote at gate {gate.name}")
    approvals = (*trial.approvals, command.by)
    missing = gate.approvals - len(approvals)
    said = f"gate {gate.name} is open" if missing <= 0 else f"gate {gate.name} waits for {missing} more"
    return replace(status, trial=replace(trial, approvals=approvals)), said


def _approve_retraining(status: ModelDeploymentStatus, world: World, command: Command) -> Done:
    call = waiting(status.drift)
    if not status.drift or not call:
        raise Unlawful(f"gate {RETRAIN_GATE}: no retraining waits for approval")
    if command.by in call.approvals:
        raise Unlawful(f"{command.by} has already said promote at gate {RETRAIN_GATE}")
    found = approved(status.drift, command.by, world.now_s)
    missing = call.needs - len(call.approvals) - 1
    said = "retraining is asked for" if missing <= 0 else f"gate {RETRAIN_GATE} waits for {missing} more"
    return replace(status, drift=found), said


def _promote_full(status: ModelDeploymentStatus, world: World, command: Command) -> Done:
    trial = _trial(status, {Phase.STARTING, Phase.TRIAL}, "promote-full: no trial has steps left")
    _not_held(status, world)
    return _ordered(status, trial, command, "all steps that are left are skipped")


def _abort(status: ModelDeploymentStatus, _: World, command: Command) -> Done:
    late = f", rollback returns to version {status.label_watch.former.label}" if status.label_watch else ""
    trial = _trial(status, UNDERWAY, f"abort: nothing is on trial{late}")
    return _ordered(status, trial, command, f"version {trial.version.label} is rolled back")


def _pause(status: ModelDeploymentStatus, world: World, command: Command) -> Done:
    if status.paused:
        raise Unlawful(f"pause: {status.paused.by} has paused it already")
    hold = Hold(by=command.by, at=world.now_s, reason=command.reason)
    return replace(status, paused=hold), "nothing starts and no step is taken until resume; judging goes on"


def _resume(status: ModelDeploymentStatus, world: World, _: Command) -> Done:
    if not status.paused:
        spec = isinstance(world.wish, Wish) and world.wish.paused
        raise Unlawful("resume: spec.paused is true, take it out there" if spec else "resume: nothing is paused")
    return replace(status, paused=None), "the rollout goes on"


def _freeze(status: ModelDeploymentStatus, world: World, command: Command) -> Done:
    until = _future(world, command)
    hold = Hold(by=command.by, at=world.now_s, reason=command.reason, until=until)
    return replace(status, paused=hold), f"nothing starts and no step is taken until {format_time(until)}"


def _override(status: ModelDeploymentStatus, world: World, command: Command) -> Done:
    until = _future(world, command)
    hold = Hold(by=command.by, at=world.now_s, reason=command.reason, until=until)
    return replace(status, override=hold), f"verdicts count as Healthy until {format_time(until)}"


def _fallback(status: ModelDeploymentStatus, world: World, command: Command) -> Done:
    known = world.wish.fallback if isinstance(world.wish, Wish) else None
    if not known:
        raise Unlawful("fallback: spec.fallback names none")
    if status.fallback:
        raise Unlawful(f"fallback: {status.fallback.by} has switched to it already")
    hold = Hold(by=command.by, at=world.now_s, reason=command.reason)
    return replace(status, fallback=hold), f"Service {known.name} answers all requests until restore"


def _restore(status: ModelDeploymentStatus, _: World, __: Command) -> Done:
    if not status.fallback:
        raise Unlawful("restore: the fallback was not switched to")
    return replace(status, fallback=None, paging_since=None), "versions answer again"


def _retry(status: ModelDeploymentStatus, world: World, _: Command) -> Done:
    if not isinstance(world.wish, Wish):
        raise Unlawful(f"retry: {world.wish.sentence}")
    if world.wish.version not in status.quarantined:
        raise Unlawful(f"retry: version {world.wish.label} was not rolled back")
    left = tuple(version for version in status.quarantined if version != world.wish.version)
    return replace(status, quarantined=left), f"version {world.wish.label} may be tried again"


def _rollback(status: ModelDeploymentStatus, world: World, command: Command) -> Done:
    if status.phase in UNDERWAY and status.stable:
        if status.trial and status.trial.returning and not command.version:
            raise Unlawful(f"rollback: version {status.trial.version.label} is on its way back; abort ends that")
        if command.version and command.version not in {status.stable.hash, status.stable.label}:
            raise Unlawful(f"rollback: a version is on trial: only stable ({status.stable.label}) can be returned to")
        return _abort(status, world, command)
    if status.phase not in {Phase.STABLE, Phase.ROLLED_BACK} or not status.stable:
        raise Unlawful("rollback: nothing has been deployed yet")
    if not isinstance(world.wish, Wish):
        raise Unlawful(f"rollback: {world.wish.sentence}")
    former = _former(status, world, command.version)
    done = f"version {former.label} ({former.hash}) is started again and gets all requests once it is ready"
    return replace(status, return_to=Return(former, _asked(command))), done


def _former(status: ModelDeploymentStatus, world: World, asked: str | None) -> VersionRef:
    """Find the former version that is meant, among those that still have a Deployment."""
    known = formers(status, world)
    found = [version for version in known if asked is None or asked in {version.hash, version.label}]
    if not found:
        names = ", ".join(f"{version.label} ({version.hash})" for version in known) or "none"
        raise Unlawful(f"rollback: {asked or 'a former version'} is not there any more; to be returned to: {names}")
    return found[0]


def _trial(status: ModelDeploymentStatus, phases: frozenset[Phase] | set[Phase], otherwise: str) -> Trial:
    if status.phase not in phases or not status.trial:
        raise Unlawful(f"{otherwise} (phase {status.phase})")
    return status.trial


def _not_held(status: ModelDeploymentStatus, world: World) -> None:
    if status.paused or (isinstance(world.wish, Wish) and world.wish.paused):
        by = f" by {status.paused.by}" if status.paused else " in the spec"
        raise Unlawful(f"the rollout is paused{by}: resume it first")


def _ordered(status: ModelDeploymentStatus, trial: Trial, command: Command, done: str) -> Done:
    return replace(status, trial=replace(trial, ordered=Order(command.verb, _asked(command)))), done


def _asked(command: Command) -> str:
    why = f": {command.reason}" if command.reason else ""
    return f"{command.by} asked for it{why}"


def _future(world: World, command: Command) -> float:
    if command.until is None or command.until <= world.now_s:
        raise Unlawful(f"{command.verb.value}: `until` has passed already")
    return command.until


RULES: dict[Verb, Callable[[ModelDeploymentStatus, World, Command], Done]] = {
    Verb.PROMOTE: _promote,
    Verb.PROMOTE_FULL: _promote_full,
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.ABORT: _abort,
    Verb.RETRY: _retry,
    Verb.ROLLBACK: _rollback,
    Verb.FREEZE: _freeze,
    Verb.OVERRIDE: _override,
    Verb.FALLBACK: _fallback,
    Verb.RESTORE: _restore,
}
"""What each verb does; a verb without a rule is a fault that a test finds."""
