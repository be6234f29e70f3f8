"""Read ModelDeployments and ModelSLOs from a file, as ``kubectl apply`` would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from seatrial.api.model_deployment import ModelDeploymentSpec
from seatrial.api.model_slo import ModelSLOSpec
from seatrial.rollout.budgets import planned_by
from seatrial.rollout.planned import objective_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from seatrial.api.trial import PlannedObjective
    from seatrial.judge.types import Objective

__all__ = ["Deployment", "Manifests", "objectives_of", "planned_of", "read_manifests"]

_GROUP = "seatrial.dev/"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A ModelDeployment of a file."""

    namespace: str
    name: str
    spec: ModelDeploymentSpec


@dataclass(frozen=True, slots=True)
class Manifests:
    """What the files hold; SLOs by namespace and name."""

    deployments: tuple[Deployment, ...]
    slos: dict[tuple[str, str], ModelSLOSpec]


def read_manifests(paths: Iterable[Path]) -> Manifests:
    """Read the two kinds from YAML files; other kinds are passed over.

    Raises
    ------
    ValueError
        With a sentence for the user: no YAML, or a manifest that the API would refuse.
    """
    deployments: list[Deployment] = []
    slos: dict[tuple[str, str], ModelSLOSpec] = {}
    for path in paths:
        try:
            documents = [d for d in yaml.safe_load_all(path.read_text(encoding="utf-8")) if isinstance(d, dict)]
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is no YAML: {error}") from None
        for document in documents:
            if not str(document.get("apiVersion", "")).startswith(_GROUP):
                continue
            metadata = document.get("metadata") or {}
            namespace, name = str(metadata.get("namespace", "default")), str(metadata.get("name", ""))
            try:
                if document.get("kind") == "ModelDeployment":
                    spec = ModelDeploymentSpec.model_validate(document.get("spec"))
                    deployments.append(Deployment(namespace, name, spec))
                elif document.get("kind") == "ModelSLO":
                    slos[namespace, name] = ModelSLOSpec.model_validate(document.get("spec"))
            except ValidationError as error:
                raise ValueError(f"{path}, {document['kind']} {name}: {_first_problem(error)}") from None
    return Manifests(tuple(deployments), slos)


def planned_of(deployment: Deployment, manifests: Manifests) -> list[tuple[PlannedObjective, float]]:
    """Return the objectives that a deployment answers to, each with its SLO window in seconds.

    Raises
    ------
    ValueError
        When a ModelSLO is not among the files.
    """
    found: list[tuple[PlannedObjective, float]] = []
    for reference in deployment.spec.slos:
        slo = manifests.slos.get((deployment.namespace, reference.name))
        if slo is None:
            raise ValueError(
                f"ModelDeployment {deployment.name} answers to the ModelSLO {reference.name} of namespace "
                f"{deployment.namespace}, which is in none of the files: give its file too, with another -f"
            )
        found += [(planned, slo.window) for planned in planned_by(reference.name, slo)]
    return found


def objectives_of(planned: Iterable[tuple[PlannedObjective, float]]) -> list[tuple[Objective, float]]:
    """Return those that count events, as the sequential test knows them.

    Raises
    ------
    ValueError
        When one of them cannot be judged.
    """
    return [(objective_of(one), window_s) for one, window_s in planned if not one.objective.counts_slices]


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}"
