"""Which models ask for slow looks, at drift, labels or prices."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus
from seatrial.controller.cache import Key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from seatrial.api.drift import DriftStatus
    from seatrial.api.fields import ApiModel
    from seatrial.api.labels import LabelStatus
    from seatrial.controller.cache import Cache, Raw

T = TypeVar("T", bound="ApiModel")


@dataclass(frozen=True, slots=True)
class Findings:
    """What slow looks have found, by model: written by their loops, read by the ticks."""

    drift: dict[Key, DriftStatus] = field(default_factory=dict)
    labels: dict[Key, LabelStatus] = field(default_factory=dict)
    prices: dict[Key, Mapping[str, float]] = field(default_factory=dict)
    """What pods cost per hour, by name of the pod."""


def asking(
    cache: Cache, part: Literal["drift", "labels", "cost"], model: type[T]
) -> Iterator[tuple[Key, T, ModelDeploymentStatus]]:
    """Find the models whose ModelSLOs have a part, and what it says; during a trial as the trial's plan has it.

    Labels are asked for by that plan until they are no longer watched.
    """
    for raw in cache.all("ModelDeployment"):
        asked = declared(cache, raw, part, model)
        known = raw.get("status") or {}
        if asked is None and not (known.get("candidate") or known.get("labelWatch")):
            continue
        status = DEPLOYMENT_STATUS.validate_python(known)
        if status.trial and status.candidate:
            asked = getattr(status.trial.plan, part)
        elif part == "labels" and status.label_watch:
            asked = getattr(status.label_watch.trial.plan, part)
        if asked is not None:
            yield Key(raw["metadata"]["namespace"], raw["metadata"]["name"]), asked, status


def declared(cache: Cache, raw: Raw, part: str, model: type[T]) -> T | None:
    """Read a part of a model's ModelSLOs as they are now; that a spec can't be read is told by the ticks."""
    for ref in raw["spec"].get("slos") or ():
        slo = cache.get("ModelSLO", raw["metadata"]["namespace"], str(ref.get("name")))
        if slo and slo["spec"].get(part):
            with contextlib.suppress(ValueError):
                return model.model_validate(slo["spec"][part])
    return None
