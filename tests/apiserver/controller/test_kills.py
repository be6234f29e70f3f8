"""An operator that dies at any of its writes: the next one goes on, and everything ends as if nothing had happened.

One operator runs many models, each of which loses its loop just before another write. (Just after the write before it
is the same: all that the operator knew is lost, and what it had written is there.) Then a second operator starts, which
knows only what is in the cluster.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from seatrial.api.status import DEPLOYMENT_STATUS, Outcome, Phase
from tests.apiserver.controller.stage import on_trial, rests_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.api.status import ModelDeploymentStatus
    from tests.apiserver.controller.stage import Call, Stage

WRITES = 60
"""More than a whole story makes; the test checks that."""
STORY_S = 300.0
"""Sixty models in one process: a busy machine takes its time."""


@dataclass
class Deaths:
    """Ends the loop of model ``m<n>`` before its n-th write."""

    writes: Counter[str] = field(default_factory=Counter)
    dead: set[str] = field(default_factory=set)

    async def before(self, call: Call) -> None:
        if call.writes:
            model = call.name.split("-")[0]
            self.writes[model] += 1
            if model in self.dead or model == f"m{self.writes[model]}":
                self.dead.add(model)
                raise asyncio.CancelledError


async def statuses(stage: Stage) -> dict[str, ModelDeploymentStatus]:
    return {
        item["metadata"]["name"]: DEPLOYMENT_STATUS.validate_python(item.get("status") or {})
        for item in await stage.user.list("ModelDeployment", stage.namespace)
    }


async def play_out(
    stage: Stage, models: list[str], deaths: Deaths, outcome: Outcome
) -> dict[str, ModelDeploymentStatus]:
    """Tell the story of every model: the first version, then a second one; return how each stands in the end."""
    ended: dict[str, ModelDeploymentStatus] = {}
    asked: set[str] = set()

    def over(status: ModelDeploymentStatus) -> bool:
        told = bool(status.history) and status.history[0].outcome is outcome and not status.draining
        return told and any(c.type == "TrafficInSync" and c.status == "True" for c in status.conditions)

    async def until(enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(STORY_S):
            while not enough():
                for model, status in (await statuses(stage)).items():
                    if model not in asked and status.phase is Phase.STABLE:
                        asked.add(model)
                        await stage.deploy("2", model)
                    if over(status):
                        ended[model] = status
                await asyncio.sleep(0.3)

    async with stage.operator(look_s=0.5) as first:
        first.before.append(deaths.before)
        for model in models:
            await stage.deploy("1", model)
        await until(lambda: len(ended.keys() | deaths.dead) == len(models))
    async with stage.operator(look_s=0.5):
        await until(lambda: len(ended) == len(models))
    return ended


@pytest.mark.parametrize("good", [True, False], ids=["promotion", "rollback"])
async def test_killed_at_any_write_it_ends_in_the_same_state(stage: Stage, *, good: bool) -> None:
    models = [f"m{number}" for number in range(1, WRITES + 1)]
    first, second = await stage.deploy("1", "probe"), await stage.deploy("2", "probe")
    await stage.remove("ModelDeployment", "probe")
    if not good:
        stage.meter.spoil(second, one_in=2)
    deaths = Deaths()
    ends_in, outcome = (Phase.STABLE, Outcome.PROMOTED) if good else (Phase.ROLLED_BACK, Outcome.ROLLED_BACK)
    ended = await play_out(stage, models, deaths, outcome)
    assert 15 < len(deaths.dead) < WRITES, f"{deaths.writes}: WRITES does not cover the story"
    serving = second if good else first
    story = (
        ["TrialStarting", "StepStarted", "StepStarted", "Promoting", "Promoted"]
        if good
        else ["TrialStarting", "StepStarted", "RolledBack"]
    )
    for model in models:
        status = ended[model]
        assert (status.phase, status.stable and status.stable.hash) == (ends_in, serving), model
        assert [entry.event for entry in reversed(status.decisions)] == ["Deploying", "Deployed", *story], model
        assert status.quarantined == (() if good else (second,)), model
        assert await stage.routed(model) == {serving: 100}, model
        assert await stage.versions("Deployment", model) == await stage.versions("Service", model) == {serving}, model
        assert status.trial is not None
        assert status.trial.weighted_at is not None
        settled = status.trial.evidence[0].candidate_settled
        counted = stage.meter.count(second, status.trial.weighted_at, settled.at)
        assert (settled.total, settled.bad) == counted, f"{model} lost or repeated requests"


async def test_a_step_goes_on_from_where_it_was(stage: Stage) -> None:
    steps = [{"weight": 10, "for": "6s"}, {"weight": 50, "for": "1s"}]
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1", spec__strategy__steps=steps)))
        second = await stage.deploy("2", spec__strategy__steps=steps)
        await stage.until(on_trial(second))
        await asyncio.sleep(3)
    async with stage.operator():
        await stage.until(rests_on(second))
    given_s = {weights[second]: at_s for at_s, _, weights in reversed(stage.weights) if second in weights}
    assert 6 <= given_s[50] - given_s[10] < 8.5
