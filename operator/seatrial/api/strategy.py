"""How a new version is tried: the steps of its trial, what each asks for, and what follows its promotion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from seatrial.api.drift import RETRAIN_GATE
from seatrial.api.fields import CONFIG, ApiModel, Duration, PositiveDuration, matches, rule
from seatrial.api.hosts import HostName
from seatrial.api.keeping import Keep, Watch
from seatrial.api.posting import posted_to, posting

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=40)]
"""A name that may become a part of an object's name."""


class Shadow(ApiModel):
    """Copies of requests: the candidate gets them, and its answers are thrown away."""

    percent: Annotated[int, Field(ge=1, le=100)] = 100
    """Percent of the requests that are copied."""


class Preview(ApiModel):
    """A way to the candidate for those who know it, while it has no weight."""

    hostnames: Annotated[list[HostName], Field(min_length=1, max_length=8)]
    """Host names that lead to the candidate alone, on the same gateways."""


class Gate(ApiModel):
    """A decision that people take."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    f"self.name != '{RETRAIN_GATE}'",
                    f"the gate {RETRAIN_GATE} is the one at which retraining waits (drift.retrain.approvals): "
                    "take another name",
                )
            ]
        },
    )

    name: Name
    """Name of the gate; a promote command names it."""
    approvals: Annotated[int, Field(ge=1, le=2)] = 1
    """How many people have to say promote."""


class Webhook(ApiModel):
    """A service of the user's that says whether the candidate may go on."""

    model_config = posting("webhook")

    url: Annotated[str | None, posted_to(512)] = None
    """Where a JSON description of the trial is posted, signed with the operator's key: a 2xx answer passes the check, a
    4xx answer fails it, except 408, 425 and 429; anything else is asked again until the check's timeout. It stands in
    no status, and no trial keeps to it."""


class Check(ApiModel):
    """A test of the candidate that runs once, before the next step: a golden set, parity, load."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [rule("has(self.job) != has(self.webhook)", "a check is a job or a webhook")]
        },
    )

    name: Name
    """Name of the check."""
    job: Annotated[str | None, Field(max_length=253)] = None
    """A suspended Job of this namespace, whose copy is run; it finds the candidate at $SEATRIAL_CANDIDATE (host:port)
    and stable at $SEATRIAL_STABLE."""
    webhook: Webhook | None = None
    """A service that is asked."""
    timeout: PositiveDuration = 600.0
    """How long it may take."""
    on_failure: Literal["rollback", "hold"] = "rollback"
    """What a failed or late check leads to."""


class Match(ApiModel):
    """Which requests belong to group B of an experiment."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [rule("has(self.header) != has(self.cookie)", "match a header or a cookie")]
        },
    )

    header: Annotated[str | None, Field(max_length=128)] = None
    """Name of a request header."""
    cookie: Annotated[str | None, Field(max_length=128)] = None
    """Name of a cookie."""
    value: Annotated[str, Field(min_length=1, max_length=256)]
    """The value that leads to the candidate."""


class Experiment(ApiModel):
    """An A/B test: requests that match go to the candidate, all others to stable, until the comparison is decided."""

    match: Match
    """Which requests go to the candidate."""
    objective: Annotated[str, Field(max_length=127)]
    """What is compared: slo/objective."""
    margin: Annotated[int, Field(ge=0, le=50)] = 0
    """Percent by which the share of good events may be smaller than stable's and still count as not worse."""
    cap: PositiveDuration = 1209600.0
    """When the step ends at the latest; what was not decided by then is held for a person."""


_KINDS = ("weight", "shadow", "preview", "gate", "check", "experiment")


class Step(ApiModel):
    """One step of a trial: some traffic for some time, or something to wait for at the weight that is reached."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    f"[{', '.join(f'has(self.{kind})' for kind in _KINDS)}].filter(given, given).size() == 1",
                    f"a step is one of: {', '.join(_KINDS)}",
                ),
                rule(
                    "(has(self.weight) || has(self.shadow) || has(self.preview)) == has(self.__for__)",
                    "steps of weight, shadow and preview need `for`, such as 10m; the others end by themselves",
                ),
            ]
        },
    )

    weight: Annotated[int | None, Field(ge=1, le=100)] = None
    """Percent of the requests that go to the candidate."""
    shadow: Shadow | None = None
    """Copy requests to the candidate and throw its answers away."""
    preview: Preview | None = None
    """Let those who know the candidate's own host names use it; with it and a step of weight 100: blue/green."""
    gate: Gate | None = None
    """Wait for people."""
    check: Check | None = None
    """Run a test."""
    experiment: Experiment | None = None
    """Compare two groups of users until one is found better, or not worse."""
    for_: Annotated[Duration | None, Field(alias="for")] = None
    """How long the step lasts at least, counted from when the route is as the step asks."""
    min_requests: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """Requests that the candidate must have served in this step before the next one."""
    healthy: Annotated[list[Annotated[str, Field(max_length=127)]] | None, Field(min_length=1, max_length=16)] = None
    """Objectives (slo/objective) that must be Healthy before the next step; all of them when absent."""

    @property
    def lasts_s(self) -> float:
        """Seconds that the step lasts at least."""
        return self.for_ or 0.0


Policy = Literal["hold", "rollback", "promote"]
"""What a step that stays undecided past its deadline leads to."""


class Undecided(ApiModel):
    """What happens to a step that is over in time but was not found Healthy."""

    deadline: PositiveDuration = 3600.0
    """How long after the step's time a decision is waited for. An objective's wait begins anew when its verdict comes
    to lead to something else, and when a pause or an override ends."""
    inconclusive: Policy = "hold"
    """When there are too few requests, or too many bad ones to be sure."""
    no_data: Policy = "hold"
    """When Prometheus answers but knows nothing recent of the version."""
    unavailable: Policy = "hold"
    """When Prometheus can't be read."""
    environment: Policy = "hold"
    """When stable burns as well."""


class Window(ApiModel):
    """A time in which trials may start and go on."""

    cron: Annotated[
        str,
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-validations": [
                    rule(
                        matches("^([0-9A-Za-z*/,-]+ +){4}[0-9A-Za-z*/,-]+$"),
                        "cron has five fields, minute hour day month weekday: '0 9 * * 1-5'",
                    )
                ]
            },
        ),
    ]
    """When it opens, as in crontab."""
    for_: Annotated[PositiveDuration, Field(alias="for")]
    """How long it stays open."""
    time_zone: Annotated[str, Field(max_length=64)] = "UTC"
    """Time zone of cron, such as Europe/Berlin."""


class Sticky(ApiModel):
    """Users stay with the version that answered them first, within a step."""

    cookie: Annotated[
        str,
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-validations": [
                    rule(matches("^[A-Za-z0-9_-]+$"), "a cookie's name has letters, digits, - and _ only")
                ]
            },
        ),
    ] = "seatrial"
    """Name of the cookie that both versions set."""
    max_age: PositiveDuration = 3600.0
    """How long a browser keeps it. Each step deals the users anew."""


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
                        "self.filter(s, has(s.weight)).map(s, s.weight).isSorted() && "
                        "self.filter(s, has(s.weight)).all(s, "
                        "self.filter(t, has(t.weight)).exists_one(t, t.weight == s.weight))",
                        "weights must rise from step to step: for example 1, 10, 50",
                    ),
                ]
            },
        ),
    ]
    """The steps, in order. After the last one the candidate gets all requests."""
    watch: Watch | None = None
    """How long a version is still judged after it has got all requests; it is promoted at once when absent."""
    keep: Keep = Keep()
    """Former versions that can be returned to."""
    windows: Annotated[list[Window] | None, Field(min_length=1, max_length=8)] = None
    """Times in which trials start and steps are taken; always, when absent. A rollback waits for none."""
    sticky: Sticky | None = None
    """Keep users with one version within a step."""
    warm_up: Duration = 10.0
    """How long a candidate's pods must have been ready before they get traffic."""
    ready_deadline: PositiveDuration = 600.0
    """How long a version may take to become ready, or be without any ready pod, before it is rolled back."""
    max_surge: Annotated[int | None, Field(ge=0, le=0)] = None
    """0: a trial takes no more pods than one version has; pods of the candidate replace pods of stable in proportion to
    the weight. When absent, a trial has the pods of both versions."""
    drain: Duration = 30.0
    """How long a version that lost its traffic keeps its pods, so that requests in flight are answered."""
    strict: bool = False
    """Whether a step is passed only on proof that the version keeps its objectives, not already on the absence of proof
    that it breaks them. It takes many more requests."""
    undecided: Undecided = Undecided()
    """What happens to a step that is over in time but was not found Healthy."""
