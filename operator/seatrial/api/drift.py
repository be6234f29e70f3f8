"""Drift in the API: what a ModelSLO declares about it, and what a ModelDeployment's status shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainSerializer

from seatrial.api.fields import (
    CONFIG,
    DECIMAL_PATTERN,
    ApiModel,
    Duration,
    PositiveDuration,
    Time,
    matches,
    percentage,
    positive_decimal,
    rule,
)
from seatrial.api.posting import posted_to, posting

Action = Literal["rollback", "hold", "notify"]

RETRAIN_GATE = "retrain"
"""The gate at which retraining waits for people; gates of a strategy have other names."""

Level = Annotated[
    Decimal,
    PlainSerializer(str, return_type=str),
    positive_decimal("a level of drift is a positive number below 100, such as '0.2'", below="100"),
]
"""A value of the statistic."""


class DriftRule(ApiModel):
    """When a difference between two distributions counts, and what is done then."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    f"!{matches(DECIMAL_PATTERN, 'self.warn')} || !{matches(DECIMAL_PATTERN, 'self.act')} || "
                    "double(self.warn) <= double(self.act)",
                    "warn must not be above act: for example warn '0.1', act '0.2'",
                )
            ]
        },
    )

    statistic: Literal["psi", "kl", "js", "ks", "wasserstein", "chi-square"] = "psi"
    """psi: population stability index. kl: Kullback-Leibler divergence. js: Jensen-Shannon distance in base 2. ks:
    Kolmogorov-Smirnov on the edges. wasserstein: on the edges, in standard deviations of the reference. chi-square:
    Cohen's w. For categories, ks and wasserstein stand for the total variation."""
    warn: Level = Decimal("0.1")
    """Value from which a difference beyond chance is told."""
    act: Level = Decimal("0.2")
    """Value from which something is done about a difference beyond chance."""


class FeatureDrift(DriftRule):
    """Drift of features."""

    action: Action = "rollback"
    """The most that is done: rollback, hold (the weight stays until a person decides) or notify. What both versions
    see alike is never more than told."""
    faulty: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        percentage("faulty is a percentage from 0 to 99, such as '1': how much more may be missing or out of range"),
    ] = Decimal(1)
    """Percent of a feature's values, beyond those of the other side, that may be missing or out of range, and percent
    of predictions that may be invalid. With 0 any number that is beyond chance counts."""
    names: Annotated[tuple[str, ...], Field(max_length=200)] = ()
    """The features to look at; all that the model server tells of when empty."""


class PredictionDrift(DriftRule):
    """Drift of predictions: the bounds within which a new model may predict differently."""

    action: Action = "notify"
    """The most that is done: rollback, hold or notify. Predictions of a new model are expected to differ, so more than
    notify has to be asked for."""


class Usual(ApiModel):
    """The usual level of drift, for traffic that changes by the hour and by the day."""

    ago: PositiveDuration = 7 * 86400.0
    """How long ago things were as they usually are: 7d is the same hour of last week."""
    rise: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        positive_decimal("rise is a percentage above 0, such as '25'"),
    ] = Decimal(25)
    """Percent by which the statistic must exceed its usual value."""


class Retrain(ApiModel):
    """Whom to tell that a model trained on newer data would help."""

    model_config = posting("retrain")

    url: Annotated[str | None, posted_to(2048)] = None
    """Where the signed webhook is posted to, for ten minutes and then again each hour of the cooldown, until somebody
    answers. It stands in no status, and no trial keeps to it."""
    cooldown: PositiveDuration = 86400.0
    """How long after a webhook no other one is sent."""
    max_per_month: Annotated[int, Field(ge=1, le=10)] = 4
    """So many webhooks are sent in 30 days at most, not counting what nobody answered."""
    approvals: Annotated[int, Field(ge=0, le=2)] = 0
    """How many people have to say promote at the gate `retrain` before a webhook is sent."""


class Drift(ApiModel):
    """What counts as drift. It takes the series ml_model_* of the metrics contract."""

    model_config = ConfigDict(
        **CONFIG,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "has(self.features) || has(self.predictions)",
                    "drift is judged of features or of predictions: name one of them, features: {} will do",
                )
            ]
        },
    )

    features: FeatureDrift | None = None
    """Drift of features."""
    predictions: PredictionDrift | None = None
    """Drift of predictions."""
    window: PositiveDuration = 3600.0
    """How far a look goes back; during a trial at most to its beginning."""
    alpha: Annotated[
        Decimal,
        PlainSerializer(str, return_type=str),
        positive_decimal("alpha is a probability above 0 and below 0.5, such as '0.01'", below="0.5"),
    ] = Decimal("0.01")
    """Probability of a false alarm over all features, faulty values and predictions: over a whole trial for candidate
    against stable, and for each window at rest."""
    usual: Usual | None = None
    """With it, drift of features and predictions from the training profile counts only when it also exceeds its usual
    level."""
    confirm: Annotated[int, Field(ge=1, le=10)] = 2
    """Looks in a row that must find the same before it is told or anything is done."""
    cooldown: Duration = 3600.0
    """How long a drift must be gone before it is called over."""
    retrain: Retrain | None = None
    """Whom to tell when confirmed drift is the world's doing."""


@dataclass(frozen=True, slots=True)
class RetrainCall:
    """A webhook that asks for a model trained on newer data."""

    __pydantic_config__ = CONFIG

    id: str
    """Its idempotency key."""
    at: Time
    """When it was decided; while it waits for approval, since when."""
    state: str
    """Waiting (for approval), Asked, Accepted, Failed (refused), Unanswered (it is sent again until the cooldown is
    over), or Expired: its incident was over before it was approved."""
    sentence: str
    """Why it was sent; what the service said once it has."""
    needs: int = 0
    """How many people have to say promote for it."""
    approvals: tuple[str, ...] = ()
    """Who has said promote for it."""


@dataclass(frozen=True, slots=True)
class DriftIncident:
    """Confirmed drift of the world, from its beginning until a newer version is promoted and it is gone."""

    __pydantic_config__ = CONFIG

    version: str
    """Hash of the version that served when it was confirmed."""
    cause: str
    """The row of the table of blame."""
    sentence: str
    """The finding in plain words."""
    since: Time
    """When it began, as far as the counts tell."""
    confirmed_at: Time
    """When it was confirmed."""
    last_seen: Time
    """When it was last found, of any version."""
    features: Annotated[tuple[str, ...], Field(max_length=5)] = ()
    """The features or outputs that made it, at most the five most drifted: it stays open while they can't be told."""
    promoted_at: Time | None = None
    """When the version that serves now was promoted, if that is a newer one."""
    closed_at: Time | None = None
    """When both had come: a newer version, and no drift any more. Absent while it is open."""

    @property
    def open(self) -> bool:
        """Whether it is not remedied yet."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class DriftedFeature:
    """A feature or an output that has drifted, or is closest to it."""

    __pydantic_config__ = CONFIG

    name: str
    """Name of the feature or output."""
    against: str
    """What the version is compared with: stable or training."""
    level: str
    """Clear, Warn, Act or Inconclusive."""
    sentence: str
    """Value, limits and observations in plain words."""
    value: float = 0.0
    """Value of the statistic, or the share of faulty values."""
    observations: int = 0
    """Observations of the version."""
    shape: str = ""
    """Its histogram, one character for each bin; a dot for an empty one."""
    reference_shape: str = ""
    """The histogram that it is compared with, bin by bin."""


@dataclass(frozen=True, slots=True)
class DriftStatus:
    """What is known of drift."""

    __pydantic_config__ = CONFIG

    at: Time
    """When this was last looked at."""
    version: str
    """Hash of the version that was looked at: the candidate, or stable when nothing is on trial."""
    cause: str
    """Who is at fault: a row of the table of blame; or NoDrift, TooFewObservations, EdgesDiffer, NoSeries,
    ProfilesDiffer or Unavailable; or NotAsked, when no ModelSLO says drift."""
    remedy: str
    """What follows: rollback, hold, notify or nothing; nothing until it is confirmed."""
    sentence: str
    """The finding in plain words."""
    asks: str = "nothing"
    """What this look by itself asks for; what follows is the least that two looks in a row ask for."""
    looks: int = 0
    """How many looks in a row have found drift."""
    confirmed: bool = False
    """Whether enough looks in a row have found it."""
    retrain: bool = False
    """Whether a model trained on newer data would help."""
    since: Time | None = None
    """Since when it has been found without being gone for the cooldown."""
    last_seen: Time | None = None
    """When it was last found."""
    features: Annotated[tuple[DriftedFeature, ...], Field(max_length=5)] = ()
    """The most drifted ones."""
    incident: DriftIncident | None = None
    """Drift of the world that waits for its remedy, or the last one that had it; of all versions."""
    retrained: Annotated[tuple[RetrainCall, ...], Field(max_length=10)] = ()
    """Webhooks that asked for a model trained on newer data, the newest first; of all versions."""
