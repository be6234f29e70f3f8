"""What a status shows to people: columns, one sentence, and the five conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.conditions import Condition
from seatrial.api.status import Phase
from seatrial.judge.split import SplitStep, check_split
from seatrial.judge.types import Verdict
from seatrial.rollout import adoption, seaworthy
from seatrial.rollout.aftermath import way_back
from seatrial.rollout.blame import drift_free
from seatrial.rollout.cost import cost_in_bounds
from seatrial.rollout.fallback import why_active
from seatrial.rollout.labels import frozen_plan, labels_good
from seatrial.rollout.progress import progress
from seatrial.rollout.retrain import NOT_ASKED
from seatrial.rollout.seen import requests_of
from seatrial.rollout.steps import current_step
from seatrial.rollout.target import ALL, intended_weight
from seatrial.rollout.undecided import worst_of
from seatrial.rollout.world import Refusal

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Target
    from seatrial.rollout.world import World

    Found = tuple[str, str, str]
    """Status, reason and message of a condition."""


def report(status: ModelDeploymentStatus, world: World, wanted: Target) -> ModelDeploymentStatus:
    """Fill in everything of a status that only tells what the rest of it means."""
    worst = worst_of(status.trial.evidence if status.trial else ())
    progressing = progress(status, world, worst)
    found = {
        "Accepted": _accepted(world),
        "Ready": _ready(status, world, wanted),
        "Progressing": progressing,
        "TrafficInSync": _traffic_in_sync(wanted, world),
        "SplitAsTold": _split_as_told(status, world),
        "MetricsAvailable": _metrics_available(status, world),
    }
    if status.drift and status.drift.cause != NOT_ASKED:
        found["DriftFree"] = drift_free(status.drift)
    if status.trial and status.trial.plan.cost:
        found["CostInBounds"] = cost_in_bounds(status.trial)
    if status.labels:
        found["LabelsGood"] = labels_good(status.labels, awaited=frozen_plan(status) is not None)
    if status.adoption and world.incumbent:
        found["Adopted"] = adoption.told(status.adoption, world.incumbent)
    return replace(
        status,
        observed_generation=world.generation,
        step=_step(status),
        weight=wanted.weights.get(status.candidate.hash, 0) if status.candidate else 0,
        verdict=worst.verdict if worst else "",
        summary=progressing[2],
        budget=world.budget,
        way_back=way_back(status, world),
        conditions=tuple(_condition(status, world, kind, *what) for kind, what in found.items()),
    )


def _condition(
    status: ModelDeploymentStatus, world: World, kind: str, value: str, reason: str, message: str
) -> Condition:
    """Make a condition that keeps the time of its last transition while its status stays."""
    old = next((c for c in status.conditions if c.type == kind), None)
    since = old.last_transition_time if old and old.status == value else world.now_s
    return Condition(kind, value, reason, message, since, world.generation)


def _step(status: ModelDeploymentStatus) -> str:
    """Write the step the way people count: 2/4."""
    trial = status.trial
    if not trial or not status.candidate or status.phase is Phase.DEPLOYING:
        return ""
    if trial.returning:
        return ""
    last = len(trial.plan.steps)
    number = {Phase.STARTING: 0, Phase.PROMOTING: last, Phase.WATCHING: last}.get(status.phase, trial.step_index + 1)
    return f"{number}/{last}"


def _accepted(world: World) -> Found:
    if isinstance(world.wish, Refusal):
        return "False", world.wish.reason, world.wish.sentence
    return "True", "Accepted", "the spec can be used"


def _ready(status: ModelDeploymentStatus, world: World, wanted: Target) -> Found:
    if not status.stable:
        return "False", "NothingDeployed", "no version has been deployed yet"
    if wanted.division.fallback and wanted.division.fallback.active:
        if adoption.underway(status):
            return "False", "IncumbentServes", f"Service {wanted.division.fallback.name} answers all requests"
        return (
            "False",
            "Fallback",
            f"Service {wanted.division.fallback.name} answers all requests: {why_active(status)}",
        )
    ready = world.ready(status.stable.hash)
    if not ready:
        return "False", "NoReadyPod", f"the stable version {status.stable.label} has no ready pod"
    if not world.route or not world.route.programmed:
        why = world.route.problem if world.route and world.route.problem else "the gateway has not taken it yet"
        return "False", "RouteNotProgrammed", f"requests don't reach the model: {why}"
    return "True", "Serving", f"version {status.stable.label} serves with {ready} ready pods"


def _traffic_in_sync(wanted: Target, world: World) -> Found:  # noqa: PLR0911 - one return for each reason
    if world.act_problem:
        return "False", "CannotAct", world.act_problem
    if not wanted.weights:
        return "Unknown", "NoRoute", "no version is ready to get traffic"
    if not world.route:
        return "False", "RouteMissing", "the HTTPRoute isn't there yet"
    if not world.route.carries(wanted.division):
        return "False", "WeightsDiffer", "the HTTPRoute is being brought to the weights that are asked for"
    if world.route.unable:
        return "False", "Unsupported", world.route.unable
    if not world.route.programmed:
        return "False", "NotProgrammed", world.route.problem or "the gateway has not taken the newest route yet"
    return "True", "InSync", "the gateway has taken the weights that are asked for"


def _split_as_told(status: ModelDeploymentStatus, world: World) -> Found:
    trial, weight = status.trial, intended_weight(status)
    if status.phase is not Phase.TRIAL or not trial or not trial.split_from or weight in {0, ALL} or _beside(status):
        return "Unknown", "NotChecked", "requests are compared with the weights while a trial shares traffic"
    if not world.ready(status.stable.hash if status.stable else None):
        return "Unknown", "NotChecked", "stable has no ready pod: there are no two versions to share traffic"
    now = requests_of(trial)
    real = world.route.real if world.route else None
    share = real.get(trial.version.hash, 0.0) if real else weight / ALL
    step = SplitStep(share, now.candidate - trial.split_from.candidate, now.stable - trial.split_from.stable)
    found = check_split([step])
    if found.mismatch:
        return "False", "SplitDiffers", found.sentence
    return "True", "AsTold", found.sentence


def _beside(status: ModelDeploymentStatus) -> bool:
    """Tell whether the step brings the candidate requests beside its weight, or keeps users with one version."""
    step, trial = current_step(status), status.trial
    return bool(step and (step.shadow or step.preview or step.experiment)) or bool(trial and trial.plan.sticky)


def _metrics_available(status: ModelDeploymentStatus, world: World) -> Found:
    if not status.candidate or status.phase is Phase.DEPLOYING:
        return "Unknown", "NotNeeded", "nothing is on trial"
    if world.metrics_down:
        return "False", "Unavailable", f"the weight is held: {world.metrics_down}"
    if not seaworthy.seen(status, world):
        up, label = world.targets_up.get(status.candidate.hash, 0), status.candidate.label
        if pods := world.unlabelled.get(status.candidate.hash):
            return "False", "VersionUnlabelled", _unlabelled(label, pods)
        # Discovery takes seconds: a warning only when it takes longer, or once requests depend on it.
        value = "Unknown" if status.phase is Phase.STARTING and not seaworthy.late(status, world) else "False"
        return value, "NotScraped", f"Prometheus scrapes {up} pods of version {label}, which are not all of them"
    unread = next((entry for entry in world.evidence if entry.verdict == Verdict.Unavailable), None)
    if unread:
        return "False", "NotCounted", f"{unread.key}: {unread.sentence}"
    notes = "".join(f"; {entry.key}: {entry.edge}" for entry in world.evidence if entry.edge)
    return "True", "Available", f"Prometheus answers and sees every pod of the candidate{notes}"


def _unlabelled(label: str, pods: tuple[str, ...]) -> str:
    return (
        f"Prometheus scrapes {len(pods)} pods of version {label}, such as {pods[0]}, without the labels rollout_name "
        f"and rollout_version, so nothing is counted for it: take the scrape rules of manifests/monitoring"
    )
