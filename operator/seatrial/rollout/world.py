"""What one tick has seen: frozen inputs of the decision, gathered before anything is decided or changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.commands import Command, Hold
    from seatrial.api.drift import DriftStatus
    from seatrial.api.keeping import Keep
    from seatrial.api.labels import LabelStatus
    from seatrial.api.strategy import Window
    from seatrial.api.trial import CheckRun, ObjectiveEvidence, Plan
    from seatrial.rollout.capacity import Fitness, Scaling
    from seatrial.rollout.decision import Division, Fallback, Group, Mirror, Preview, Stickiness
    from seatrial.rollout.versions import Content


@dataclass(frozen=True, slots=True)
class Workload:
    """The pods of one version, as its Deployment and the pods themselves tell.

    Attributes
    ----------
    version
        Hash of the version.
    desired, ready, available
        Pod counts; available means ready for the whole warm-up time (``minReadySeconds``).
    terminating
        Whether the Deployment is being deleted.
    crash_looping
        A sentence naming the container, its restarts and its last exit, when a container restarts over and over.
    stuck
        A sentence saying why pods don't start (unschedulable, image can't be pulled, ...).
    restarts
        Restarts of containers, summed over the pods that are there.
    price_per_hour
        What its pods cost together, as their annotations say; None when there is none, or one doesn't say it.
    autoscaler
        Who set the number of pods last, when that was an autoscaler: then nobody else does.
    """

    version: str
    desired: int
    ready: int
    available: int
    terminating: bool = False
    crash_looping: str | None = None
    stuck: str | None = None
    restarts: int = 0
    price_per_hour: float | None = None
    autoscaler: str | None = None


@dataclass(frozen=True, slots=True)
class RouteView:
    """The route as read back from the API server.

    Attributes
    ----------
    weights
        Weight by version hash, 0 to 100, as the route says now.
    accepted, resolved
        The gateway controller's own words on the newest generation (Gateway API, HTTPRoute status.parents).
    problem
        What the gateway controller complains of, in its words.
    attached
        Whether the route hangs on the gateways and host names that the spec names, and all its rules agree.
    mirror, group, sticky, preview, fallback
        What the route does besides (see :class:`~seatrial.rollout.decision.Division`).
    unable
        What the router can't do of what is asked of it, in one sentence.
    real
        Shares that versions really get, 0 to 1, where they can only come near the weights.
    """

    weights: Mapping[str, int]
    accepted: bool
    resolved: bool
    problem: str | None = None
    attached: bool = True
    mirror: Mirror | None = None
    group: Group | None = None
    sticky: Stickiness | None = None
    preview: Preview | None = None
    fallback: Fallback | None = None
    unable: str | None = None
    real: Mapping[str, float] | None = None

    def carries(self, division: Division) -> bool:
        """Tell whether the route is as it has to be, for this division."""
        idle = division.fallback is not None and division.fallback.active
        weights = dict.fromkeys(division.weights, 0) if idle else dict(division.weights)
        same = self.fallback == division.fallback and dict(self.weights) == weights
        return self.attached and same and self.does(division)

    def does(self, division: Division) -> bool:
        """Tell whether the route does all that a division asks for besides weights, and nothing else."""
        extras = ("mirror", "group", "sticky", "preview")
        return all(getattr(self, extra) == getattr(division, extra) for extra in extras)

    @property
    def programmed(self) -> bool:
        """Whether the gateway has taken the route as it stands."""
        return self.accepted and self.resolved


@dataclass(frozen=True, slots=True)
class Incumbent:
    """Who serves the model besides versions, by ``spec.adopt``.

    Attributes
    ----------
    deployment
        Name of the Deployment.
    service, port
        Its Service, as the route names it.
    hand_back
        Whether the ModelDeployment's end has to wait until it serves again.
    leaving
        Whether the ModelDeployment is being deleted.
    pods
        Pods that the Deployment asks for; None when there is none, or it goes. Not read while it need not be known.
    ready
        Pods of it that are available.
    problem
        Why the Deployment can't be read.
    """

    deployment: str
    service: str
    port: int
    hand_back: bool = True
    leaving: bool = False
    pods: int | None = None
    ready: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks for now.

    Attributes
    ----------
    version
        Hash of the wished version.
    label
        The user's own name of it (``spec.model.version``).
    replicas
        Pods wished for each version that serves.
    paused
        Nothing starts and no step is taken; judging and rollback go on.
    plan
        Steps and objectives as they stand in the spec; a trial that runs keeps the plan it started with.
    observe
        Nothing is held or rolled back because of a verdict; it is only told.
    fallback
        Who answers when no version can, or should; None when the user names none.
    fallback_after_s
        How long a burn at page level lasts until the fallback answers by itself; None when it never does.
    windows
        Times in which trials start and go on; None means always.
    keep
        Former versions that stay to be returned to; None keeps none.
    scaling
        The fewest and the most pods of a version, when an autoscaler finds their number; None when it is fixed.
    contents
        What the ConfigMaps and Secrets hold that the version reads, but for those that may change under it.
    """

    version: str
    label: str
    replicas: int
    paused: bool
    plan: Plan
    observe: bool = False
    windows: tuple[Window, ...] | None = None
    keep: Keep | None = None
    scaling: Scaling | None = None
    contents: tuple[Content, ...] = ()
    fallback: Fallback | None = None
    fallback_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a spec can't be used: a CamelCase reason and a sentence that says what to do."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a decision may depend on, besides the status.

    Attributes
    ----------
    now_s
        Unix time of the observation, in seconds.
    generation
        ``metadata.generation`` of the spec that was read.
    wish
        The user's wish, or the reason why the spec can't be used: then nothing starts and no step is taken.
    workloads
        The versions that exist in the cluster, by hash.
    route
        The route as read back, or None when there is none.
    evidence
        What is known of the candidate, judged, by objective; empty when nothing is on trial.
    targets_up
        How many pods of each version Prometheus scrapes successfully right now.
    unlabelled
        Pods that Prometheus scrapes without the labels that name their version, by version.
    metrics_down
        Why the metrics source can't be read, in one sentence; None when it answers or wasn't asked.
    late
        What labels say of the promoted version while they are watched, judged, by objective.
    budget
        What is left of the error budget, as the column shows it.
    paging
        Which objective burns at page level, by the ModelSLO's tiers; None when none does.
    frozen
        Why no new trial may start: an error budget is spent.
    act_problem
        Why the last attempt to bring the cluster to its target failed, in one sentence.
    commands
        What people ask, as it stands in the spec; readable even when the rest of the spec can't be used.
    attested
        Whether the API server vouches for the names that commands are signed with.
    check
        How the check of the current step goes; None when none runs.
    override
        A person's word against the statistics, while it holds; the phase machine takes it from the status.
    fitness
        What is known of the candidate's models; None when they aren't asked.
    queued
        Why a new trial has to wait for others; None when it need not, or when there is no limit.
    limited
        Whether only so many trials may run at the same time.
    drift, labels
        What the last look at drift and at labels has found; None before the first one since the operator started.
    incumbent
        Who serves besides versions; None when the spec adopts nobody.
    """

    now_s: float
    generation: int
    wish: Wish | Refusal
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    route: RouteView | None = None
    evidence: tuple[ObjectiveEvidence, ...] = ()
    late: tuple[ObjectiveEvidence, ...] = ()
    targets_up: Mapping[str, int] = field(default_factory=dict)
    unlabelled: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metrics_down: str | None = None
    budget: str = ""
    paging: str | None = None
    frozen: str | None = None
    act_problem: str | None = None
    commands: tuple[Command, ...] = ()
    attested: bool = False
    check: CheckRun | None = None
    override: Hold | None = None
    fitness: Fitness | None = None
    queued: str | None = None
    limited: bool = False
    drift: DriftStatus | None = None
    labels: LabelStatus | None = None
    incumbent: Incumbent | None = None

    @property
    def observing(self) -> bool:
        """Whether verdicts are only told."""
        return isinstance(self.wish, Wish) and self.wish.observe

    def ready(self, version: str | None) -> int:
        """Count the ready pods of a version; 0 when it doesn't exist."""
        workload = self.workloads.get(version) if version else None
        return workload.ready if workload and not workload.terminating else 0
