"""The phase machine: every move a ModelDeployment can make stands in this file, in one table.

Theory of operation
-------------------
A ModelDeployment has at most two versions that matter: *stable*, the last one that was fully promoted, and a
*candidate* on its way. What the phases mean for traffic and pods is in target.py; this file says only when one phase
follows another, and what is remembered on the way.

``decide`` is called again and again with the status that the last call made and with what the world looks like now. It
first notes what was seen (is the weight in the route? since when are pods missing? which versions have drained?), then
takes the first move of ``TRANSITIONS`` whose phase fits and whose guard gives a sentence. At most one move per call: if
another one is due, the next look follows at once.

The order of the table is the order of precedence:

* A rollback comes first, for the reasons listed in faults.py. Nothing else (a pause, an edited spec, a metrics outage,
  a missing readiness) is asked before it, and it takes one move from any step to weight 0.
* A changed wish comes second: a candidate that nobody wants any more loses its traffic before anything else is tried.
* Then a version that somebody returns to, or whose steps somebody skips: such a command is as good as a wish.
* Only then may a rollout go on. All such moves ask that the user has not paused and that the spec can be used. A step
  is over when it lasted long enough *and* every objective is Healthy; NoData, Unavailable, Inconclusive and Environment
  hold the weight where it is, until the strategy's deadline says otherwise.

A candidate that has all requests may still be watched (phase Watching): it is judged on, and stable keeps its pods, so
that a rollback stays one move. It is called stable only after that. Labels may find it at fault even later, when the
version before has no pods any more: that one is started again, as if somebody returned to it (aftermath.py). Commands
of people are obeyed before the table is asked; what they leave is an order that one of its rows carries out.

Two special cases win over simplicity:

* A status that was lost (a backup restored without it) is rebuilt from the route: the version that carries the traffic
  is stable. Otherwise the wished version would replace it without a trial.
* A rolled-back version stays in ``quarantined``. Applying it again starts nothing; applying stable again is the way out
  of RolledBack, and so is anything new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seatrial.api.status import UNDERWAY, Phase
from seatrial.rollout import adoption, aftermath, faults, guards, moves
from seatrial.rollout.commands import obey, pending
from seatrial.rollout.copies import remembered
from seatrial.rollout.decision import Decision, Notice
from seatrial.rollout.fallback import switches_in_s
from seatrial.rollout.notices import notices
from seatrial.rollout.record import recorded
from seatrial.rollout.report import report
from seatrial.rollout.seen import in_line, note
from seatrial.rollout.target import drain_s, intended_weight, still_draining, target
from seatrial.rollout.windows import closed
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Target
    from seatrial.rollout.guards import Guard
    from seatrial.rollout.world import World

    Move = Callable[[ModelDeploymentStatus, World, str], ModelDeploymentStatus]


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table: in these phases, when the guard gives a sentence, make the move and tell it."""

    name: str
    phases: frozenset[Phase]
    guard: Guard
    move: Move
    to: Phase
    event: str
    warning: bool = False


IN_LINE_S = 1.0
"""Seconds between two looks whether it is a wish's turn; they ask nobody."""

P = Phase
TRANSITIONS = (
    *(
        Transition(
            one.name, one.phases, faults.enforced(one.guard), moves.roll_back, P.ROLLED_BACK, "RolledBack", warning=True
        )
        for one in faults.FAULTS
    ),
    Transition("aborted", UNDERWAY, faults.aborted, moves.roll_back, P.ROLLED_BACK, "RolledBack", warning=True),
    Transition("superseded", UNDERWAY - {P.WATCHING}, guards.superseded, moves.drop_candidate, P.STABLE, "Superseded"),
    Transition(
        "stable wished back",
        frozenset({P.WATCHING}),
        guards.stable_wished_back,
        moves.drop_candidate,
        P.STABLE,
        "Superseded",
    ),
    Transition(
        "watch cut short", frozenset({P.WATCHING}), guards.another_wished, moves.promote, P.STABLE, "WatchEnded"
    ),
    Transition(
        "superseded at first",
        frozenset({P.DEPLOYING}),
        guards.superseded,
        moves.drop_candidate,
        P.PENDING,
        "Superseded",
    ),
    Transition("status lost", frozenset({P.PENDING}), guards.route_serves, moves.recover, P.STABLE, "Recovered"),
    Transition("first version", frozenset({P.PENDING}), guards.first, moves.begin, P.DEPLOYING, "Deploying"),
    Transition("first ready", frozenset({P.DEPLOYING}), guards.first_ready, moves.promote, P.STABLE, "Deployed"),
    Transition(
        "return asked",
        frozenset({P.STABLE, P.ROLLED_BACK}),
        guards.return_asked,
        moves.begin_return,
        P.STARTING,
        "Returning",
        warning=True,
    ),
    Transition(
        "late labels",
        frozenset({P.STABLE, P.ROLLED_BACK}),
        faults.enforced(aftermath.late_labels),
        moves.begin_rollback,
        P.STARTING,
        "RollingBack",
        warning=True,
    ),
    Transition(
        "back to stable", frozenset({P.ROLLED_BACK}), guards.stable_wished, moves.rest, P.STABLE, "BackToStable"
    ),
    Transition(
        "new version",
        frozenset({P.STABLE, P.ROLLED_BACK}),
        guards.new_version,
        moves.begin,
        P.STARTING,
        "TrialStarting",
    ),
    Transition(
        "straight on",
        frozenset({P.STARTING, P.TRIAL}),
        guards.straight_on,
        moves.all_traffic,
        P.PROMOTING,
        "Promoting",
    ),
    Transition("seaworthy", frozenset({P.STARTING}), guards.may_get_weight, moves.first_step, P.TRIAL, "StepStarted"),
    Transition("step passed", frozenset({P.TRIAL}), guards.step_passed, moves.next_step, P.TRIAL, "StepStarted"),
    Transition(
        "last step passed", frozenset({P.TRIAL}), guards.last_step_passed, moves.all_traffic, P.PROMOTING, "Promoting"
    ),
    Transition(
        "former is back",
        frozenset({P.PROMOTING}),
        aftermath.former_is_back,
        moves.promote,
        P.ROLLED_BACK,
        "RolledBack",
        warning=True,
    ),
    Transition("to be watched", frozenset({P.PROMOTING}), guards.to_be_watched, moves.watch, P.WATCHING, "Watching"),
    Transition("watch over", frozenset({P.WATCHING}), guards.watch_over, moves.promote, P.STABLE, "Promoted"),
    Transition(
        "all traffic seen", frozenset({P.PROMOTING}), guards.all_traffic_seen, moves.promote, P.STABLE, "Promoted"
    ),
)
"""All moves, in order of precedence; the diagram in the guide is drawn from here."""
ROLLBACKS = tuple(row.name for row in TRANSITIONS if row.move in {moves.roll_back, moves.begin_rollback})
"""The rows that find a version at fault."""


def decide(status: ModelDeploymentStatus, world: World, *, look_s: float) -> Decision:
    """Decide what follows from a status and from what the world looks like.

    Parameters
    ----------
    status
        The status as last recorded.
    world
        What was observed, all at ``world.now_s``.
    look_s
        Seconds between two looks at a version that gets traffic.

    Returns
    -------
    Decision
        Deciding again on the decision's own status in the same world gives no further move, unless one is due.
    """
    before = status
    status = obey(note(status, world), world)
    world = _as_commanded(status, world)
    status = in_line(status, world)
    if world.incumbent or status.adoption:
        status = adoption.follow(status, world, target(status, world).division, drain_s(status, world))
    taken: Transition | None = None
    sentence = ""
    for row in TRANSITIONS:
        if status.phase in row.phases and (found := row.guard(status, world)):
            taken, sentence = row, found
            seen = status
            status = replace(row.move(seen, world, found), phase=row.to)
            status = replace(status, copies=remembered(seen, status, world.now_s))
            break
    wanted = target(status, world)
    status = report(status, world, wanted)
    moved = Notice("Warning" if taken.warning else "Normal", taken.event, sentence) if taken else None
    if moved:
        status = replace(status, decisions=recorded(status, moved, world, wanted))
    return Decision(
        status=status,
        target=wanted,
        notices=notices(before, status, moved),
        look_again_s=0.0 if taken or pending(status, world) else _look_again_s(status, world, look_s),
        urgent=_rescues(before, status, world, wanted),
        move=taken.name if taken else "",
    )


def _rescues(before: ModelDeploymentStatus, after: ModelDeploymentStatus, world: World, wanted: Target) -> bool:
    """Tell whether weight is taken from a version that was rolled back, now or in a tick that could not finish."""
    rolled_back = after.phase is P.ROLLED_BACK and before.phase is not P.ROLLED_BACK
    if rolled_back and intended_weight(before):
        return True
    routed = world.route.weights if world.route else {}
    return any(routed.get(version, 0) > wanted.weights.get(version, 0) for version in after.quarantined)


def _as_commanded(status: ModelDeploymentStatus, world: World) -> World:
    """Let what people have said by commands count, while it holds."""
    wish = world.wish
    if isinstance(wish, Wish) and status.paused:
        wish = replace(wish, paused=True)
    return replace(world, wish=wish, override=status.override)


def _look_again_s(status: ModelDeploymentStatus, world: World, look_s: float) -> float | None:
    """Say when to look again without being woken: nothing is polled while nothing is underway."""
    if status.phase in UNDERWAY:
        return look_s
    if status.queued:
        return IN_LINE_S
    if adoption.underway(status):
        return adoption.LOOK_S
    waits = list(still_draining(status, world.now_s, drain_s(status, world)).values())
    if status.phase is P.DEPLOYING or (status.draining and not waits):
        waits.append(1.0)
    waits += [hold.until - world.now_s for hold in (status.paused, status.override) if hold and hold.until]
    switches_s = switches_in_s(status, world)
    waits += [switches_s] if switches_s is not None else []
    if isinstance(world.wish, Wish):
        shut = closed(world.wish.windows, world.now_s)
        waits += [shut.opens_at_s - world.now_s] if shut else []
        aging = [kept for kept in status.kept if kept.hash != aftermath.guarded(status)]
        waits += [kept.since + world.wish.keep.for_ - world.now_s for kept in aging if world.wish.keep]
    if status.label_watch:
        waits.append(aftermath.looks_in_s(status.label_watch, world.now_s, look_s))
    return min(waits, default=None)
