"""How requests reach a model: by a gateway or by a Service, and who answers when no version should."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from seatrial.api.fields import CONFIG, ApiModel, PositiveDuration, rule
from seatrial.api.hosts import HostName

FINALIZER = "seatrial.dev/hand-back"
"""On a ModelDeployment whose deletion waits until what it has adopted serves again."""

FITS_ITS_ROUTER = (
    rule(
        "!has(self.traffic.service) || "
        "!self.strategy.steps.exists(s, has(s.shadow) || has(s.preview) || has(s.experiment))",
        "a Service only divides by pods: steps of shadow, preview and experiment need traffic.gateway",
    ),
    rule(
        "!has(self.traffic.service) || !has(self.strategy.sticky)",
        "a Service only divides by pods: strategy.sticky needs traffic.gateway",
    ),
    rule("!has(self.traffic.service) || !has(self.fallback)", "a Service has no fallback: it needs traffic.gateway"),
    rule("!has(self.traffic.service) || !has(self.adopt)", "adopt takes over an HTTPRoute: it needs traffic.gateway"),
    rule(
        "!has(self.traffic.gateway) || self.strategy.steps.all(s, !has(s.preview) || "
        "s.preview.hostnames.all(h, !(h in self.traffic.gateway.hostnames)))",
        "a preview's host names lead to the candidate alone: they can't be those of traffic.gateway",
    ),
)
"""What a ModelDeployment must not ask of a router that can't do it."""


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


class ServiceTraffic(ApiModel):
    """Traffic by a Service over the pods of all versions: shares are those of ready pods."""


class Traffic(ApiModel):
    """How requests reach the model."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule("has(self.gateway) != has(self.service)", "traffic is by a gateway or by a service")
            ]
        },
    )

    gateway: GatewayTraffic | None = None
    """Gateway API: Seatrial owns an HTTPRoute of the ModelDeployment's name."""
    service: ServiceTraffic | None = None
    """No gateway: Seatrial owns a Service of the ModelDeployment's name."""


class BackendRef(ApiModel):
    """A Service of the ModelDeployment's namespace."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the Service."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Port of the Service."""


class Fallback(ApiModel):
    """A Service of the user's own that answers instead of the model: rules, a smaller model, an apology.

    It gets all requests while no version has a ready pod, and from a command `fallback` until a command `restore`.
    """

    backend_ref: BackendRef
    """The Service; it stands in the route at weight 0."""
    after_page: PositiveDuration | None = None
    """How long requests must burn at page level, with no candidate to blame, before it gets them all by itself. Only a
    command does that when absent."""


class Adopt(ApiModel):
    """What serves the model today, and is relieved without losing a request.

    The HTTPRoute of the ModelDeployment's name leads to it, and is taken over as it is. Remove this field to keep for
    good what was adopted.
    """

    deployment: Annotated[str, Field(min_length=1, max_length=253)]
    """The Deployment that serves today. It is scaled to 0 pods once versions answer all requests, and never deleted."""
    backend_ref: BackendRef
    """Its Service, as the HTTPRoute names it."""
    on_delete: Literal["HandBack", "Leave"] = "HandBack"
    """HandBack: when this ModelDeployment is deleted, its end waits until the Deployment has its pods back and all
    requests. Leave: its end waits for nothing, and the HTTPRoute leads nowhere afterwards."""
