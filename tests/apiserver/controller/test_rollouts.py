"""Whole rollouts: first version, promotion, rollback, and what people do in the middle of them."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

from seatrial.api.status import Outcome, Phase
from tests.apiserver.controller.stage import SLO, on_trial, rests_on

if TYPE_CHECKING:
    from seatrial.api.conditions import Condition
    from seatrial.api.status import ModelDeploymentStatus
    from tests.apiserver.controller.stage import Stage

FIRST = ["Deploying", "Deployed"]
PROMOTED = ["TrialStarting", "StepStarted", "StepStarted", "Promoting", "Promoted"]
LONG = [{"weight": 10, "for": "1h"}]


def condition(status: ModelDeploymentStatus, kind: str) -> Condition:
    return next(found for found in status.conditions if found.type == kind)


def shares(stage: Stage, version: str) -> list[int]:
    """Tell which weights a version was given, one after another."""
    given = [weights.get(version, 0) for _, _, weights in stage.weights]
    return given[:1] + [after for before, after in pairwise(given) if before != after]


async def test_a_good_version_goes_through_its_steps_and_is_promoted(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1")
        await stage.until(rests_on(first))
        assert await stage.routed() == {first: 100}
        second = await stage.deploy("2")
        status = await stage.until(rests_on(second))
    assert shares(stage, second) == [0, 10, 50, 100]
    assert await stage.events() == FIRST + PROMOTED
    assert [entry.outcome for entry in status.history] == [Outcome.PROMOTED, Outcome.DEPLOYED]
    # What the old version had is gone, and no pod of the new one was touched: its Deployment is as it was made.
    assert await stage.routed() == {second: 100}
    assert await stage.versions("Deployment") == await stage.versions("Service") == {second}
    made = await stage.user.get("Deployment", stage.namespace, f"scorer-{second}")
    assert made is not None
    assert made["metadata"]["generation"] == 1
    assert {c.type: c.status for c in status.conditions} == {
        "Accepted": "True",
        "Ready": "True",
        "Progressing": "False",
        "TrafficInSync": "True",
        "SplitAsTold": "Unknown",
        "MetricsAvailable": "Unknown",
    }


async def test_each_step_lasts_as_long_as_it_says_and_every_request_is_counted_once(stage: Stage) -> None:
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1")))
        second = await stage.deploy("2")
        status = await stage.until(rests_on(second))
    given_s = {weights.get(second, 0): at_s for at_s, _, weights in reversed(stage.weights)}
    assert given_s[50] - given_s[10] >= 1
    assert given_s[100] - given_s[50] >= 1
    assert status.trial is not None
    assert status.trial.weighted_at is not None
    settled = status.trial.evidence[0].candidate_settled
    assert (settled.total, settled.bad) == stage.meter.count(second, status.trial.weighted_at, settled.at)
    assert settled.total > 100


async def test_a_bad_version_loses_its_traffic_in_one_step_and_is_not_tried_again(stage: Stage) -> None:
    async with stage.operator() as kube:
        first = await stage.deploy("1")
        await stage.until(rests_on(first))
        second = await stage.deploy("2", spec__model__name="broken")
        stage.meter.spoil(second, one_in=2)
        status = await stage.until(rests_on(first, Phase.ROLLED_BACK))
        assert shares(stage, second) == [0, 10, 0]
        assert status.quarantined == (second,)
        assert "burns its error budget" in status.history[0].sentence
        assert await stage.routed() == {first: 100}
        assert await stage.versions("Deployment") == await stage.versions("Service") == {first}
        # Applied once more it is the same version, whatever else is edited: it stays where it is.
        await stage.deploy("2", spec__model__name="broken", spec__strategy__drain="2s")
        await stage.until(lambda status: status.observed_generation == 3)
        made = len([call for call in kube.calls if call.resource == "deployments"])
        await asyncio.sleep(1)
        assert (await stage.status()).phase is Phase.ROLLED_BACK
        assert len([call for call in kube.calls if call.resource == "deployments"]) == made
        # Stable applied again is the end of it, and a third version gets its trial.
        await stage.deploy("1")
        await stage.until(rests_on(first))
        third = await stage.deploy("3")
        await stage.until(rests_on(third))
    assert await stage.events() == [
        *FIRST,
        *("TrialStarting", "StepStarted", "RolledBack", "BackToStable"),
        *PROMOTED,
    ]


async def test_a_new_spec_in_mid_trial_takes_the_traffic_from_the_former_before_it_gets_any(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1")
        await stage.until(rests_on(first))
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        await stage.until(on_trial(second))
        third = await stage.deploy("3")
        status = await stage.until(rests_on(third))
    assert [entry.outcome for entry in status.history][:2] == [Outcome.PROMOTED, Outcome.SUPERSEDED]
    both = [weights for _, _, weights in stage.weights if weights.get(second) and weights.get(third)]
    assert both == []
    assert await stage.versions() == {third}


async def test_there_and_back_again_ends_with_nothing_to_do(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__steps=LONG)
        await stage.until(rests_on(first))
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        await stage.until(on_trial(second))
        assert await stage.deploy("1", spec__strategy__steps=LONG) == first
        status = await stage.until(rests_on(first))
    assert status.quarantined == ()
    assert [entry.outcome for entry in status.history] == [Outcome.SUPERSEDED, Outcome.DEPLOYED]
    assert await stage.events() == [*FIRST, "TrialStarting", "StepStarted", "Superseded"]
    assert await stage.routed() == {first: 100}
    assert await stage.versions() == {first}


async def test_a_pause_holds_the_weight_and_a_bad_version_is_rolled_back_all_the_same(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1")
        await stage.until(rests_on(first))
        second = await stage.deploy("2")
        await stage.until(on_trial(second))
        await stage.deploy("2", spec__paused=True)
        status = await stage.until(lambda status: condition(status, "Progressing").reason == "Paused")
        await asyncio.sleep(2)
        assert (await stage.status()).weight == status.weight
        stage.meter.spoil(second, one_in=1)
        await stage.until(rests_on(first, Phase.ROLLED_BACK))


async def test_what_was_paused_goes_on_where_it_stood(stage: Stage) -> None:
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1")))
        second = await stage.deploy("2")
        await stage.until(on_trial(second))
        await stage.deploy("2", spec__paused=True)
        await stage.until(lambda status: condition(status, "Progressing").reason == "Paused")
        await stage.deploy("2")
        await stage.until(rests_on(second))
    assert shares(stage, second) == [0, 10, 50, 100]


async def test_a_missing_objective_is_told_and_waited_for(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1", spec__slos=[{"name": "later"}])
        status = await stage.until(lambda status: bool(status.conditions))
        accepted = condition(status, "Accepted")
        assert (accepted.status, accepted.reason) == ("False", "SLOMissing")
        assert "ModelSLO later doesn't exist" in accepted.message
        assert await stage.versions() == set()
        await stage.apply(SLO, metadata__name="later")
        status = await stage.until(rests_on(first))
    assert condition(status, "Accepted").status == "True"
    assert await stage.events() == ["SLOMissing", "Deploying", "Accepted", "Deployed"]


async def test_a_metrics_outage_holds_the_weight_and_is_nobodys_fault(stage: Stage) -> None:
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1")))
        second = await stage.deploy("2")
        await stage.until(on_trial(second))
        stage.meter.unavailable = "Prometheus does not answer"
        status = await stage.until(lambda status: condition(status, "MetricsAvailable").reason == "Unavailable")
        assert "Prometheus does not answer" in condition(status, "MetricsAvailable").message
        await asyncio.sleep(2)
        assert (await stage.status()).weight == status.weight
        stage.meter.unavailable = None
        status = await stage.until(rests_on(second))
    assert status.trial is not None
    settled = status.trial.evidence[0].candidate_settled
    assert status.trial.weighted_at is not None
    assert (settled.total, settled.bad) == stage.meter.count(second, status.trial.weighted_at, settled.at)


async def test_deletion_in_mid_trial_waits_for_nothing_and_leaves_no_loop(stage: Stage) -> None:
    async with stage.operator() as kube:
        await stage.until(rests_on(await stage.deploy("1")))
        await stage.until(on_trial(await stage.deploy("2", spec__strategy__steps=LONG)))
        loops = {task.get_name() for task in asyncio.all_tasks() if "scorer" in task.get_name()}
        assert len(loops) == 1
        await stage.remove("ModelDeployment", "scorer")
        assert await stage.user.get("ModelDeployment", stage.namespace, "scorer") is None
        await asyncio.sleep(0.5)
        calls = len(kube.calls)
        await asyncio.sleep(1)
        assert len(kube.calls) == calls
        assert not [task for task in asyncio.all_tasks() if task.get_name() in loops]
    assert (stage.namespace, "scorer") in stage.meter.forgotten
    # What it made goes with it by owner references; here nobody collects garbage, so the references must say so.
    for kind in ("Deployment", "Service", "HTTPRoute"):
        for item in await stage.user.list(kind, stage.namespace):
            if item["metadata"]["name"].startswith("scorer"):
                assert [owner["kind"] for owner in item["metadata"]["ownerReferences"]] == ["ModelDeployment"]
