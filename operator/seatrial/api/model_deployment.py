"""ModelDeployment: which model serves, which version of it, and how traffic moves to a new one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema

from seatrial.api.about import HIGH_RISK, About
from seatrial.api.capacity import Autoscaling, LiveConfig, Readiness
from seatrial.api.commands import Command
from seatrial.api.fields import CONFIG, ApiModel, keyed_by, rule
from seatrial.api.strategy import Strategy
from seatrial.api.traffic import FITS_ITS_ROUTER, Adopt, Fallback, Traffic

OPEN: dict[str, JsonValue] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
POD_TEMPLATE: dict[str, Any] = {
    **OPEN,
    "properties": {
        "spec": {
            **OPEN,
            "description": "Pod spec, as in a Deployment.",
            "properties": {
                "containers": {
                    "type": "array",
                    "description": "Containers of the pod, as in a Deployment.",
                    "items": OPEN,
                }
            },
        }
    },
}
"""Declares only what a rule reads. Nothing is defaulted or pruned: the version is the hash of what the user wrote."""


class Model(ApiModel):
    """The user's own words for what is served."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the model, as its registry or its owners call it."""
    version: Annotated[str, Field(min_length=1, max_length=63)]
    """Version of the model, as its registry or its owners call it."""


class SloRef(ApiModel):
    """A ModelSLO of the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the ModelSLO."""


class ModelDeploymentSpec(ApiModel):
    """Which model serves and how traffic moves to a new version of it."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "has(self.template.spec) && has(self.template.spec.containers) && "
                    "size(self.template.spec.containers) > 0",
                    "template.spec.containers is missing: it is a pod template, as in a Deployment",
                ),
                rule(
                    "!has(self.autoscaling) || !has(self.replicas)",
                    "the number of pods is replicas or autoscaling",
                ),
                rule(
                    "!has(self.strategy.maxSurge) || (has(self.replicas) && self.replicas > 1)",
                    "strategy.maxSurge: 0 needs at least 2 replicas: one to try, and one to return to",
                ),
                HIGH_RISK,
                *FITS_ITS_ROUTER,
            ]
        },
    )

    model: Model
    """What is served."""
    replicas: Annotated[int | None, Field(ge=1, le=10_000)] = None
    """Pods of each version that serves; 1 when absent."""
    autoscaling: Autoscaling | None = None
    """Let an autoscaler find the number of pods of each version."""
    template: Annotated[
        dict[str, Any],
        WithJsonSchema(POD_TEMPLATE),
    ]
    """Pod template of the version, as in a Deployment. Any change of it, of model or of port is a new version."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Port of the pods that serves predictions."""
    traffic: Traffic
    """How requests reach the model."""
    readiness: Readiness | None = None
    """What a new version's pods must answer before the version gets any weight."""
    live_config: Annotated[
        list[LiveConfig] | None, Field(max_length=32, json_schema_extra=keyed_by("kind", "name"))
    ] = None
    """ConfigMaps and Secrets of the template that may change under running pods. All others are a part of the version:
    each version keeps its own copy, and a change of their content is a new version."""
    fallback: Fallback | None = None
    """Who answers when no version can, or should."""
    adopt: Adopt | None = None
    """Who serves the model until the first version does."""
    slos: Annotated[
        list[SloRef],
        Field(
            min_length=1,
            max_length=8,
            json_schema_extra={
                **keyed_by("name"),
                "x-kubernetes-validations": [
                    rule("self.all(s, self.exists_one(t, t.name == s.name))", "the same ModelSLO is named twice")
                ],
            },
        ),
    ]
    """The ModelSLOs that a version answers to."""
    strategy: Strategy
    """How a new version is tried."""
    about: About | None = None
    """Who answers for the model, and where to read on."""
    mode: Literal["enforce", "observe"] = "enforce"
    """enforce: verdicts hold and roll back. observe: steps go by time alone and nothing is rolled back; the status says
    what would have been done."""
    commands: Annotated[tuple[Command, ...] | None, Field(max_length=16, json_schema_extra=keyed_by("id"))] = None
    """What people ask of a running rollout (kubectl seatrial promote, pause, abort, ...). Not a part of the manifests
    that a GitOps tool applies."""
    paused: bool = False
    """While true no trial starts and no step is taken. Judging and rollback go on."""
