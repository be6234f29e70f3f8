"""What a version on trial is compared with, instead of with its objective's target alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, PlainSerializer

from seatrial.api.fields import CONFIG, ApiModel, Percent, Threshold, percentage, rule


class Mean(ApiModel):
    """The mean of what the template's histogram measures, by the middles of its buckets; lower is better."""

    ceiling: Threshold | None = None
    """Values above this edge of the histogram count as this. The lower it is, the fewer requests it takes, and the less
    of the slowest is seen. The histogram's last edge when absent."""
    value: Threshold | None = None
    """The mean that was measured offline, by the middles of the same buckets: a time such as 112ms, or a number for
    label-absolute-error."""


class Compare(ApiModel):
    """What a version on trial is compared with, instead of with the target alone."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "has(self.mean) || has(self.value) == (self.to == 'offline')",
                    "to: offline needs the value that was measured offline, in percent; to: stable has none",
                ),
                rule(
                    "!has(self.mean) || !has(self.value) && has(self.mean.value) == (self.to == 'offline')",
                    "with mean, to: offline needs mean.value, the mean that was measured offline; to: stable has none",
                ),
            ]
        },
    )

    to: Literal["stable", "offline"]
    """stable: the stable version at the same time. offline: a value measured beforehand."""
    margin: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        percentage("margin is a percentage from 0 to 99, such as '5': how much worse the version may be, relatively"),
    ]
    """Percent by which the version's share of good events may be smaller, or its mean larger, relative to what it is
    compared with."""
    value: Percent | None = None
    """Percent of good events that was measured offline."""
    mean: Mean | None = None
    """Compare means instead of shares of good events."""
