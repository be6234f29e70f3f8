"""Status of a ModelSLO: error budgets by ModelDeployment and objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter

from seatrial.api.conditions import Condition
from seatrial.api.fields import CONFIG, Duration, keyed_by


@dataclass(frozen=True, slots=True)
class VersionCounts:
    """One version's part in the window."""

    __pydantic_config__ = CONFIG

    version: str
    """Hash of the version."""
    total: int
    """Its events, or slices of time."""
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
    """Events in the window; or slices of time that had enough events, each version's own."""
    bad: int
    """Bad ones among them."""
    burn_rate: float
    """Share of bad events over the error budget."""
    remaining: float
    """Percent of the error budget left; below 0 when overspent."""
    remaining_bad: int
    """Bad ones that the window can still take; below 0 when overspent."""
    exhausted_in: Duration | None = None
    """How long the rest lasts at the burn rate of the last hour; absent when it does not burn."""
    dispersion: float | None = None
    """How clustered the stable version's bad events of the last hours were, from minute to minute: 1 when they come
    alone, 5 in bursts of five. The evidence against a candidate is tempered by it. Absent when there were too few."""
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


SLO_STATUS: TypeAdapter[ModelSLOStatus] = TypeAdapter(ModelSLOStatus)
