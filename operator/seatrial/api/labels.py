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
    """How far groups may be apart: in their shares of wrong answers, or in how one class is predicted or found."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "(self.of == 'errors') == (self.class == '')",
                    "gaps of positive and of recall are about one class: name it in `class`; those of errors have none",
                )
            ]
        },
    )

    slice: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of a slice that the joiner counts by, such as region."""
    of: Literal["errors", "positive", "recall"] = "errors"
    """What is compared: shares of wrong answers; of predictions of a class; or of the actual cases of it that were
    predicted so."""
    class_: Annotated[str, Field(alias="class", max_length=63)] = ""
    """The positive class, as the joiner was told it; only with positive and recall."""
    limit: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        percentage("the limit of a gap is in percentage points from 0 to 99, such as '10'"),
    ]
    """Percentage points by which the shares of two groups may differ."""
    reference: Annotated[str, Field(max_length=63)] = ""
    """Only gaps to this group count; any two groups when empty."""


class Labels(ApiModel):
    """What labels must show beyond shares of good events. It takes the series of the joiner.

    Coverage is asked of all labels: below it neither these questions nor objectives that count labels blame a version.
    """

    calibration: Limit | None = None
    """The highest expected calibration error: how far stated confidence may be from the share of right answers."""
    brier: Limit | None = None
    """The highest Brier score: the mean of (confidence - right) squared."""
    gaps: Annotated[list[Gap], Field(max_length=8, json_schema_extra=keyed_by("slice", "of"))] = []  # noqa: RUF012 - pydantic copies it
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

    @property
    def asks(self) -> bool:
        """Whether anything is asked besides coverage."""
        return self.calibration is not None or self.brier is not None or bool(self.gaps)


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """What labels say about one question."""

    __pydantic_config__ = CONFIG

    name: str
    """coverage, calibration, brier, or the slice of a gap and what the gap is of."""
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
    """When labels come early enough to act: step, watch, cold, later, or unknown while none has come; learnt from their
    delay and the joiner's maturity."""
    action: str
    """What a broken limit leads to: rollback or notify."""
    findings: Annotated[tuple[LabelFinding, ...], Field(max_length=12)] = ()
    """One for each question."""
    uncovered: str = ""
    """Why labels are not held against the version yet: too few of its predictions have one. Empty when they may be."""
    timing: str = ""
    """How long after a prediction its label counts, and what that means; empty while no label has come."""
