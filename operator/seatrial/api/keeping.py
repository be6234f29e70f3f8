"""After the promotion: how long the new version is judged on, and how long former ones can be returned to."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from seatrial.api.fields import CONFIG, ApiModel, PositiveDuration, outlasts, rule

LABELS_OUTLAST = "labels are watched for longer than `for`: both count from when the version has all requests"


class Watch(ApiModel):
    """How long a version is still judged after it has got all requests."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(f"!has(self.labels) || {outlasts('self.labels', 'self.__for__')}", LABELS_OUTLAST)
            ]
        },
    )

    for_: Annotated[PositiveDuration, Field(alias="for")]
    """How long the former version keeps its pods, so that a rollback takes seconds."""
    labels: PositiveDuration | None = None
    """How long the version is judged by labels, which come late, counted as `for` is. After `for` the former version is
    kept without pods: a rollback starts them first. When absent, nothing is judged after `for`."""


class Keep(ApiModel):
    """Former versions that can be returned to: their Deployments stay, without pods."""

    versions: Annotated[int, Field(ge=0, le=10)] = 2
    """How many."""
    for_: Annotated[PositiveDuration, Field(alias="for")] = 2592000.0
    """How long, counted from when the version had lost its traffic."""
