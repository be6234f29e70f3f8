"""Status of a ModelDeployment: what `kubectl describe` shows, and all that the operator remembers.

The operator keeps nothing else: a restarted one goes on from here. Every class is frozen; a decision makes a new
status from the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter

from seatrial.api.aftermath import LabelWatch, WayBack
from seatrial.api.commands import Answer, Hold
from seatrial.api.conditions import Condition
from seatrial.api.drift import DriftStatus
from seatrial.api.fields import CONFIG, Duration, Time, keyed_by
from seatrial.api.labels import LabelStatus
from seatrial.api.trial import Return, Trial, VersionRef


class Phase(StrEnum):
    """Where a ModelDeployment stands; the table of moves is in rollout/machine.py."""

    PENDING = "Pending"
    DEPLOYING = "Deploying"
    STABLE = "Stable"
    STARTING = "Starting"
    TRIAL = "Trial"
    PROMOTING = "Promoting"
    WATCHING = "Watching"
    ROLLED_BACK = "RolledBack"


UNDERWAY = frozenset({Phase.STARTING, Phase.TRIAL, Phase.PROMOTING, Phase.WATCHING})
"""A candidate is there, and stable could take its traffic back."""


class Outcome(StrEnum):
    """How the trial of a version ended."""

    DEPLOYED = "Deployed"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    RETURNED = "Returned"


@dataclass(frozen=True, slots=True)
class Draining:
    """A version without traffic whose pods still answer what is in flight."""

    __pydantic_config__ = CONFIG

    hash: str
    """Hash of the version."""
    label: str
    """The user's name of it."""
    since: Time | None = None
    """When the gateway was first seen without weight for it; absent until then."""
    keep: bool = False
    """Whether it may be returned to: then its Deployment stays, without pods."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A former version that can be returned to: its Deployment is there, without pods."""

    __pydantic_config__ = CONFIG

    hash: str
    """Hash of the version."""
    label: str
    """The user's name of it."""
    since: Time
    """Since when it has had no traffic."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A wish that waits in line for its trial."""

    __pydantic_config__ = CONFIG

    hash: str
    """Hash of the version."""
    since: Time
    """Since when it has waited."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """How one version fared."""

    __pydantic_config__ = CONFIG

    hash: str
    """Hash of the version."""
    label: str
    """The user's name of it."""
    outcome: Outcome
    """Deployed, Promoted, RolledBack, Superseded or Returned."""
    started_at: Time
    """When it was first seen in the spec."""
    ended_at: Time
    """When its outcome was decided."""
    sentence: str
    """Why, in plain words."""
    ready_in: Duration | None = None
    """How long its pods took until all were ready and warm; absent when they never were."""


@dataclass(frozen=True, slots=True)
class DecisionEvidence:
    """The numbers of one objective that a decision rests on."""

    __pydantic_config__ = CONFIG

    objective: str
    """ModelSLO and objective."""
    verdict: str
    """The verdict on it."""
    total: int
    """The candidate's events since its trial began."""
    bad: int
    """Bad ones among them."""
    e_value: float
    """Evidence against the version."""
    threshold: float
    """The e-value at which it is rolled back."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, with what it rests on. The operator's log has the same as one line of JSON, for ever."""

    __pydantic_config__ = CONFIG

    id: int
    """Number of the decision, counted for this ModelDeployment."""
    at: Time
    """When it was made."""
    event: str
    """What was decided: the reason of the Event that tells it."""
    version: str
    """Hash of the version that it is about."""
    weight: int
    """Percent of the requests that this version gets from then on."""
    objectives_hash: str
    """Hash of the objectives that were judged by."""
    sentence: str
    """Why, in plain words."""
    evidence: tuple[DecisionEvidence, ...] = ()
    """The numbers."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Copies of requests that a version got in shadow: the service's error budget leaves them out."""

    __pydantic_config__ = CONFIG

    objective: str
    """ModelSLO and objective that they were counted for."""
    version: str
    """Hash of the version."""
    until: Time
    """When the shadow ended."""
    total: int
    """How many, or in how many slices of time."""
    bad: int
    """Bad ones among them."""


class Adopting(StrEnum):
    """How far the handing over with what is adopted is; see rollout/adoption.py."""

    WAITING = "Waiting"
    MOVED = "Moved"
    ADOPTED = "Adopted"
    RETURNING = "Returning"
    MOVED_BACK = "MovedBack"
    RESTORED = "Restored"
    RETURNED = "Returned"


@dataclass(frozen=True, slots=True)
class Adoption:
    """The handing over between the adopted Deployment and versions."""

    __pydantic_config__ = CONFIG

    state: Adopting
    """Waiting, Moved, Adopted, Returning, MovedBack, Restored or Returned."""
    replicas: int = 0
    """Pods of the adopted Deployment when it last served."""
    since: Time | None = None
    """Since when all is as this state asks for; absent until then."""


@dataclass(frozen=True, slots=True)
class ModelDeploymentStatus:
    """State of a ModelDeployment."""

    __pydantic_config__ = CONFIG

    observed_generation: int = 0
    """The generation of the spec that this status speaks of."""
    phase: Phase = Phase.PENDING
    """Pending, Deploying, Stable, Starting, Trial, Promoting, Watching or RolledBack."""
    step: str = ""
    """Current step of all, such as 2/4."""
    weight: int = 0
    """Percent of the requests that the candidate is to get."""
    verdict: str = ""
    """The worst verdict over all objectives of the version on trial."""
    budget: str = ""
    """Percent of the error budget left, of the objective that has least."""
    summary: str = ""
    """What is going on, in one plain sentence."""
    stable: VersionRef | None = None
    """The last fully promoted version."""
    candidate: VersionRef | None = None
    """The version on its way."""
    return_to: Return | None = None
    """A former version that is about to be returned to."""
    trial: Trial | None = None
    """The trial of the candidate or, when there is none, the last trial."""
    paused: Hold | None = None
    """Who holds this rollout by a command, and until when."""
    override: Hold | None = None
    """A person's word against the statistics, while it is in force."""
    queued: Queued | None = None
    """The place of the wished version in line, while only so many trials may run at the same time."""
    fallback: Hold | None = None
    """Who let the fallback answer all requests; absent while versions answer."""
    adoption: Adoption | None = None
    """How far the handing over is with what spec.adopt names."""
    paging_since: Time | None = None
    """Since when requests have burnt at page level with no candidate to blame."""
    drift: DriftStatus | None = None
    """What is known of drift, of the version on trial or else of stable; only the incident and the webhooks that there
    have been, if any, when no ModelSLO says drift."""
    labels: LabelStatus | None = None
    """What labels say, of the version on trial or else of stable; absent when no ModelSLO says labels."""
    draining: Annotated[tuple[Draining, ...], Field(max_length=16)] = ()
    """Versions that lost their traffic and still answer what is in flight."""
    kept: Annotated[tuple[Kept, ...], Field(max_length=11)] = ()
    """Former versions that can be returned to, the newest first."""
    label_watch: LabelWatch | None = None
    """What is watched for labels that come late, after a promotion; absent when nothing is."""
    way_back: WayBack | None = None
    """Whether an instant rollback is possible now; absent before the first version serves."""
    quarantined: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    """Hashes that were rolled back: applying them again starts no trial."""
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=20)] = ()
    """How versions fared, the newest first."""
    decisions: Annotated[tuple[Decision, ...], Field(max_length=10)] = ()
    """The last decisions, the newest first."""
    copies: Annotated[tuple[Copies, ...], Field(max_length=64)] = ()
    """Copies of requests that versions got in shadow, the newest first."""
    answers: Annotated[tuple[Answer, ...], Field(max_length=32)] = ()
    """What came of commands, the newest first."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16, json_schema_extra=keyed_by("type"))] = ()
    """Accepted, Ready, Progressing, TrafficInSync, SplitAsTold, MetricsAvailable; if asked for, DriftFree,
    LabelsGood, CostInBounds and Adopted."""


T = TypeVar("T")
DEPLOYMENT_STATUS: TypeAdapter[ModelDeploymentStatus] = TypeAdapter(ModelDeploymentStatus)


def dump(adapter: TypeAdapter[T], status: T) -> dict[str, Any]:
    """Write a status as Kubernetes stores it: camelCase, absent instead of null."""
    written: dict[str, Any] = adapter.dump_python(status, mode="json", by_alias=True, exclude_none=True)
    return written
