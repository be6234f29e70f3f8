"""Labels that come late, on a real API server: the former version stays without pods, and is started when they burn."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from seatrial.api.status import Outcome, Phase
from tests.apiserver.controller.stage import SLO, eventually, rests_on
from tests.apiserver.samples import changed

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from tests.apiserver.controller.stage import Stage

ACCURACY = {"name": "accuracy", "target": "90", "sli": {"template": "label-accuracy"}}
KEPT = ("Deployment", "Service", "ControllerRevision", "PodDisruptionBudget")


async def promoted(stage: Stage, labels: str, **changes: Any) -> tuple[str, str]:
    """Let version 2 be promoted over version 1, whose pods then go; `keep` keeps none."""
    await stage.apply(changed(SLO, metadata__name="labelled", spec__objectives=[*SLO["spec"]["objectives"], ACCURACY]))
    asked = {"spec__slos": [{"name": "labelled"}], "spec__strategy__watch": {"for": "1s", "labels": labels}} | changes
    first = await stage.deploy("1", **asked)
    await stage.until(rests_on(first))
    second = await stage.deploy("2", **asked)
    status = await stage.until(rests_on(second))
    assert status.label_watch is not None
    assert status.label_watch.former.hash == first
    return first, second


async def replicas(stage: Stage, version: str) -> int | None:
    live = await stage.user.get("Deployment", stage.namespace, f"scorer-{version}")
    return live["spec"]["replicas"] if live else None


async def test_labels_that_burn_start_the_version_before_and_only_then_move_its_traffic(stage: Stage) -> None:
    async with stage.operator():
        first, second = await promoted(stage, "1h")
        assert await replicas(stage, first) == 0
        for kind in KEPT:
            assert await stage.versions(kind) == {first, second}
        status = await stage.until(lambda status: bool(status.way_back and not status.way_back.instant))
        assert status.way_back is not None
        assert status.way_back.sentence.split(":")[0] == "no, version 1 is cold"
    # The next operator goes on from what stands in the status.
    stage.meter.spoil(second, one_in=2)
    stage.unready.add(f"scorer-{first}")
    async with stage.operator():
        await stage.until(lambda status: status.phase is Phase.STARTING)
        assert await stage.weight(second) == 100
        await eventually(lambda: replicas(stage, first), 2)
        stage.unready.clear()
        status = await stage.until(rests_on(first, Phase.ROLLED_BACK))
    assert [entry.outcome for entry in status.history[:2]] == [Outcome.RETURNED, Outcome.ROLLED_BACK]
    assert "burns its error budget, labelled/accuracy" in status.history[1].sentence
    assert status.quarantined == (second,)
    assert (await stage.events())[-3:] == ["RollingBack", "Promoting", "RolledBack"]
    assert await stage.routed() == {first: 100}


async def test_when_labels_are_no_longer_watched_the_version_before_is_retired(stage: Stage) -> None:
    async with stage.operator():
        first, second = await promoted(stage, "8s")

        def over(status: ModelDeploymentStatus) -> bool:
            return status.label_watch is None

        await stage.until(over)
        for kind in KEPT:
            await eventually(partial(stage.versions, kind), {second})
    assert (await stage.status()).kept == ()
    assert "LabelWatchEnded" in await stage.events()
    assert first not in await stage.routed()


async def test_a_strategy_that_waits_for_labels_nobody_judges_is_told_so(stage: Stage) -> None:
    async with stage.operator():
        await stage.deploy("1", spec__strategy__watch={"for": "1s", "labels": "1h"})
        status = await stage.until(lambda status: bool(status.conditions))
        accepted = next(c for c in status.conditions if c.type == "Accepted")
    assert accepted.reason == "InvalidSpec"
    assert "no ModelSLO judges any" in accepted.message
