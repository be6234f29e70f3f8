"""ModelDeployment: which model serves, which version of it, and how traffic moves to a new one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema

from seatrial.api.fields import CONFIG, ApiModel, Duration, PositiveDuration, Time, keyed_by, matches, rule

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
HostName = Annotated[
    str,
    Field(
        max_length=253,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    matches(f"^([*][.])?{LABEL}([.]{LABEL})*$"),
                    "a host name is lower-case and has no scheme, port or path: scorer.example.com or *.example.com",
                )
            ]
        },
    ),
]
"""A host name as an HTTPRoute takes it."""

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


class ParentRef(ApiModel):
    """A Gateway that the route attaches to (Gateway API, ParentReference)."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Name of the Gateway."""
    namespace: Annotated[str | None, Field(max_length=63)] = None
    """Namespace of the Gateway; this ModelDeployment's when absent."""
    section_name: Annotated[str | None, Field(max_length=253)] = None
    """Name of one listener; all that fit when absent."""


class GatewayTraffic(ApiModel):
    """Traffic by an HTTPRoute of the Gateway API."""

    parent_refs: Annotated[list[ParentRef], Field(min_length=1, max_length=8)]
    """Gateways that lead to this model."""
    hostnames: Annotated[list[HostName], Field(min_length=1, max_length=16)]
    """Host names that lead to this model."""


class Traffic(ApiModel):
    """How requests reach the model."""

    gateway: GatewayTraffic
    """Gateway API: Seatrial owns an HTTPRoute of the ModelDeployment's name."""


class Step(ApiModel):
    """One step of a trial: how much traffic, how long, and how much must have been seen."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """Percent of the requests that go to the candidate."""
    for_: Annotated[Duration, Field(alias="for")]
    """How long the step lasts at least, counted from when the route carries its weight."""
    min_requests: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Requests that the candidate must have served in this step before the next one."""


Policy = Literal["hold", "rollback", "promote"]
"""What a step that stays undecided past its deadline leads to."""


class Undecided(ApiModel):
    """What happens to a step that is over in time but was not found Healthy."""

    deadline: PositiveDuration = 3600.0
    """How long after the step's time a decision is waited for."""
    inconclusive: Policy = "hold"
    """When there are too few requests, or too many bad ones to be sure."""
    no_data: Policy = "hold"
    """When Prometheus answers but knows nothing recent of the version."""
    unavailable: Policy = "hold"
    """When Prometheus can't be read."""
    environment: Policy = "hold"
    """When stable burns as well."""


class Strategy(ApiModel):
    """How a new version is tried."""

    steps: Annotated[
        list[Step],
        Field(
            min_length=1,
            max_length=32,
            json_schema_extra={
                "x-kubernetes-validations": [
                    rule("size(self) > 0", "a trial needs at least one step: for example {weight: 10, for: 10m}"),
                    rule(
                        "self.all(s, self.exists_one(t, t.weight == s.weight)) && "
                        "(size(self) < 2 || self.map(s, s.weight).isSorted())",
                        "weights must rise from step to step: for example 1, 10, 50",
                    ),
                ]
            },
        ),
    ]
    """The steps, in order. After the last one the candidate is promoted."""
    warm_up: Duration = 10.0
    """How long a candidate's pods must have been ready before they get traffic."""
    ready_deadline: PositiveDuration = 600.0
    """How long a version may take to become ready, or be without any ready pod, before it is rolled back."""
    drain: Duration = 30.0
    """How long a version that lost its traffic keeps its pods, so that requests in flight are answered."""
    strict: bool = False
    """Whether a step is passed only on proof that the version keeps its objectives, not already on the absence of proof
    that it breaks them. It takes many more requests."""
    undecided: Undecided = Undecided()
    """What happens to a step that is over in time but was not found Healthy."""


class Override(ApiModel):
    """A person's word against the statistics."""

    reason: Annotated[str, Field(min_length=3, max_length=512)]
    """Why, for those who come after: it is shown in status, Events and the history."""
    until: Time
    """When the override ends by itself, such as 2026-12-24T18:00:00Z."""


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
            ]
        },
    )

    model: Model
    """What is served."""
    replicas: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Pods of each version that serves."""
    template: Annotated[
        dict[str, Any],
        WithJsonSchema(POD_TEMPLATE),
    ]
    """Pod template of the version, as in a Deployment. Any change of it, of model or of port is a new version."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Port of the pods that serves predictions."""
    traffic: Traffic
    """How requests reach the model."""
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
    mode: Literal["enforce", "observe"] = "enforce"
    """enforce: verdicts hold and roll back. observe: steps go by time alone and nothing is rolled back; the status says
    what would have been done."""
    override: Override | None = None
    """Until it expires, every verdict counts as Healthy and a spent budget stops nothing. Crash loops and missing pods
    still roll back."""
    paused: bool = False
    """While true no trial starts and no step is taken. Judging and rollback go on."""
