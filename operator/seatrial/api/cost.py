"""What predictions may cost, and what has been found of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainSerializer

from seatrial.api.fields import CONFIG, ApiModel, Duration, PositiveDuration, Time, positive_decimal, rule

PRICE_ANNOTATION = "seatrial.dev/price-per-hour"
"""Annotation of a pod: its price per hour, as a decimal number in any currency."""
ANNOTATION = "annotation"
"""Prices by that annotation, and not by metrics."""


class Cost(ApiModel):
    """What a thousand predictions may cost, by the prices of the version's pods, once it serves all requests."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "self.bad <= self.of",
                    "cost.bad can't be more than cost.of: so many of the last slices, such as 4 of 5",
                )
            ]
        },
    )

    objective: Annotated[str, Field(max_length=63)]
    """Name of the objective of this ModelSLO whose events are the predictions, such as its availability."""
    per_thousand: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        positive_decimal("perThousand is a positive price, such as '0.40'"),
    ]
    """The cap: what a thousand predictions may cost, in the currency of the prices."""
    prices: Literal["annotation", "opencost"] = "annotation"
    """Who says what pods cost per hour: their annotation seatrial.dev/price-per-hour, or OpenCost's metrics in
    Prometheus."""
    slice: PositiveDuration = 60.0
    """Length of a slice of time, which is above the cap or not."""
    bad: Annotated[int, Field(ge=1, le=60)] = 4
    """How many of the last slices must be above the cap."""
    of: Annotated[int, Field(ge=1, le=60)] = 5
    """How many slices are looked at."""
    min_predictions: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """A slice with fewer predictions says nothing: at night every model is dear."""
    action: Literal["notify", "rollback"] = "notify"
    """What a version above the cap leads to, while it is watched."""


@dataclass(frozen=True, slots=True)
class CostStatus:
    """What is known of a version's cost."""

    __pydantic_config__ = CONFIG

    since: Time
    """When the slice that is under way began."""
    predictions: int
    """Predictions up to then."""
    slices: str = ""
    """The last slices, the newest last: x above the cap, o not."""
    sentence: str = "the first slice is under way"
    """What was found, in one sentence."""
    known: str = ""
    """What the last slice that could tell has found."""
    price_unknown: bool = False
    """Whether the last slice can't tell because prices are missing for a part of it."""
    at: Time | None = None
    """Up to when spent counts."""
    price: float | None = None
    """What the pods cost per hour since then; absent when one of them has no price."""
    spent: float = 0.0
    """What the pods have cost in the slice that is under way, as far as their price is known."""
    unpriced: Duration = 0.0
    """For how long of that slice their price is not known."""
