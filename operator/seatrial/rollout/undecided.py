"""What keeps a step from being passed, and what follows when that lasts (``strategy.undecided``).

The clock of the deadline runs for each objective apart, and only while its verdict leads to the same end: hours with
too little traffic, which hold, are no reason to roll back at the first second without Prometheus.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.fields import format_duration
from seatrial.api.status import Phase
from seatrial.judge.judge import SEVERITY
from seatrial.judge.types import Verdict
from seatrial.rollout.label_objectives import unhurried, waits
from seatrial.rollout.steps import current_step, on_trial
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.strategy import Policy, Undecided
    from seatrial.api.trial import ObjectiveEvidence, Trial
    from seatrial.rollout.world import World


def blocking(status: ModelDeploymentStatus, world: World) -> tuple[ObjectiveEvidence, ...]:
    """Find the objectives that keep a step from being passed: those that it names, or all whose word may come in it."""
    if world.observing or world.override:
        return ()
    step = current_step(status)
    asked = step.healthy if step else None
    later = unhurried(status)
    return tuple(
        entry
        for entry in world.evidence
        if entry.verdict != Verdict.Healthy
        and action_on(status.trial, entry) != "notify"
        and (not waits(entry, later) if asked is None else entry.key in asked)
    )


def worst_of(evidence: Iterable[ObjectiveEvidence]) -> ObjectiveEvidence | None:
    """Find the objective that says most against the version."""
    return min(
        (entry for entry in evidence if entry.verdict),
        key=lambda entry: (SEVERITY.index(Verdict(entry.verdict)), -entry.e_value),
        default=None,
    )


def action_on(trial: Trial | None, entry: ObjectiveEvidence) -> str:
    """Tell what the plan asks for when an objective burns."""
    objectives = trial.plan.objectives if trial else ()
    return next((planned.rollback.action for planned in objectives if planned.key == entry.key), "auto")


def waited(status: ModelDeploymentStatus, world: World) -> tuple[ObjectiveEvidence, ...]:
    """Note since when each objective's verdict has led to what it leads to now; nobody waits while a person holds."""
    trial = status.trial
    if not trial or not world.evidence:
        return trial.evidence if trial else ()
    held = not isinstance(world.wish, Wish) or world.wish.paused or world.observing
    if held or status.paused or status.override:
        return tuple(replace(entry, undecided_since=None) for entry in world.evidence)
    rules, before = trial.plan.undecided, {entry.key: entry for entry in trial.evidence}

    def since_s(entry: ObjectiveEvidence) -> float | None:
        policy, known = _policy(rules, entry.verdict), before.get(entry.key)
        if not policy:
            return None
        same = known and known.undecided_since is not None and _policy(rules, known.verdict) == policy
        return known.undecided_since if known and same else world.now_s

    return tuple(replace(entry, undecided_since=since_s(entry)) for entry in world.evidence)


def past_deadline(status: ModelDeploymentStatus, world: World, policy: Policy) -> str | None:
    """Say that a step has been undecided for too long, when that leads to this policy.

    One objective that asks for a rollback is enough for it; a promotion needs the word of all that block it.
    """
    trial, step = status.trial, current_step(status)
    if status.phase is not Phase.TRIAL or not trial or not step or trial.step_since is None:
        return None
    if step.gate or step.check or step.experiment:
        return None
    since = {entry.key: entry.undecided_since for entry in trial.evidence}
    over_s = trial.step_since + step.lasts_s
    deadline_s = trial.plan.undecided.deadline

    def asks(entry: ObjectiveEvidence) -> bool:
        began_s = since.get(entry.key)
        late = began_s is not None and world.now_s - max(over_s, began_s) >= deadline_s
        return late and _policy(trial.plan.undecided, entry.verdict) == policy

    found = blocking(status, world)
    asking = [entry for entry in found if asks(entry)]
    if not asking or (policy == "promote" and len(asking) < len(found)):
        return None
    worst = min(asking, key=lambda entry: SEVERITY.index(Verdict(entry.verdict)))
    where = f"{worst.key} stayed {worst.verdict} for {format_duration(deadline_s)}"
    return f"{on_trial(status)}: {where}: {worst.sentence}"


def _policy(rules: Undecided, verdict: str) -> Policy | None:
    """Tell what a verdict leads to once it has lasted; None when something else follows of it."""
    policies: dict[str, Policy] = {
        Verdict.Inconclusive: rules.inconclusive,
        Verdict.NoData: rules.no_data,
        Verdict.Unavailable: rules.unavailable,
        Verdict.Environment: rules.environment,
    }
    return policies.get(verdict)
