"""From a ModelDeployment and its ModelSLOs, as they stand in the cluster, to what the user wishes for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from seatrial.api.commands import Command
from seatrial.api.drift import Retrain
from seatrial.api.model_deployment import ModelDeploymentSpec
from seatrial.api.model_slo import ModelSLOSpec
from seatrial.api.strategy import Webhook
from seatrial.api.templates import LABELLED
from seatrial.api.trial import Plan
from seatrial.rollout.budgets import planned_by
from seatrial.rollout.capacity import Scaling
from seatrial.rollout.decision import Fallback
from seatrial.rollout.planned import objective_of, sli_of
from seatrial.rollout.versions import version_hash
from seatrial.rollout.windows import check as check_windows
from seatrial.rollout.world import Refusal, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from seatrial.api.keeping import Watch
    from seatrial.api.labels import Labels
    from seatrial.api.strategy import Step
    from seatrial.api.trial import PlannedObjective
    from seatrial.metrics.types import Sli
    from seatrial.rollout.versions import Content

T = TypeVar("T")
P = TypeVar("P", Retrain, Webhook)
_COMMANDS: TypeAdapter[list[Command]] = TypeAdapter(list[Command])


def wish_of(
    spec: Mapping[str, Any],
    slos: Mapping[str, Mapping[str, Any]],
    check: Callable[[Sli], object],
    contents: tuple[Content, ...] = (),
) -> Wish | Refusal:
    """Read a wish, or say why it can't be used.

    Parameters
    ----------
    spec
        ``spec`` of the ModelDeployment, raw: the version's hash is taken of it as it was written.
    slos
        Raw ``spec`` of each ModelSLO of the namespace, by name.
    check
        Raises ValueError for an SLI that can't be counted.
    contents
        What the ConfigMaps and Secrets hold that the template reads: they are a part of the version.
    """
    try:
        parsed = ModelDeploymentSpec.model_validate(spec)
    except ValidationError as error:
        return Refusal("InvalidSpec", _sentence("this ModelDeployment", error))
    objectives: list[PlannedObjective] = []
    read: dict[str, ModelSLOSpec] = {}
    for ref in parsed.slos:
        if ref.name not in slos:
            return Refusal("SLOMissing", f"ModelSLO {ref.name} doesn't exist in this namespace: apply it, or edit slos")
        try:
            slo = read[ref.name] = ModelSLOSpec.model_validate(slos[ref.name])
        except ValidationError as error:
            return Refusal("InvalidSLO", _sentence(f"ModelSLO {ref.name}", error))
        planned = planned_by(ref.name, slo)
        for one in planned:
            try:
                check(sli_of(one))
                objective_of(one)
            except ValueError as error:
                return Refusal("InvalidSLO", f"ModelSLO {ref.name}, objective {one.objective.name}: {error}")
        objectives += planned
    try:
        drift = _only("drift", {name: slo.drift for name, slo in read.items()})
        judged = _only("labels", {name: slo.labels for name, slo in read.items()})
        cost = _only("cost", {name: slo.cost for name, slo in read.items()})
        check_windows(parsed.strategy.windows)
        _check_named(parsed.strategy.steps, [planned.key for planned in objectives])
        _labels_to_watch(parsed.strategy.watch, objectives, judged)
    except ValueError as error:
        return Refusal("InvalidSpec", str(error))
    plan = Plan(
        steps=tuple(_without_address(step) for step in parsed.strategy.steps),
        warm_up=parsed.strategy.warm_up,
        ready_deadline=parsed.strategy.ready_deadline,
        drain=parsed.strategy.drain,
        strict=parsed.strategy.strict,
        undecided=parsed.strategy.undecided,
        objectives=tuple(objectives),
        watch=parsed.strategy.watch,
        sticky=parsed.strategy.sticky,
        readiness=parsed.readiness,
        max_surge=parsed.strategy.max_surge,
        drift=drift and drift.model_copy(update={"retrain": _unaddressed(drift.retrain)}),
        labels=judged,
        cost=cost,
    )
    return Wish(
        version=version_hash(spec, contents),
        label=parsed.model.version,
        replicas=parsed.replicas or 1,
        paused=parsed.paused,
        plan=plan,
        observe=parsed.mode == "observe",
        windows=None if parsed.strategy.windows is None else tuple(parsed.strategy.windows),
        keep=parsed.strategy.keep,
        scaling=Scaling(parsed.autoscaling.min, parsed.autoscaling.max) if parsed.autoscaling else None,
        contents=contents,
        fallback=Fallback(parsed.fallback.backend_ref.name, parsed.fallback.backend_ref.port)
        if parsed.fallback
        else None,
        fallback_after_s=parsed.fallback.after_page if parsed.fallback else None,
    )


def commands_of(spec: Mapping[str, Any]) -> tuple[Command, ...]:
    """Read what people ask for; a command is readable even when the rest of the spec can't be used."""
    return tuple(_COMMANDS.validate_python(spec.get("commands") or ()))


def _without_address(step: Step) -> Step:
    """Leave out where a check is posted to: a plan stands in the status, and an address may hold a token."""
    if not step.check or not step.check.webhook:
        return step
    check = step.check.model_copy(update={"webhook": _unaddressed(step.check.webhook)})
    return step.model_copy(update={"check": check})


def _unaddressed(posted: P | None) -> P | None:
    return posted.model_copy(update={"url": None}) if posted else None


def _labels_to_watch(watch: Watch | None, objectives: list[PlannedObjective], labels: Labels | None) -> None:
    """Refuse to watch labels that nobody judges."""
    if not watch or watch.labels is None or (labels and labels.asks):
        return
    if not any(planned.objective.sli.template in LABELLED for planned in objectives):
        templates = " or ".join(sorted(LABELLED))
        raise ValueError(
            f"strategy.watch.labels waits for labels, but no ModelSLO judges any: it takes an objective with template "
            f"{templates}, or labels with calibration, brier or gaps"
        )


def _only(part: str, said: Mapping[str, T | None]) -> T | None:
    """Take what the ModelSLOs say in a part, by their name; raises ValueError when several say something."""
    found = {name: value for name, value in said.items() if value is not None}
    if len(found) > 1:
        raise ValueError(f"ModelSLOs {', '.join(found)} all say {part}: only one of them may")
    return next(iter(found.values()), None)


def _check_named(steps: Sequence[Step], known: Sequence[str]) -> None:
    """Refuse steps that name an objective that there is not: nobody would ever judge them; raises ValueError."""
    for number, step in enumerate(steps, start=1):
        named = [*(step.healthy or ()), *([step.experiment.objective] if step.experiment else ())]
        for name in named:
            if name not in known:
                raise ValueError(f"strategy.steps: step {number} names objective {name}; there are {', '.join(known)}")


def _sentence(what: str, error: ValidationError) -> str:
    """Say where the first fault is, in the words of the manifest."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{what} can't be used: {where}: {first['msg']}"
