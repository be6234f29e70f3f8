"""Who answers for a model, and where to read on when something is wrong with it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seatrial.api.fields import ApiModel, matches, rule

Link = Annotated[
    str,
    Field(
        max_length=512,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(matches("^https?://[^ ]+$"), "write the whole address: https://wiki.example/runbooks/scorer")
            ]
        },
    ),
]
"""An address that people can open."""

HIGH_RISK = rule(
    "!has(self.about) || !has(self.about.risk) || self.about.risk != 'high' || "
    "self.strategy.steps.exists(s, has(s.gate))",
    "a model of high risk needs a person's word: add a step such as {gate: {name: risk-review}}",
)
"""Rule of the spec: a model of high risk needs a gate."""


class About(ApiModel):
    """Who answers for the model. It is told with each warning and stands in the operator's metrics."""

    owner: Annotated[str | None, Field(max_length=253)] = None
    """Who answers for it, such as an address or a name."""
    team: Annotated[str | None, Field(max_length=63)] = None
    """The team that runs it."""
    runbook: Link | None = None
    """What to do when something is wrong."""
    card: Link | None = None
    """The model card: what it is for and what it was trained on."""
    risk: Literal["low", "medium", "high"] | None = None
    """What a wrong answer can do. A model of high risk needs a gate among its steps."""
