"""Buckets of histograms in a trial's status, for objectives that compare means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from seatrial.api.fields import CONFIG, Time

MAX_EDGES = 16
"""Edges of a histogram that are told apart; of more, every second is left out."""


@dataclass(frozen=True, slots=True)
class Above:
    """How one version's events lie above the edges, up to an instant."""

    __pydantic_config__ = CONFIG

    at: Time
    """The instant."""
    total: int = 0
    """All events."""
    above: Annotated[tuple[int, ...], Field(max_length=MAX_EDGES)] = ()
    """Events above each edge."""


@dataclass(frozen=True, slots=True)
class MeanEvidence:
    """What has been counted of both versions to compare their means."""

    __pydantic_config__ = CONFIG

    edges: Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(max_length=MAX_EDGES)]
    """Edges of the histogram that both versions share, the last one being the ceiling."""
    candidate: Above
    """The candidate's events since its trial began."""
    stable: Above
    """The stable version's events over the same time."""
    candidate_settled: Above
    """Where counting the candidate goes on after a restart of the operator."""
    stable_settled: Above
    """Where counting the stable version goes on after a restart of the operator."""
