"""Moves of the phase table: what is remembered when a phase follows another. The table itself sets the phase."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.status import Draining, HistoryEntry, Outcome
from seatrial.api.trial import Restarts, Trial, VersionRef
from seatrial.rollout.evidence import open_step
from seatrial.rollout.guards import serving_version
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import World

MAX_HISTORY = 10
MAX_QUARANTINED = 20


def begin(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Take the wished version as candidate, with the plan as the spec has it now."""
    if not isinstance(world.wish, Wish):
        return status
    wish = world.wish
    version = VersionRef(wish.version, wish.label)
    return replace(
        status,
        candidate=version,
        trial=Trial(version=version, started_at=world.now_s, plan=wish.plan),
        draining=tuple(entry for entry in status.draining if entry.hash != wish.version),
    )


def first_step(status: ModelDeploymentStatus, world: World, _: str) -> ModelDeploymentStatus:
    """Give the candidate its first weight: evidence counts from here."""
    if not status.trial:
        return status
    candidate, stable = (world.workloads.get(ref.hash) if ref else None for ref in (status.candidate, status.stable))
    restarts = Restarts(candidate.restarts if candidate else 0, stable.restarts if stable else 0)
    return replace(status, trial=replace(status.trial, weighted_at=world.now_s, restarts_from=restarts))


def next_step(status: ModelDeploymentStatus, _: World, __: str) -> ModelDeploymentStatus:
    """Go one step up; the clock of the new step starts when the route carries its weight."""
    trial = status.trial
    if not trial:
        return status
    evidence = tuple(open_step(entry) for entry in trial.evidence)
    trial = replace(trial, step_index=trial.step_index + 1, step_since=None, split_from=None, evidence=evidence)
    return replace(status, trial=trial)


def all_traffic(status: ModelDeploymentStatus, _: World, __: str) -> ModelDeploymentStatus:
    """Ask for all traffic; stable keeps its pods until the route is seen to lead to the candidate alone."""
    return status


def promote(status: ModelDeploymentStatus, world: World, why: str) -> ModelDeploymentStatus:
    """Move the pointer: the candidate is stable, and no pod of it restarts."""
    outcome = Outcome.PROMOTED if status.stable else Outcome.DEPLOYED
    old = (Draining(status.stable.hash, status.stable.label),) if status.stable else ()
    return replace(
        _closed(status, world, outcome, why),
        stable=status.candidate,
        candidate=None,
        draining=(*status.draining, *old),
    )


def drop_candidate(status: ModelDeploymentStatus, world: World, why: str) -> ModelDeploymentStatus:
    """Take the candidate out of traffic because nobody wishes for it any more; it may be tried again."""
    return _without_candidate(_closed(status, world, Outcome.SUPERSEDED, why))


def roll_back(status: ModelDeploymentStatus, world: World, why: str) -> ModelDeploymentStatus:
    """Take the candidate out of traffic in one step, and remember not to try it again."""
    closed = _without_candidate(_closed(status, world, Outcome.ROLLED_BACK, why))
    version = status.candidate.hash if status.candidate else ""
    others = tuple(known for known in status.quarantined if known != version)
    return replace(closed, quarantined=(version, *others)[:MAX_QUARANTINED])


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


def _without_candidate(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    if not status.candidate:
        return status
    gone = Draining(status.candidate.hash, status.candidate.label)
    return replace(status, candidate=None, draining=(*status.draining, gone))


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
    )
    return replace(status, history=(entry, *status.history)[:MAX_HISTORY])
