"""After a promotion: late labels are judged on, the version before waits without pods, and the way back is told.

The pointer has moved: the promoted version is stable, and its trial is over. What is judged on are label objectives and
the questions of `labels` alone. A version that passed its watch is not blamed for what befalls it weeks later, when
nothing is left to compare it with; that is what budgets and their alerts are for. Labels are another matter: what they
tell now happened then, and those of the version before tell whether it would have done better.

When they find it at fault, the version before is returned to, as a person could ask for it: its pods are started, found
ready and warm as those of any candidate, and then it gets all requests in one move. The bad version serves meanwhile.

While another version is on trial all of this rests. It goes on if that one is taken out, and ends if it is promoted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.aftermath import LabelWatch, WayBack
from seatrial.api.fields import format_duration, format_time
from seatrial.api.sights import Untaken
from seatrial.api.trial import VersionRef
from seatrial.judge.judge import SEVERITY
from seatrial.judge.types import Verdict
from seatrial.rollout import guards
from seatrial.rollout.counts import request_for
from seatrial.rollout.evidence import weigh
from seatrial.rollout.label_objectives import labelled
from seatrial.rollout.labels import limit_broken
from seatrial.rollout.undecided import action_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.api.trial import ObjectiveEvidence, Trial
    from seatrial.metrics.types import Measurements, Request
    from seatrial.rollout.evidence import Service
    from seatrial.rollout.world import World

LOOKS = 1000
"""A label watch is made of so many looks, unless that would be rarer or more often than a look should be."""
RAREST_LOOK_S = 300.0


def begun(status: ModelDeploymentStatus, world: World) -> LabelWatch | None:
    """Begin to watch the labels of a candidate that is being promoted; None when that isn't asked for, or is over."""
    trial, former = status.trial, status.stable
    watch = trial.plan.watch if trial else None
    if not trial or not former or not watch or watch.labels is None or trial.returning:
        return None
    until = (world.now_s if trial.step_since is None else trial.step_since) + watch.labels
    if until <= world.now_s or former.hash in status.quarantined:
        return None
    rest = replace(trial, check=None, experiment=None, ordered=None, would_have_rolled_back=None)
    return LabelWatch(former, world.now_s, until, replace(rest, evidence=_by_labels(trial, trial.evidence)))


def noted(status: ModelDeploymentStatus, world: World) -> ModelDeploymentStatus:
    """Take what labels say now; forget the watch when it is over, or when there is nothing to return to any more."""
    watch = status.label_watch
    if not watch:
        return status
    former, promoted = watch.former.hash, watch.trial.version.hash
    lost = former not in world.workloads or former in status.quarantined
    if world.now_s >= watch.until or lost or not status.stable or status.stable.hash != promoted:
        return replace(status, label_watch=None)
    trial = replace(watch.trial, evidence=world.late or watch.trial.evidence)
    status = replace(status, label_watch=replace(watch, trial=trial))
    fault = found(status, world)
    if not fault or not world.observing or trial.would_have_rolled_back:
        return status
    told = replace(trial, would_have_rolled_back=Untaken(at=world.now_s, sentence=fault))
    return replace(status, label_watch=replace(watch, trial=told))


def found(status: ModelDeploymentStatus, world: World) -> str | None:
    """Say what labels have found at fault with the promoted version, where its owners ask for a rollback then."""
    watch = status.label_watch
    if not watch or world.override or status.candidate:
        return None
    version = watch.trial.version
    for entry in watch.trial.evidence:
        if entry.verdict == Verdict.Burning and action_on(watch.trial, entry) == "auto":
            where = entry.key
            return f"version {version.label} ({version.hash}) burns its error budget, {where}: {entry.sentence}"
    return limit_broken(status, world, version)


def late_labels(status: ModelDeploymentStatus, world: World) -> str | None:
    """Labels that came after the watch have found stable at fault: the version before it is started again."""
    fault, watch = found(status, world), status.label_watch
    if not fault or not watch:
        return None
    back = _way_back_to(watch.former, status, world)
    return f"{fault} Version {watch.former.label} gets all requests back. Instant rollback: {back.sentence}"


def former_is_back(status: ModelDeploymentStatus, world: World) -> str | None:
    """The version before has all requests again, because labels found its successor at fault."""
    trial = status.trial
    if not trial or not trial.fault or not guards.all_traffic_seen(status, world):
        return None
    took = f" {format_duration(trial.ready_in)} after it was asked for" if trial.ready_in is not None else ""
    return f"version {trial.version.label} ({trial.version.hash}) was ready{took} and has all requests: {trial.fault}"


def guarded(status: ModelDeploymentStatus) -> str | None:
    """Name the version that is not retired, whatever the limits of `keep` say."""
    return status.label_watch.former.hash if status.label_watch else None


def looks_in_s(watch: LabelWatch, now_s: float, look_s: float) -> float:
    """Tell when labels are looked at again, in seconds: they come slowly."""
    often_s = min(RAREST_LOOK_S, max(look_s, (watch.until - watch.since) / LOOKS))
    return max(0.0, min(often_s, watch.until - now_s))


def watched_labels(watch: LabelWatch) -> str:
    """Say what labels tell of the promoted version, and until when they are watched."""
    worst = min(watch.trial.evidence, key=lambda entry: SEVERITY.index(Verdict(entry.verdict)), default=None)
    said = f": {worst.key}: {worst.sentence}" if worst else ""
    return f"labels are watched until {format_time(watch.until)}{said}"


def late_request(namespace: str, rollout: str, watch: LabelWatch) -> Request:
    """Say what has to be counted: label objectives only, of both versions, since their predictions ripen alike."""
    plan = watch.trial.plan
    known = labelled(plan)
    trial = replace(watch.trial, plan=replace(plan, objectives=tuple(p for p in plan.objectives if p.key in known)))
    return request_for(namespace, rollout, watch.trial.version.hash, watch.former.hash, trial)


def weigh_late(
    watch: LabelWatch, measured: Measurements, *, fresh_s: float, service: Mapping[str, Service]
) -> tuple[ObjectiveEvidence, ...]:
    """Have the labels judged, each against the threshold that it had among all objectives of the trial."""
    trial = watch.trial
    versions = trial.version.hash, watch.former.hash
    judged = weigh(trial, *versions, measured, fresh_s=fresh_s, service=service, afresh=False)
    return _by_labels(trial, judged)


def formers(status: ModelDeploymentStatus, world: World) -> list[VersionRef]:
    """List the versions that can be returned to, the newest first: those that still have a Deployment."""
    out = [VersionRef(entry.hash, entry.label) for entry in reversed(status.draining)]
    out += [VersionRef(entry.hash, entry.label) for entry in status.kept]
    return [version for version in out if version.hash in world.workloads and version.hash not in status.quarantined]


def way_back(status: ModelDeploymentStatus, world: World) -> WayBack | None:
    """Tell whether a rollback would be over in seconds: to stable during a trial, otherwise to the version before."""
    if not status.stable:
        return None
    if status.candidate:
        return _way_back_to(status.stable, status, world)
    known = formers(status, world)
    return _way_back_to(known[0], status, world) if known else WayBack(instant=False, sentence="no, no version is kept")


def _way_back_to(version: VersionRef, status: ModelDeploymentStatus, world: World) -> WayBack:
    if world.ready(version.hash):
        return WayBack(instant=True, sentence=f"yes, version {version.label} has ready pods")
    workload = world.workloads.get(version.hash)
    if workload and workload.desired:
        return WayBack(instant=False, sentence=f"no, version {version.label} has no ready pod")
    took_s = next((e.ready_in for e in status.history if e.hash == version.hash and e.ready_in is not None), None)
    known = f"needs about {format_duration(took_s)} to start" if took_s is not None else "has to be started first"
    return WayBack(instant=False, sentence=f"no, version {version.label} is cold: it {known}")


def _by_labels(trial: Trial, evidence: tuple[ObjectiveEvidence, ...]) -> tuple[ObjectiveEvidence, ...]:
    """Take the evidence of label objectives, all of it in one stretch.

    Stretches that begin later have nothing to be compared with: the former version predicts no more.
    """
    known = labelled(trial.plan)
    mine = (entry for entry in evidence if entry.key in known)
    return tuple(replace(entry, restarts=(), retired=0) for entry in mine)
