"""Label objectives are seen through what the last look at labels knows of coverage: on trial, watched, and late."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.labels import Labels
from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.controller.asking import Findings
from seatrial.controller.cache import Cache, Key
from seatrial.controller.observe import Observer
from seatrial.metrics.types import Checkpoint, Measurements, Reading
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from seatrial.api.labels import LabelStatus
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.metrics.types import Request

KEY = Key("ml", "scorer")
FEW = replace(b.MISLABELLED, verdict="Inconclusive", uncovered="9 of 1,000 matured predictions have a label")
ENOUGH = replace(FEW, verdict="Healthy", uncovered="")


class Wrong:
    """Counts by which every objective of the candidate burns, and none of stable."""

    async def measure(self, request: Request) -> Measurements:
        readings = {
            (version, sli.name): Reading(2000, bad, b.NOW - 1, Checkpoint(b.NOW - 20, 2000, bad))
            for version, bad in ((b.B.hash, 1000), (b.A.hash, 0))
            for sli in request.slis
        }
        return Measurements(b.NOW, None, readings, {})

    def forget(self, *_: str) -> None:
        return


async def nothing(*_: object) -> tuple[()]:
    return ()


async def seen(status: ModelDeploymentStatus, known: LabelStatus | None) -> dict[str, str]:
    """Look at a model in that status, and tell the verdict of each objective."""
    raw: dict[str, Any] = {
        "metadata": {"namespace": "ml", "name": "scorer", "uid": "1", "resourceVersion": "1", "generation": 1},
        "spec": b.SPEC,
        "status": dump(DEPLOYMENT_STATUS, status),
    }
    senses: Any = SimpleNamespace(
        metrics=Wrong(),
        configs=SimpleNamespace(contents=nothing),
        probes=SimpleNamespace(look=lambda *_: None),
        line=SimpleNamespace(queued=lambda _: None, limited=False),
    )
    router: Any = SimpleNamespace(read=lambda *_: None)
    kube: Any = None
    findings = Findings(labels={KEY: known} if known else {})
    observer = Observer(kube, Cache(), senses, router, lambda: b.NOW, fresh_s=10.0, findings=findings)
    world = (await observer.sight(raw, None)).world
    return {entry.objective: entry.verdict for entry in (*world.evidence, *world.late) if entry.total}


def asking(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """Let a version answer to accuracy besides, with coverage."""
    plan = replace(b.late_trial().plan, labels=Labels())
    trial = status.trial and replace(status.trial, plan=plan, evidence=())
    watch = status.label_watch and replace(status.label_watch, trial=replace(status.label_watch.trial, plan=plan))
    return replace(status, trial=trial, label_watch=watch)


@pytest.mark.parametrize("status", [b.on_trial(), b.promoting(), b.watching()], ids=lambda status: status.phase)
async def test_labels_of_few_predictions_blame_no_version_underway(status: ModelDeploymentStatus) -> None:
    status = asking(status)
    assert await seen(status, ENOUGH) == {"availability": "Burning", "accuracy": "Burning"}
    assert await seen(status, FEW) == {"availability": "Burning", "accuracy": "Inconclusive"}


async def test_late_labels_of_few_predictions_lead_back_to_no_version() -> None:
    assert await seen(asking(b.late()), ENOUGH) == {"accuracy": "Burning"}
    assert await seen(asking(b.late()), FEW) == {"accuracy": "Inconclusive"}


async def test_an_operator_that_has_just_started_goes_by_what_is_written_down() -> None:
    assert (await seen(replace(asking(b.watching()), labels=FEW), None))["accuracy"] == "Inconclusive"
    assert (await seen(replace(asking(b.watching()), labels=ENOUGH), None))["accuracy"] == "Burning"
