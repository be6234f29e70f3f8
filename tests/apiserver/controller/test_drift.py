"""Drift on the API server: a candidate whose feature path is broken, a world that has changed, a person in between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from seatrial.api.status import Phase
from seatrial.judge.drift.histogram import Histogram
from seatrial.metrics.drift_types import DriftReadings, Seen
from tests.apiserver.controller.stage import SLO, on_trial, rests_on

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.metrics.drift_types import DriftAsk, Stretch
    from tests.apiserver.controller.stage import Stage

LONG = [{"weight": 10, "for": "1h"}]
LOOK_S = 1.0
EVEN, MOVED = (1000, 1000, 1000, 1000), (100, 400, 1000, 2500)


@dataclass
class Features:
    """What each version sees of one feature: as in training, or moved."""

    moved: set[str] = field(default_factory=set)
    """Hashes of versions; ``*`` for all."""
    looks: int = 0

    async def read(self, asks: Sequence[DriftAsk], now_s: float) -> DriftReadings:
        self.looks += 1
        seen: dict[tuple[str, str, str, Stretch], Seen] = {}
        training: dict[tuple[str, str, str], Seen] = {}
        for ask in asks:
            for version, stretches in ask.stretches.items():
                counts = MOVED if {version, "*"} & self.moved else EVEN
                training[ask.namespace, ask.rollout, version] = of(EVEN)
                seen |= {(ask.namespace, ask.rollout, version, stretch): of(counts) for stretch in stretches}
        return DriftReadings(now_s, None, seen, training)


def of(counts: tuple[int, ...]) -> Seen:
    return Seen({"age": Histogram(counts, edges=(1.0, 2.0, 3.0, float("inf")))})


@pytest.fixture
async def features(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Features:
    for name in ("controller.drift.LOOK_S", "rollout.drift_subject.LOOK_S", "rollout.drift_compare.LOOK_S"):
        monkeypatch.setattr(f"seatrial.{name}", LOOK_S)
    stage.drift = features = Features()
    return features


async def declared(stage: Stage, **drift: Any) -> None:
    await stage.apply(SLO, spec__drift={"window": "4s", "cooldown": "0s", "features": {}, **drift})


def condition(status: ModelDeploymentStatus) -> tuple[str, str]:
    return next(((c.status, c.reason) for c in status.conditions if c.type == "DriftFree"), ("", ""))


async def test_a_candidate_whose_features_alone_have_moved_is_rolled_back(stage: Stage, features: Features) -> None:
    await declared(stage)
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__steps=LONG)
        await stage.until(lambda status: rests_on(first)(status) and condition(status) == ("True", "NoDrift"))
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        features.moved.add(second)
        status = await stage.until(lambda status: status.phase is Phase.ROLLED_BACK)
        assert "age: psi" in status.history[0].sentence
        assert "its feature path is broken" in status.history[0].sentence
        assert status.quarantined == (second,)


async def test_a_world_that_has_changed_is_told_and_stops_no_version(stage: Stage, features: Features) -> None:
    await declared(stage)
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1")))
        features.moved.add("*")
        status = await stage.until(lambda status: condition(status) == ("False", "WorldChanged"))
        assert status.drift
        assert status.drift.retrain
        assert [f.name for f in status.drift.features] == ["age"]
        await stage.until(rests_on(await stage.deploy("2")))
        features.moved.clear()
        status = await stage.until(lambda status: condition(status) == ("True", "NoDrift"))
        assert status.drift
        assert status.drift.incident
        assert status.drift.incident.closed_at is not None
    assert "WorldChanged" in await stage.events()
    timed = ("detection", "remedy")
    counts = [stage.telemetry.registry.get_sample_value(f"seatrial_drift_{part}_seconds_count") for part in timed]
    assert counts == [1, 1]


async def test_retraining_waits_for_a_person_and_its_incident_for_a_newer_version(
    stage: Stage, features: Features, tmp_path: Path
) -> None:
    got: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.json())
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/hook", take)
    (tmp_path / "key").write_text("a key of the operator")
    async with TestServer(app) as service, stage.operator(webhook_key=tmp_path / "key"):
        await declared(stage, retrain={"url": str(service.make_url("/hook")), "approvals": 1})
        await stage.until(rests_on(await stage.deploy("1")))
        features.moved.add("*")
        status = await stage.until(lambda status: condition(status) == ("False", "WorldChanged"))
        message = next(c.message for c in status.conditions if c.type == "DriftFree")
        assert "retraining waits for approval since 20" in message
        features.moved.clear()
        status = await stage.until(lambda status: status.drift is not None and not status.drift.confirmed)
        assert condition(status) == ("False", "WorldChanged")  # nobody has promoted a newer version
        assert got == []
        word = {"id": "w1", "verb": "promote", "gate": "retrain", "by": "ann"}
        await stage.deploy("1", spec__commands=[word])
        status = await stage.until(lambda s: bool(s.drift and s.drift.retrained[0].state == "Accepted"))
        assert [(answer.outcome, answer.sentence) for answer in status.answers] == [("Done", "retraining is asked for")]
        assert [body["cause"] for body in got] == ["WorldChanged"]
        await stage.until(rests_on(await stage.deploy("2")))
        await stage.until(lambda status: condition(status) == ("True", "NoDrift"))
    assert {"RetrainWaits", "RetrainAccepted"} <= set(await stage.events())


async def test_a_hold_stays_until_a_person_lets_it_go_on(stage: Stage, features: Features) -> None:
    await declared(stage, features={"action": "hold"})
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1")))
        steps = [{"weight": 10, "for": "5s"}]
        second = await stage.deploy("2", spec__strategy__steps=steps)
        features.moved.add(second)
        await stage.until(on_trial(second))
        status = await stage.until(
            lambda status: any(c.type == "Progressing" and c.reason == "FeaturesApart" for c in status.conditions)
        )
        assert status.phase is Phase.TRIAL
        word = {"id": "w1", "verb": "promote", "by": "ann", "reason": "we know why"}
        await stage.deploy("2", spec__strategy__steps=steps, spec__commands=[word])
        await stage.until(rests_on(second))


async def test_at_rest_nothing_is_written_while_nothing_changes(stage: Stage, features: Features) -> None:
    await declared(stage)
    async with stage.operator() as kube:
        first = await stage.deploy("1")
        await stage.until(lambda status: rests_on(first)(status) and condition(status) == ("True", "NoDrift"))
        await asyncio.sleep(3 * LOOK_S)
        writes, looks = len([call for call in kube.calls if call.writes]), features.looks
        await asyncio.sleep(5 * LOOK_S)
        assert features.looks > looks + 2
        assert len([call for call in kube.calls if call.writes]) == writes
