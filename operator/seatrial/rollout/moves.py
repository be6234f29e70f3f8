"""Moves of the phase table: what is remembered when a phase follows another. The table itself sets the phase."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.sights import Restarts
from seatrial.api.status import Draining, HistoryEntry, Outcome
from seatrial.api.trial import Trial, VersionRef
from seatrial.rollout import aftermath
from seatrial.rollout.counts import look_afresh, open_step
from seatrial.rollout.guards import serving_version
from seatrial.rollout.pods import pods_of_trial
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ObjectiveEvidence
    from seatrial.rollout.world import World

MAX_HISTORY = 10
MAX_QUARANTINED = 20


def begin(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Take the wished version as candidate, with the plan as the spec has it now."""
    if not isinstance(world.wish, Wish):
        return status
    wish = world.wish
    version = VersionRef(wish.version, wish.label)
    trial = Trial(version=version, started_at=world.now_s, plan=wish.plan)
    begun = replace(_unkept(status, wish.version), candidate=version, trial=trial, queued=None)
    return replace(begun, trial=replace(trial, pods=pods_of_trial(begun, world)))


def begin_return(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Take a former version as candidate, without steps; what it replaces is not tried again."""
    if not isinstance(world.wish, Wish) or not status.return_to or not status.stable:
        return status
    version = status.return_to.version
    return _returning(status, Trial(version, world.now_s, world.wish.plan, returning=True))


def begin_rollback(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Take the version before as candidate, because labels found stable at fault; stable serves until it is ready."""
    watch, fault = status.label_watch, aftermath.found(status, world)
    if not watch or not fault:
        return status
    bad = watch.trial
    entry = HistoryEntry(
        bad.version.hash, bad.version.label, Outcome.ROLLED_BACK, bad.started_at, world.now_s, fault, bad.ready_in
    )
    begun = _returning(status, Trial(watch.former, world.now_s, bad.plan, returning=True, fault=fault))
    return replace(begun, history=(entry, *status.history)[:MAX_HISTORY])


def _returning(status: ModelDeploymentStatus, trial: Trial) -> ModelDeploymentStatus:
    """Begin the trial of a former version; what it replaces is not tried again."""
    known = _unkept(status, trial.version.hash)
    known = _quarantining(known, status.stable.hash) if status.stable else known
    return replace(known, candidate=trial.version, return_to=None, label_watch=None, trial=trial)


def first_step(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Give the candidate its first traffic: evidence counts from here."""
    if not status.trial:
        return status
    candidate, stable = (world.workloads.get(ref.hash) if ref else None for ref in (status.candidate, status.stable))
    restarts = Restarts(candidate.restarts if candidate else 0, stable.restarts if stable else 0)
    return replace(status, trial=replace(status.trial, weighted_at=world.now_s, restarts_from=restarts))


def next_step(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Go one step up; the clock of the new step starts when the route is as it asks."""
    trial = status.trial
    return (
        replace(status, trial=replace(_opened(trial, world.now_s), step_index=trial.step_index + 1))
        if trial
        else status
    )


def all_traffic(status: ModelDeploymentStatus, world: World, why: str) -> ModelDeploymentStatus:
    """Ask for all traffic; stable keeps its pods until the route is seen to lead to the candidate alone."""
    if status.trial and status.trial.weighted_at is None:
        status = first_step(status, world, why)
    return _past_steps(status, world.now_s, status.trial.step_since if status.trial else None)


def watch(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Start the clock of the watch: the candidate is judged on, and stable stays warm."""
    return _past_steps(status, world.now_s, world.now_s)


def _past_steps(status: ModelDeploymentStatus, now_s: float, since_s: float | None) -> ModelDeploymentStatus:
    trial = status.trial
    return replace(status, trial=replace(_opened(trial, now_s, look_afresh), step_since=since_s)) if trial else status


def _opened(
    trial: Trial, now_s: float, begin: Callable[[ObjectiveEvidence, float], ObjectiveEvidence] = open_step
) -> Trial:
    """Begin a stretch with another share of traffic: the test looks afresh, and nothing of the last step is left.

    After the last step no more requests are asked for, so its own go on counting.
    """
    return replace(
        trial,
        step_since=None,
        split_from=None,
        evidence=tuple(begin(entry, now_s) for entry in trial.evidence),
        approvals=(),
        check=None,
        experiment=None,
        ordered=None,
    )


def promote(status: ModelDeploymentStatus, world: World, why: str) -> ModelDeploymentStatus:
    """Move the pointer: the candidate is stable, and no pod of it restarts."""
    outcome = Outcome.PROMOTED if status.stable else Outcome.DEPLOYED
    if status.trial and status.trial.returning:
        outcome = Outcome.RETURNED
    left = status.stable
    old = (Draining(left.hash, left.label, keep=left.hash not in status.quarantined),) if left else ()
    return replace(
        _closed(status, world, outcome, why),
        stable=status.candidate,
        candidate=None,
        draining=(*status.draining, *old),
        label_watch=aftermath.begun(status, world),
    )


def drop_candidate(status: ModelDeploymentStatus, world: World, why: str) -> ModelDeploymentStatus:
    """Take the candidate out of traffic because nobody wishes for it any more; it may be tried again."""
    return _without_candidate(_closed(status, world, Outcome.SUPERSEDED, why))


def roll_back(status: ModelDeploymentStatus, world: World, why: str) -> ModelDeploymentStatus:
    """Take the candidate out of traffic in one step, and remember not to try it again."""
    closed = _without_candidate(_closed(status, world, Outcome.ROLLED_BACK, why))
    if _never_back(status.trial):
        return closed
    return _quarantining(closed, status.candidate.hash if status.candidate else "")


def recover(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Take the version that carries the traffic for stable."""
    version = serving_version(world) or ""
    wish = world.wish
    label = wish.label if isinstance(wish, Wish) and wish.version == version else version
    draining = tuple(entry for entry in status.draining if entry.hash != version)
    return replace(status, stable=VersionRef(version, label), draining=draining)


def rest(status: ModelDeploymentStatus, _: World, __: str) -> ModelDeploymentStatus:
    """Change nothing but the phase."""
    return status


def _quarantining(status: ModelDeploymentStatus, version: str) -> ModelDeploymentStatus:
    others = tuple(known for known in status.quarantined if known != version)
    return replace(status, quarantined=(version, *others)[:MAX_QUARANTINED])


def _unkept(status: ModelDeploymentStatus, version: str) -> ModelDeploymentStatus:
    """Take a version off the lists of those that are on their way out or out: it is wanted again."""
    return replace(
        status,
        draining=tuple(entry for entry in status.draining if entry.hash != version),
        kept=tuple(entry for entry in status.kept if entry.hash != version),
    )


def _without_candidate(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    if not status.candidate:
        return status
    gone = Draining(status.candidate.hash, status.candidate.label, keep=_never_back(status.trial))
    return replace(status, candidate=None, draining=(*status.draining, gone))


def _never_back(trial: Trial | None) -> bool:
    """Tell whether a former version was on its way back and got no request: nothing new is known of it."""
    return bool(trial and trial.returning and trial.weighted_at is None)


def _closed(status: ModelDeploymentStatus, world: World, outcome: Outcome, why: str) -> ModelDeploymentStatus:
    """Write how the candidate fared into the history."""
    if not status.candidate or not status.trial:
        return status
    entry = HistoryEntry(
        hash=status.candidate.hash,
        label=status.candidate.label,
        outcome=outcome,
        started_at=status.trial.started_at,
        ended_at=world.now_s,
        sentence=why,
        ready_in=status.trial.ready_in,
    )
    return replace(status, history=(entry, *status.history)[:MAX_HISTORY])
