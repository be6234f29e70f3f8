"""When a pod's model is ready, and how many pods a version may have."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema

from seatrial.api.fields import CONFIG, ApiModel, matches, rule

OPEN: dict[str, JsonValue] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

Path = Annotated[
    str,
    Field(
        max_length=512,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(matches("^/[^?#\\s]*$"), "a path begins with / and has neither a query nor white space: /healthz")
            ]
        },
    ),
]


class OpenInference(ApiModel):
    """A model behind the Open Inference Protocol (v2), such as KServe, Triton, MLServer or Seldon serve it."""

    model: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][-._A-Za-z0-9]*$")]
    """Name of the model as the server knows it: `/v2/models/{model}/ready` is asked."""


class WarmUp(ApiModel):
    """Calls that a new version answers before it gets any weight: caches fill, code is compiled."""

    config_map: Annotated[str, Field(min_length=1, max_length=253)]
    """A ConfigMap of this namespace; each of its values is the JSON body of a call."""
    calls: Annotated[int, Field(ge=1, le=1000)] = 10
    """Calls to each pod, the bodies in the order of their keys, again from the first when all were sent."""
    path: Path | None = None
    """Where they are posted; with openInference that is `/v2/models/{model}/infer` when absent."""


class Readiness(ApiModel):
    """What a new version's pods must answer before the version gets any weight."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule("has(self.openInference) != has(self.path)", "readiness is openInference or a path"),
                rule(
                    "!has(self.warmUp) || has(self.openInference) || has(self.warmUp.path)",
                    "warmUp needs the path of the model's predictions",
                ),
            ]
        },
    )

    open_inference: OpenInference | None = None
    """The model speaks the Open Inference Protocol: it is asked whether it is ready, and what it takes and gives."""
    path: Path | None = None
    """A path that answers 2xx once the model can predict."""
    warm_up: WarmUp | None = None
    """Calls that each pod answers first."""
    signature: Literal["hold", "rollback", "ignore"] = "hold"
    """What it leads to when the model takes or gives something else than stable's (openInference only)."""


class Autoscaling(ApiModel):
    """A HorizontalPodAutoscaler for each version; then nothing else sets its number of pods."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [rule("self.min <= self.max", "autoscaling.min is greater than max")]
        },
    )

    min: Annotated[int, Field(ge=1, le=10_000)]
    """The fewest pods. During a trial stable keeps as many as it had, so that it can take all requests back."""
    max: Annotated[int, Field(ge=1, le=10_000)]
    """The most pods."""
    metrics: Annotated[
        list[dict[str, Any]] | None,
        WithJsonSchema({"type": "array", "maxItems": 16, "items": OPEN, "x-kubernetes-list-type": "atomic"}),
    ] = None
    """What the number follows, as in autoscaling/v2; 80 % of the requested CPU when absent."""
    behavior: Annotated[dict[str, Any] | None, WithJsonSchema(OPEN)] = None
    """How fast it follows, as in autoscaling/v2."""


class LiveConfig(ApiModel):
    """A ConfigMap or Secret that pods read as it is at any time."""

    kind: Literal["ConfigMap", "Secret"]
    """Its kind."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name."""
