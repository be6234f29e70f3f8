"""The trial of a version: its plan, what has been seen of it, and where counting and testing go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from seatrial.api.capacity import Readiness
from seatrial.api.commands import Verb
from seatrial.api.cost import Cost, CostStatus
from seatrial.api.counts import Restart, Settled, Totals
from seatrial.api.drift import Drift
from seatrial.api.fields import CONFIG, Duration, Time
from seatrial.api.keeping import Watch
from seatrial.api.labels import Labels
from seatrial.api.means import MeanEvidence
from seatrial.api.model_slo import Objective, Rollback
from seatrial.api.sights import Restarts, Split, Untaken
from seatrial.api.slices import SliceEvidence
from seatrial.api.strategy import Step, Sticky, Undecided


@dataclass(frozen=True, slots=True)
class VersionRef:
    """A version: its hash, and what the user calls it."""

    __pydantic_config__ = CONFIG

    hash: str
    """Hash of the template, the model and the port: the suffix of its Deployment and Service."""
    label: str
    """The user's name of it (spec.model.version when it was applied)."""


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
    watch: Watch | None = None
    """How long the version is still judged after it has got all requests."""
    sticky: Sticky | None = None
    """How users are kept with one version within a step."""
    readiness: Readiness | None = None
    """What the version's pods must answer before it gets any weight."""
    max_surge: int | None = None
    """0 when the trial takes no more pods than one version has."""
    cost: Cost | None = None
    """What predictions may cost."""
    drift: Drift | None = None
    """What counts as drift."""
    labels: Labels | None = None
    """What labels must show beyond shares of good events."""


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
    dispersion: float = 1.0
    """How clustered bad events are, by which the evidence is tempered: 1 when they come alone, 5 in bursts of five."""
    resolution: str = ""
    """Why the events so far are too few for the objective, and how many it takes; empty when they are enough."""
    edge: str = ""
    """Which edge of the histogram counts instead of the threshold, and what that means; empty when there is no need."""
    undecided_since: Time | None = None
    """Since when the verdict has led to what strategy.undecided says of it; absent while a person holds the rollout."""
    mean: MeanEvidence | None = None
    """Counts for an objective that compares means, once the edges of both histograms are known."""
    condemned_at: Time | None = None
    """Time of the scrape that condemns the version, while stable's next one has yet to say whether it suffers too."""
    bad_at: Time | None = None
    """When the candidate's first bad event was seen."""
    slices: SliceEvidence | None = None
    """What is known of the slices of time, for an objective that counts them."""

    @property
    def counted(self) -> Totals:
        """What the error budget counts: events, or slices of time."""
        return self.slices.counted if self.slices else Totals(self.total, self.bad)

    @property
    def key(self) -> str:
        """ModelSLO and objective, as a planned objective's key."""
        return f"{self.slo}/{self.objective}"


@dataclass(frozen=True, slots=True)
class CheckRun:
    """How a check of the candidate goes."""

    __pydantic_config__ = CONFIG

    name: str
    """Name of the check."""
    state: Literal["Running", "Passed", "Failed"]
    """Whether it is over, and how it ended."""
    sentence: str
    """What it said, in plain words."""


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """What an experiment has found so far, valid at every look."""

    __pydantic_config__ = CONFIG

    low: float
    """The effect is at least this, with the confidence of the objective's alpha."""
    high: float
    """The effect is at most this, with the same confidence."""
    verdict: str
    """Healthy (not worse, proven), Burning (worse, proven), Inconclusive, or NoData while a side has no events."""
    sentence: str
    """The finding in plain words."""
    effect: float | None = None
    """Share of good events of the candidate over that of stable; absent while a side has no events."""
    capped: bool = False
    """Whether its time was over before it was decided: nobody is sent to the candidate for it any more."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command that waits to be carried out."""

    __pydantic_config__ = CONFIG

    verb: Verb
    """What was asked."""
    sentence: str
    """Who asked, and why."""


@dataclass(frozen=True, slots=True)
class Return:
    """A former version that somebody wants back."""

    __pydantic_config__ = CONFIG

    version: VersionRef
    """The version."""
    sentence: str
    """Who asked, and why."""


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
    restarts_from: Restarts | None = None
    """Restarts of both sides' containers when the version was first given weight."""
    unready_since: Time | None = None
    """Since when the version has been without the pods that it needs; absent while it has them."""
    would_have_rolled_back: Untaken | None = None
    """When this version would have been rolled back, had the mode not been observe."""
    evidence: tuple[ObjectiveEvidence, ...] = ()
    """What has been seen, by objective."""
    approvals: tuple[str, ...] = ()
    """Who has said promote at the gate where the trial stands."""
    check: CheckRun | None = None
    """How the check of the current step goes."""
    experiment: ExperimentResult | None = None
    """What the experiment of the current step has found so far."""
    ordered: Order | None = None
    """A command that waits to be carried out."""
    cost: CostStatus | None = None
    """What the version's predictions cost, while it is watched."""
    pods: int | None = None
    """Pods that all requests take: the most of the version's that were available at once or, with an autoscaler, those
    that stable had when the trial began."""
    ready_in: Duration | None = None
    """How long its pods took until all were ready and warm, once; absent until then."""
    returning: bool = False
    """Whether the version is a former one that is returned to: it takes no steps."""
    fault: str = ""
    """Why the operator returns to it by itself: what it has found at fault with stable; empty when a person asked."""
