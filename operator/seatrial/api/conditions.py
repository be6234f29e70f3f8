"""Conditions, as Kubernetes writes them."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.api.fields import CONFIG, Time


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as Kubernetes writes them."""

    __pydantic_config__ = CONFIG

    type: str
    """Accepted, Ready, Progressing, TrafficInSync, SplitAsTold, MetricsAvailable, DriftFree, LabelsGood or
    CostInBounds."""
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
