"""Counts in the status of a trial: totals, where counting goes on, and where the test looks afresh."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.api.fields import CONFIG, Time


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of one objective's events."""

    __pydantic_config__ = CONFIG

    total: int = 0
    """All events."""
    bad: int = 0
    """Bad events."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """How bad events fell on scrapes: sums from which it follows how clustered they are."""

    __pydantic_config__ = CONFIG

    squares: float = 0.0
    """Squared steps of bad events from scrape to scrape."""
    expected: float = 0.0
    """What independent bad events would bring these to."""
    bad_scrapes: int = 0
    """Scrapes with bad events."""
    last: Totals = Totals()
    """Events of the newest scrape."""


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
    bursts: Bursts = Bursts()
    """How these fell on the scrapes."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Counts at a moment from which the test also looks afresh, so that late breakage is seen as fast as early."""

    __pydantic_config__ = CONFIG

    candidate: Totals
    """The candidate's counts at that moment."""
    stable: Totals
    """The stable version's counts at that moment."""
    at: Time | None = None
    """The moment."""
    bad_at: Time | None = None
    """When the candidate's first bad event after it was seen."""
