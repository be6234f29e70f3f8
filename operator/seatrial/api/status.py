"""Status of the two kinds: what `kubectl describe` shows, and all that the operator remembers.

The operator keeps nothing else: a restarted one goes on from here. Every class is frozen; a decision makes a new
status from the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter

from seatrial.api.fields import CONFIG, Duration, Time, keyed_by
from seatrial.api.model_deployment import Override, Step, Undecided
from seatrial.api.model_slo import Objective, Rollback


class Phase(StrEnum):
    """Where a ModelDeployment stands; the table of moves is in rollout/machine.py."""

    PENDING = "Pending"
    DEPLOYING = "Deploying"
    STABLE = "Stable"
    STARTING = "Starting"
    TRIAL = "Trial"
    PROMOTING = "Promoting"
    ROLLED_BACK = "RolledBack"


class Outcome(StrEnum):
    """How the trial of a version ended."""

    DEPLOYED = "Deployed"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as Kubernetes writes them."""

    __pydantic_config__ = CONFIG

    type: str
    """Accepted, Ready, Progressing, TrafficInSync, SplitAsTold or MetricsAvailable."""
    status: str
    """True, False or Unknown."""
    reason: str
    """One CamelCase word."""
    message: str
    """One plain sentence."""
    last_transition_time: Time
    """When status changed last."""
    observed_generation: int = 0
    """The generation that this was found for."""


@dataclass(frozen=True, slots=True)
class VersionRef:
    """A version: its hash, and what the user calls it."""

    __pydantic_config__ = CONFIG

    hash: str
    """Hash of the template, the model and the port: the suffix of its Deployment and Service."""
    label: str
    """The user's name of it (spec.model.version when it was applied)."""


@dataclass(frozen=True, slots=True)
class Draining:
    """A version without traffic whose pods still answer what is in flight."""

    __pydantic_config__ = CONFIG

    hash: str
    """Hash of the version."""
    label: str
    """The user's name of it."""
    since: Time
    """When its weight became 0."""


@dataclass(frozen=True, slots=True)
class PlannedObjective:
    """An objective as it stood when the trial began."""

    __pydantic_config__ = CONFIG

    slo: str
    """Name of the ModelSLO."""
    objective: Objective
    """The objective."""
    rollback: Rollback
    """The parameters of the test."""

    @property
    def key(self) -> str:
        """Name that is unique in one ModelDeployment."""
        return f"{self.slo}/{self.objective.name}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps and objectives that a trial keeps to, even when the spec is edited while it runs."""

    __pydantic_config__ = CONFIG

    steps: tuple[Step, ...]
    """The steps."""
    warm_up: Duration
    """How long pods must have been ready before they get traffic."""
    ready_deadline: Duration
    """How long a version may be without the pods that it needs."""
    drain: Duration
    """How long a version keeps its pods after its last traffic."""
    objectives: tuple[PlannedObjective, ...]
    """The objectives that the version answers to."""
    strict: bool = False
    """Whether a step asks for proof of health."""
    undecided: Undecided = Undecided()  # noqa: RUF009 - frozen, so it can be shared
    """What happens to a step that is over in time but was not found Healthy."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of one objective's events."""

    __pydantic_config__ = CONFIG

    total: int = 0
    """All events."""
    bad: int = 0
    """Bad events."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Counts up to an instant before which no sample can still appear: where a restarted operator goes on counting."""

    __pydantic_config__ = CONFIG

    at: Time
    """The instant."""
    total: int
    """All events up to it."""
    bad: int
    """Bad events up to it."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Counts at a moment from which the test also looks afresh, so that late breakage is seen as fast as early."""

    __pydantic_config__ = CONFIG

    candidate: Totals
    """The candidate's counts at that moment."""
    stable: Totals
    """The stable version's counts at that moment."""


@dataclass(frozen=True, slots=True)
class ObjectiveEvidence:
    """What has been seen of the candidate for one objective, and what it means."""

    __pydantic_config__ = CONFIG

    slo: str
    """Name of the ModelSLO."""
    objective: str
    """Name of the objective."""
    total: int
    """The candidate's events since its trial began."""
    bad: int
    """Bad ones among them."""
    burn_rate: float
    """Share of bad events over the error budget: 1 spends the budget exactly in its window."""
    e_value: float
    """Evidence against the version: rolled back when it reaches threshold."""
    threshold: float
    """Number of objectives over alpha."""
    verdict: str
    """Healthy, Burning, Inconclusive, NoData, Unavailable or Environment."""
    sentence: str
    """The verdict in plain words."""
    step_total: int
    """The candidate's events when the current step began."""
    needed: int
    """Events that it takes to tell a version within its budget from one a little beyond it."""
    stable: Totals
    """The stable version's counts since the trial began."""
    candidate_settled: Settled
    """Where counting the candidate goes on after a restart of the operator."""
    stable_settled: Settled
    """Where counting the stable version goes on after a restart of the operator."""
    restarts: Annotated[tuple[Restart, ...], Field(max_length=32)] = ()
    """Moments from which the test also looks afresh, the oldest first."""
    retired: int = 0
    """How many such moments were given up to bound the list."""


@dataclass(frozen=True, slots=True)
class Untaken:
    """A rollback that was not done, because of mode observe."""

    __pydantic_config__ = CONFIG

    at: Time
    """When it would have been done."""
    sentence: str
    """Why, in plain words."""


@dataclass(frozen=True, slots=True)
class Split:
    """How requests fell on both sides."""

    __pydantic_config__ = CONFIG

    candidate: int
    """Requests of the candidate."""
    stable: int
    """Requests of the stable version."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A version on trial."""

    __pydantic_config__ = CONFIG

    version: VersionRef
    """The version on trial."""
    started_at: Time
    """When the version was first seen in the spec."""
    plan: Plan
    """Steps and objectives that this trial keeps to."""
    weighted_at: Time | None = None
    """When the version was first given weight: evidence counts from here."""
    step_index: int = 0
    """Index of the current step, from 0."""
    step_since: Time | None = None
    """When the route was first seen with the weight of this step; absent until then."""
    split_from: Split | None = None
    """Requests of both sides from which the router's split of this step is checked; absent until it has settled."""
    unready_since: Time | None = None
    """Since when the version has been without the pods that it needs; absent while it has them."""
    would_have_rolled_back: Untaken | None = None
    """When this version would have been rolled back, had the mode not been observe."""
    evidence: tuple[ObjectiveEvidence, ...] = ()
    """What has been seen, by objective."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """How one version fared."""

    __pydantic_config__ = CONFIG

    hash: str
    """Hash of the version."""
    label: str
    """The user's name of it."""
    outcome: Outcome
    """Deployed, Promoted, RolledBack or Superseded."""
    started_at: Time
    """When it was first seen in the spec."""
    ended_at: Time
    """When its outcome was decided."""
    sentence: str
    """Why, in plain words."""


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
class ModelDeploymentStatus:
    """State of a ModelDeployment."""

    __pydantic_config__ = CONFIG

    observed_generation: int = 0
    """The generation of the spec that this status speaks of."""
    phase: Phase = Phase.PENDING
    """Pending, Deploying, Stable, Starting, Trial, Promoting or RolledBack."""
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
    trial: Trial | None = None
    """The trial of the candidate or, when there is none, the last trial."""
    override: Override | None = None
    """A person's word against the statistics, while it is in force."""
    draining: Annotated[tuple[Draining, ...], Field(max_length=16)] = ()
    """Versions that lost their traffic and still answer what is in flight."""
    quarantined: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    """Hashes that were rolled back: applying them again starts no trial."""
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=20)] = ()
    """How versions fared, the newest first."""
    decisions: Annotated[tuple[Decision, ...], Field(max_length=10)] = ()
    """The last decisions, the newest first."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8, json_schema_extra=keyed_by("type"))] = ()
    """Accepted, Ready, Progressing, TrafficInSync, SplitAsTold and MetricsAvailable."""


@dataclass(frozen=True, slots=True)
class VersionCounts:
    """One version's part in the window."""

    __pydantic_config__ = CONFIG

    version: str
    """Hash of the version."""
    total: int
    """Its events."""
    bad: int
    """Bad ones among them."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A burn-rate tier of the service as a whole."""

    __pydantic_config__ = CONFIG

    severity: str
    """Page or Ticket."""
    burn_rate: str
    """Threshold: it fires when both windows burn faster."""
    long_window: Duration
    """The window that makes it mean something."""
    short_window: Duration
    """The window that makes it stop soon."""
    firing: bool
    """Whether both windows are above the threshold now."""
    note: str = ""
    """Why the threshold is not that of the preset; empty when it is."""


@dataclass(frozen=True, slots=True)
class ObjectiveBudget:
    """The error budget of one objective for one ModelDeployment, over the window."""

    __pydantic_config__ = CONFIG

    model_deployment: str
    """Name of the ModelDeployment."""
    objective: str
    """Name of the objective."""
    total: int
    """Events in the window."""
    bad: int
    """Bad ones among them."""
    burn_rate: float
    """Share of bad events over the error budget."""
    remaining: float
    """Percent of the error budget left; below 0 when overspent."""
    remaining_bad: int
    """Bad events that the window can still take; below 0 when overspent."""
    exhausted_in: Duration | None = None
    """How long the rest lasts at the burn rate of the last hour; absent when it does not burn."""
    versions: Annotated[tuple[VersionCounts, ...], Field(max_length=32)] = ()
    """What each version contributed, the newest events first."""
    tiers: tuple[Tier, ...] = ()
    """Burn-rate tiers."""
    frozen: str = ""
    """Why no new trial may start, in one sentence; empty when one may."""


@dataclass(frozen=True, slots=True)
class ModelSLOStatus:
    """State of a ModelSLO."""

    __pydantic_config__ = CONFIG

    observed_generation: int = 0
    """The generation of the spec that this status speaks of."""
    objectives: int = 0
    """How many objectives there are."""
    worst: str = ""
    """The objective with the least budget left."""
    burn: str = ""
    """Burn rate of the worst objective over the window."""
    budget_left: str = ""
    """Percent of the error budget left of the worst objective."""
    budgets: Annotated[tuple[ObjectiveBudget, ...], Field(max_length=256)] = ()
    """Budget by ModelDeployment and objective."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=8, json_schema_extra=keyed_by("type"))] = ()
    """Accepted and MetricsAvailable."""


T = TypeVar("T")
DEPLOYMENT_STATUS: TypeAdapter[ModelDeploymentStatus] = TypeAdapter(ModelDeploymentStatus)
SLO_STATUS: TypeAdapter[ModelSLOStatus] = TypeAdapter(ModelSLOStatus)


def dump(adapter: TypeAdapter[T], status: T) -> dict[str, Any]:
    """Write a status as Kubernetes stores it: camelCase, absent instead of null."""
    written: dict[str, Any] = adapter.dump_python(status, mode="json", by_alias=True, exclude_none=True)
    return written
