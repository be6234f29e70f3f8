"""ModelSLO: what good means for a model, and how much bad it may spend."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainSerializer

from seatrial.api.compare import Compare
from seatrial.api.cost import Cost
from seatrial.api.drift import Drift
from seatrial.api.fields import (
    CONFIG,
    DECIMAL_PATTERN,
    NUMBER_PATTERN,
    PERCENT_PATTERN,
    TIME_PATTERN,
    ApiModel,
    Percent,
    PositiveDuration,
    Threshold,
    keyed_by,
    matches,
    percentage,
    positive_decimal,
    rule,
)
from seatrial.api.labels import Labels
from seatrial.api.slices import Slices
from seatrial.api.templates import IN_RUNS, MEASURED, TIMED


def _cel(names: tuple[str, ...]) -> str:
    return f"[{', '.join(repr(name) for name in names)}]"


Where = Annotated[
    dict[str, Annotated[str, Field(max_length=128)]],
    Field(
        min_length=1,
        max_length=4,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "self.all(name, name.matches('^[a-zA-Z_][a-zA-Z0-9_]{0,62}$') && name != 'le')",
                    "where names labels of the metric, such as {feature: amount}; le is the threshold's",
                )
            ]
        },
    ),
]
"""Labels and the values that they must have."""


class Sli(ApiModel):
    """How good and total events are counted: a template of a known server, or two counters of your own."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "has(self.template) != (has(self.good) || has(self.total))",
                    "name either a template, or your own counters good and total",
                ),
                rule(
                    "has(self.good) == has(self.total)",
                    "counters of your own come in pairs: good and total",
                ),
                rule(
                    f"!has(self.template) || !(self.template in {_cel(TIMED)}) || "
                    f"(has(self.threshold) && {matches(TIME_PATTERN, 'self.threshold')})",
                    f"these templates need a threshold that is a time, such as 250ms: {', '.join(TIMED)}",
                ),
                rule(
                    f"!has(self.template) || !(self.template in {_cel(MEASURED)}) || "
                    f"(has(self.threshold) && {matches(NUMBER_PATTERN, 'self.threshold')})",
                    f"this template needs a threshold that is a number, such as '0.5': {', '.join(MEASURED)}",
                ),
                rule(
                    f"!has(self.threshold) || (has(self.template) && self.template in {_cel((*TIMED, *MEASURED))})",
                    f"only these templates have a threshold: {', '.join((*TIMED, *MEASURED))}",
                ),
                rule(
                    "!has(self.edge) || self.edge == 'exact' || has(self.threshold)",
                    "edge says which neighbour of a threshold counts, so it needs a threshold",
                ),
                rule(
                    "!has(self.template) || self.template != 'check' || (has(self.where) && 'check' in self.where)",
                    "the template check needs to know which one: where: {check: its-name}",
                ),
                rule(
                    "!has(self.where) || has(self.template)",
                    "where belongs to a template; write the labels into counters of your own",
                ),
                rule(
                    "!has(self.server) || has(self.template)",
                    "a server belongs to a template; counters of your own need none",
                ),
                rule(
                    "(!has(self.good) || self.good.contains('$selector')) && "
                    "(!has(self.total) || self.total.contains('$selector'))",
                    "write $selector where the labels of the version belong: app_requests_total{$selector}",
                ),
            ]
        },
    )

    template: Annotated[str | None, Field(max_length=63)] = None
    """Name of a template, such as http-availability, http-latency, time-to-first-token or feature-missing."""
    server: Annotated[str | None, Field(max_length=63)] = None
    """Which server's or gateway's metrics the template reads, such as mlserver, vllm or envoy; ml-model (Seatrial's own
    contract) when absent."""
    threshold: Threshold | None = None
    """Up to what an event is good: a time such as 250ms, or a number for label-absolute-error. It must be an edge of
    the server's histogram, unless edge says otherwise."""
    edge: Literal["exact", "below", "above"] = "exact"
    """What happens when the threshold is no edge of the server's histogram. exact: it is refused, with the edges that
    there are. below: the next edge below it counts, so some events within the threshold count as bad. above: the next
    edge above it counts, so some events beyond the threshold count as good."""
    where: Where | None = None
    """Labels that the counted series must have besides, such as {feature: amount} or {model_name: fraud}."""
    good: Annotated[str | None, Field(max_length=512)] = None
    """Series selector of a counter of good events, with $selector where the version is filled in:
    app_requests_total{code!~"5..",$selector}"""
    total: Annotated[str | None, Field(max_length=512)] = None
    """Series selector of a counter of all events, from the same scrape as good."""


class Rollback(ApiModel):
    """When a version on trial has spent too fast: the parameters of the sequential test."""

    burn_rate: Annotated[
        Decimal, PlainSerializer(str, return_type=str), positive_decimal("burnRate is a positive number, such as '2'")
    ] = Decimal(2)
    """How many times the error budget's own pace a version may burn before it is rolled back."""
    alpha: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        positive_decimal("alpha is a probability above 0 and below 0.5, such as '0.01'", below="0.5"),
    ] = Decimal("0.01")
    """Probability of rolling back a version that burns exactly at burnRate, over its whole trial and all objectives."""
    min_bad: Annotated[int, Field(ge=1, le=1000)] = 3
    """Bad events that must have been seen, whatever the statistics say."""
    allowance: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        positive_decimal("allowance is a percentage above 0 and up to 100, such as '2'", below="100.000001"),
    ] = Decimal(2)
    """Percent of the window's error budget that one release may spend beyond its due, whatever the statistics say."""
    action: Literal["auto", "hold", "notify"] = "auto"
    """What a version that spends too fast leads to: auto rolls it back, hold keeps its weight where it is until a
    person decides, notify only tells."""


_MEANS = "!has(self.compare) || !has(self.compare.mean)"
_EVENTS = f"(!has(self.sli.template) || !(self.sli.template in {_cel(IN_RUNS)}))"
_TIMES = f"(has(self.sli.template) && self.sli.template in {_cel(TIMED)})"


def _measure(field: str) -> str:
    """Write the condition that a field of compare.mean is a time or a number, as its template's threshold is."""
    found = f"self.compare.mean.{field}"
    right = f"({_TIMES} ? {matches(TIME_PATTERN, found)} : {matches(NUMBER_PATTERN, found)})"
    return f"(!has({found}) || {right})"


_SLICES = Slices()
"""How a template whose events come in runs is counted, when nothing else is said."""


class Objective(ApiModel):
    """One objective: a share of good events."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    f"{_MEANS} || (has(self.sli.template) && self.sli.template in {_cel((*TIMED, *MEASURED))})",
                    "a mean is read from a histogram, because a sum and a count don't tell how much values scatter; "
                    f"only these templates have one: {', '.join((*TIMED, *MEASURED))}; leave compare.mean out to "
                    "compare shares",
                ),
                rule(
                    f"{_MEANS} || ({_measure('value')} && {_measure('ceiling')})",
                    "compare.mean.value and ceiling are written like the template's threshold: a time such as 250ms, "
                    f"or for {', '.join(MEASURED)} a number such as '0.5'",
                ),
                rule(
                    f"!has(self.compare) || (!has(self.slices) && {_EVENTS})",
                    "slices of time are good or bad by themselves and not compared: leave compare out; these templates "
                    f"always count slices: {', '.join(IN_RUNS)}",
                ),
            ]
        },
    )

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
    """Name of the objective, unique in this ModelSLO."""
    target: Percent
    """Percent of good events, or of good slices, that is promised, as a decimal string: '99.9'."""
    sli: Sli
    """Where good and total events are counted."""
    slices: Slices | None = None
    """Count slices of time instead of events, because bad events come in runs. The template feature-freshness is
    always counted so."""
    compare: Compare | None = None
    """What a version on trial is compared with. The target then counts for the error budget only."""
    rollback: Rollback | None = None
    """Stands in for the rollback of the whole ModelSLO, for this objective."""

    @property
    def counts_slices(self) -> Slices | None:
        """How slices of time are counted, or None where events are."""
        return self.slices or (_SLICES if self.sli.template in IN_RUNS else None)


BURN_RATE = "(has(o.rollback) ? o.rollback.burnRate : self.rollback.burnRate)"
"""The burn rate of objective ``o``, in CEL."""


class Calendar(ApiModel):
    """A window that begins anew with the calendar, instead of one that always looks back as far."""

    period: Literal["week", "month", "quarter", "year"]
    """How long it lasts; weeks begin on Monday."""
    time_zone: Annotated[
        str,
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-validations": [
                    rule(
                        matches("^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$"),
                        "write the time zone by its IANA name, such as Europe/Paris or UTC",
                    )
                ]
            },
        ),
    ]
    """IANA name of the time zone in whose midnight it begins, such as Europe/Paris."""


class ModelSLOSpec(ApiModel):
    """What good means, and over which window the budget counts."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "self.objectives.all(o, self.objectives.exists_one(p, p.name == o.name))",
                    "two objectives have the same name",
                ),
                rule(
                    "!has(self.cost) || self.objectives.exists(o, o.name == self.cost.objective)",
                    "cost.objective names none of the objectives: it is the one whose events are the predictions",
                ),
                rule(
                    f"self.objectives.all(o, !{matches(PERCENT_PATTERN, 'o.target')} || double(o.target) <= 1.0 || "
                    f"!{matches(DECIMAL_PATTERN, BURN_RATE)} || "
                    f"double{BURN_RATE} * (100.0 - double(o.target)) < 99.9999)",
                    "rollback.burnRate times the error budget of an objective reaches 100 percent: no version could "
                    "ever be rolled back for it; lower burnRate or raise the target",
                ),
            ]
        },
    )

    window: PositiveDuration = 28 * 86400.0
    """Rolling window of the error budget."""
    calendar: Calendar | None = None
    """Calendar window of the error budget, instead of the rolling one."""
    alerts: Literal["workbook", "early"] = "workbook"
    """Burn-rate tiers that are watched for the service as a whole: those of the SRE workbook, or earlier ones."""
    freeze_at: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        percentage("freezeAt is a percentage of the budget from 0 to 99, such as '0' or '10'"),
    ] = Decimal(0)
    """Percent of the error budget left at which no new trial starts any more."""
    objectives: Annotated[list[Objective], Field(min_length=1, max_length=16, json_schema_extra=keyed_by("name"))]
    """The objectives. A version must keep all of them."""
    rollback: Rollback = Rollback()
    """When a version on trial is rolled back."""
    cost: Cost | None = None
    """What predictions may cost."""
    drift: Drift | None = None
    """When features or predictions no longer look as they did."""
    labels: Labels | None = None
    """What labels must show beyond shares of good events."""


class ModelSLO(ApiModel):
    """What good means for a model, and how much error budget there is."""

    spec: ModelSLOSpec
    """What is promised."""
