"""Field types of the API: how durations, percentages, decimals and times are written, and what is refused.

Each type carries its CEL rule (``x-kubernetes-validations``), so that the API server refuses a wrong value at
``kubectl apply`` with the same sentence that the operator would use.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

CONFIG = ConfigDict(
    alias_generator=to_camel,
    validate_by_name=True,
    validate_by_alias=True,
    frozen=True,
    extra="ignore",
    use_attribute_docstrings=True,
)
"""How every model of the API behaves: camelCase outside, frozen, docstrings become `kubectl explain` text."""


class ApiModel(BaseModel):
    """A frozen part of the API, written in camelCase."""

    model_config = CONFIG


UNITS_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION_PATTERN = r"^([0-9]{1,6}(ms|s|m|h|d))+$"
DURATION_SENTENCE = "write a duration such as 500ms, 30s, 10m, 1h30m or 28d"


def rule(expression: str, message: str) -> JsonValue:
    """Make one CEL validation rule of a CRD schema."""
    return {"rule": expression, "message": message}


def matches(pattern: str, subject: str = "self") -> str:
    """Make the CEL expression that a string matches a pattern."""
    return f"{subject}.matches('" + pattern.replace("\\", "\\\\") + "')"


def outlasts(longer: str, shorter: str) -> str:
    """Make the CEL expression that one duration, if it is one, is longer than another."""
    return f"!{matches(DURATION_PATTERN, longer)} || {_milliseconds(longer)} > {_milliseconds(shorter)}"


def divides_an_hour(duration: str) -> str:
    """Make the CEL expression that a duration, if it is one, is 10s to 5m long and goes into an hour without a rest."""
    length = _milliseconds(duration)
    return (
        f"!{matches(DURATION_PATTERN, duration)} || {length} >= 10000 && {length} <= 300000 && 3600000 % {length} == 0"
    )


def _milliseconds(duration: str) -> str:
    """Make the CEL expression that reads a duration: CEL's own ``duration()`` knows no days."""
    units = [f"p.endsWith('{unit}') ? {round(unit_s * 1000)} : " for unit, unit_s in reversed(UNITS_S.items())]
    number = "int(p.find('^[0-9]+'))"
    return f"{duration}.findAll('[0-9]+(ms|s|m|h|d)').map(p, {number} * ({''.join(units)}0)).sum()"


def keyed_by(*keys: str) -> dict[str, JsonValue]:
    """Make the schema keywords of a list whose items are told apart by some of their fields."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def parse_duration(text: object) -> float:
    """Read a duration into seconds.

    Raises
    ------
    ValueError
        If the text is no duration.
    """
    if isinstance(text, (int, float)):
        return float(text)
    if not isinstance(text, str) or not re.fullmatch(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is no duration: {DURATION_SENTENCE}")
    return sum(float(n) * UNITS_S[unit] for n, unit in re.findall(r"([0-9]+)(ms|s|m|h|d)", text))


def format_duration(seconds: float) -> str:
    """Write seconds the way a person would: 90.0 becomes ``1m30s``."""
    rest_ms = round(seconds * 1000)
    parts = []
    for unit, unit_s in UNITS_S.items():
        count, rest_ms = divmod(rest_ms, round(unit_s * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_time(text: object) -> float:
    """Read an RFC 3339 time into Unix seconds."""
    if isinstance(text, (int, float)):
        return float(text)
    return datetime.fromisoformat(str(text)).timestamp()


def format_time(seconds: float) -> str:
    """Write Unix seconds as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _string(*rules: JsonValue, **extra: Any) -> WithJsonSchema:  # noqa: ANN401 - JSON schema keywords are free
    schema: dict[str, Any] = {"type": "string", **extra}
    if rules:
        schema["x-kubernetes-validations"] = list(rules)
    return WithJsonSchema(schema)


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    _string(rule(matches(DURATION_PATTERN), DURATION_SENTENCE), maxLength=32),
]
"""Seconds inside, ``10m`` outside."""

PositiveDuration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    _string(
        rule(matches(DURATION_PATTERN), DURATION_SENTENCE),
        rule("self.matches('[1-9]') || !" + matches(DURATION_PATTERN), "the duration must be longer than 0"),
        maxLength=32,
    ),
]
"""A duration longer than 0."""

THRESHOLD_UNITS_S = {**{unit: Decimal(repr(unit_s)) for unit, unit_s in UNITS_S.items()}, "us": Decimal("0.000001")}
NUMBER_PATTERN = r"^[0-9]{1,9}([.][0-9]{1,9})?$"
TIME_PATTERN = r"^([0-9]{1,9}([.][0-9]{1,9})?(us|ms|s|m|h|d))+$"
"""A duration that may have decimals: the edges of some histograms are no whole milliseconds."""


def parse_threshold(text: str) -> Decimal:
    """Read a threshold: a time into seconds, and a number as it is, both without rounding.

    Raises
    ------
    ValueError
        If the text is neither.
    """
    if re.fullmatch(NUMBER_PATTERN, text):
        return Decimal(text)
    if not re.fullmatch(TIME_PATTERN, text):
        raise ValueError(f"{text!r} is no threshold: write a time such as 250ms or 1.5s, or a number such as 0.5")
    parts = re.findall(r"([0-9.]+)(us|ms|s|m|h|d)", text)
    return sum((Decimal(number) * THRESHOLD_UNITS_S[unit] for number, unit in parts), Decimal(0))


def _threshold(text: object) -> str:
    written = str(text)
    parse_threshold(written)
    return written


Threshold = Annotated[
    str,
    BeforeValidator(_threshold),
    _string(
        rule(
            f"({matches(TIME_PATTERN)} || {matches(NUMBER_PATTERN)}) && self.matches('[1-9]')",
            "a threshold is a time such as 250ms, 1.5s or 24h, or a number such as '0.5', above 0",
        ),
        maxLength=32,
    ),
]
"""Up to what a measured event is good, as it was written."""

Time = Annotated[
    float,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str),
    _string(format="date-time"),
]
"""Unix seconds inside, RFC 3339 outside."""

PERCENT_PATTERN = "^[0-9]{1,3}([.][0-9]{1,6})?$"
DECIMAL_PATTERN = "^[0-9]{1,6}([.][0-9]{1,8})?$"

Percent = Annotated[
    Decimal,
    PlainSerializer(str, return_type=str),
    Field(gt=1, lt=100),
    _string(
        rule(matches(PERCENT_PATTERN), "write the target as a decimal string in percent: '99.9'"),
        rule(
            f"!{matches(PERCENT_PATTERN)} || double(self) < 100.0",
            "a target of 100 percent leaves no error budget: no version could ever pass; use for example '99.99'",
        ),
        rule(
            f"!{matches(PERCENT_PATTERN)} || double(self) > 1.0",
            "the target is a percentage of good events, not a ratio: write '99.9', not '0.999'",
        ),
        maxLength=11,
    ),
]
"""A percentage of good events, exact: 1 < target < 100."""


def positive_decimal(message: str, *, below: str | None = None) -> WithJsonSchema:
    """Make the schema of a positive decimal string, optionally below a bound."""
    limit = f"double(self) > 0.0 && double(self) < {below}" if below else "double(self) > 0.0"
    return _string(rule(f"{matches(DECIMAL_PATTERN)} && {limit}", message), maxLength=16)


def percentage(message: str) -> WithJsonSchema:
    """Make the schema of a percentage from 0 to below 100, as a decimal string."""
    return _string(rule(f"{matches(PERCENT_PATTERN)} && double(self) < 100.0", message), maxLength=11)
