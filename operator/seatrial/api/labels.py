"""Labels in the API: what a ModelSLO asks of them beyond shares of good events, and what a status shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainSerializer

from seatrial.api.fields import CONFIG, ApiModel, Time, keyed_by, percentage, positive_decimal, rule

SHARE = "is a number above 0 and below 1, such as '0.05'"

Limit = Annotated[
    Decimal,
    PlainSerializer(str, return_type=str),
    positive_decimal(f"a limit of calibration or of the Brier score {SHARE}", below="1"),
]
"""A limit between 0 and 1."""


class Gap(ApiModel):
    """How far groups may be apart in their shares of wrong answers."""

    slice: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of a slice that the joiner counts by, such as region."""
    limit: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        percentage("the limit of a gap is in percentage points from 0 to 99, such as '10'"),
    ]
    """Percentage points by which the shares of wrong answers of two groups may differ."""
    reference: Annotated[str, Field(max_length=63)] = ""
    """Only gaps to this group count; any two groups when empty."""


class Labels(ApiModel):
    """What labels must show beyond shares of good events. It takes the series of the joiner."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "has(self.calibration) || has(self.brier) || (has(self.gaps) && size(self.gaps) > 0)",
                    "labels are judged by calibration, brier or gaps: name at least one of them",
                )
            ]
        },
    )

    calibration: Limit | None = None
    """The highest expected calibration error: how far stated confidence may be from the share of right answers."""
    brier: Limit | None = None
    """The highest Brier score: the mean of (confidence - right) squared."""
    gaps: Annotated[list[Gap], Field(max_length=8, json_schema_extra=keyed_by("slice"))] = []  # noqa: RUF012 - pydantic copies it
    """How far groups may be apart."""
    coverage: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        percentage("coverage is a percentage from 0 to 99, such as '10': how many predictions must have a label"),
    ] = Decimal(10)
    """Percent of the matured predictions that must have a label; below it labels don't speak for all."""
    alpha: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        positive_decimal("alpha is a probability above 0 and below 0.5, such as '0.01'", below="0.5"),
    ] = Decimal("0.01")
    """Probability of blaming a version that keeps all limits just so; shared by calibration, Brier score and gaps."""
    action: Literal["rollback", "notify"] = "notify"
    """What a broken limit leads to while the version is on trial or watched: rollback, or only to be told."""


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """What labels say about one question."""

    __pydantic_config__ = CONFIG

    name: str
    """Coverage, Calibration, Brier, or the slice of a gap."""
    verdict: str
    """Healthy, Burning, Inconclusive or NoData."""
    sentence: str
    """The verdict in plain words."""
    value: float
    """Share, score or difference."""
    limit: float
    """Its limit."""


@dataclass(frozen=True, slots=True)
class LabelStatus:
    """What labels say about a version."""

    __pydantic_config__ = CONFIG

    at: Time
    """When this was last looked at."""
    version: str
    """Hash of the version: the candidate, or stable when nothing is on trial."""
    verdict: str
    """The worst verdict; Unavailable while Prometheus can't be read."""
    sentence: str
    """The worst finding in plain words."""
    acts: str
    """When labels come early enough to act: step, watch, cold or later; learnt from their delay."""
    action: str
    """What a broken limit leads to: rollback or notify."""
    findings: Annotated[tuple[LabelFinding, ...], Field(max_length=12)] = ()
    """One for each question."""
