"""What follows a promotion, in the status: late labels are watched, and the way back is told."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.api.fields import CONFIG, Time
from seatrial.api.trial import Trial, VersionRef


@dataclass(frozen=True, slots=True)
class LabelWatch:
    """The promoted version is judged on by labels alone, and the one before it is kept without pods until it is over.

    It rests while another version is on trial, and ends when that one is promoted.
    """

    __pydantic_config__ = CONFIG

    former: VersionRef
    """The version that is returned to when labels find the promoted one at fault."""
    since: Time
    """When the promotion was over, and the former version began to drain."""
    until: Time
    """When this ends."""
    trial: Trial
    """The trial of the promoted version, with its frozen plan, and with the evidence of its label objectives so far."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """Whether a rollback would be over in seconds."""

    __pydantic_config__ = CONFIG

    instant: bool
    """Whether the version that would be returned to has ready pods."""
    sentence: str
    """Which version that is, and what it needs, in plain words."""
