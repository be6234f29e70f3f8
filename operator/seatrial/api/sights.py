"""What a look notes in a trial besides evidence: how requests fell, restarts, and what was not done."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.api.fields import CONFIG, Time


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
class Restarts:
    """Restarts of containers, summed over the pods of each side."""

    __pydantic_config__ = CONFIG

    candidate: int
    """Restarts in the candidate's pods."""
    stable: int
    """Restarts in the stable version's pods."""
