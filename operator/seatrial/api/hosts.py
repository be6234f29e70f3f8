"""Host names, as the Gateway API takes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from seatrial.api.fields import matches, rule

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
