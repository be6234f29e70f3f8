"""Objectives whose events come in runs: good slices of time instead of good events, and what has been found of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field

from seatrial.api.counts import Totals
from seatrial.api.fields import CONFIG, ApiModel, Percent, PositiveDuration, Time, divides_an_hour, rule

MAX_OF = 60


class Slices(ApiModel):
    """Slices of time that are good or bad as a whole; so many bad ones of the last few are too many."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "self.bad <= self.of",
                    "slices.bad can't be more than slices.of: so many of the last slices, such as 3 of 5",
                ),
                rule(
                    f"!has(self.length) || {divides_an_hour('self.length')}",
                    "slices.length is 10s to 5m and goes into an hour without a rest, such as 30s, 1m or 5m",
                ),
            ]
        },
    )

    length: PositiveDuration = 60.0
    """How long a slice lasts; on trial it lasts on until it has minEvents."""
    good: Percent = Decimal(95)
    """Percent of a slice's events that must be good for the slice to be good, as a decimal string."""
    min_events: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Events that a slice must have to say anything."""
    bad: Annotated[int, Field(ge=1, le=MAX_OF)] = 3
    """How many of the last slices must be bad for a version on trial to be rolled back."""
    of: Annotated[int, Field(ge=1, le=MAX_OF)] = 5
    """How many of the last slices are looked at."""


@dataclass(frozen=True, slots=True)
class SliceEvidence:
    """What is known of the slices of a version on trial."""

    __pydantic_config__ = CONFIG

    since: Time
    """When the slice that is under way began."""
    candidate: Totals
    """The candidate's events up to then."""
    stable: Totals
    """The stable version's events up to then."""
    last: Annotated[str, Field(max_length=MAX_OF)] = ""
    """The last slices, the newest last: o good, x bad on the candidate alone, = bad on stable too."""
    counted: Totals = Totals()  # noqa: RUF009 - frozen, so it can be shared
    """All slices of the trial, and the bad ones among them."""
    step: Totals = Totals()  # noqa: RUF009 - see above
    """Slices when the current step began."""
