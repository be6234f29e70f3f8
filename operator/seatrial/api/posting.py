"""Addresses that the operator posts to: written in a spec, and never copied into a status, as they may hold a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from seatrial.api.fields import CONFIG, matches, rule

if TYPE_CHECKING:
    from pydantic import JsonValue


def posted_to(longest: int) -> Any:  # noqa: ANN401 - what pydantic's Field gives
    """Make the field of an address with so many characters at most."""
    rules: list[JsonValue] = [
        rule(matches("^https?://[^/?#]+([/?#].*)?$"), "the url begins with http:// or https://"),
        rule(
            f"!{matches('^[^/?#]*//[^/?#]*@')}",
            "the url holds a user name or a password: requests are signed with the operator's key, check that instead",
        ),
    ]
    return Field(max_length=longest, json_schema_extra={"x-kubernetes-validations": rules})


def posting(part: str) -> ConfigDict:
    """Say that a part of a spec needs its address. It is optional in the schema only because the status has none."""
    needed = rule("has(self.url)", f"{part}.url is missing: it is where the request is posted to")
    return ConfigDict(**CONFIG, json_schema_extra={"x-kubernetes-validations": [needed]})
