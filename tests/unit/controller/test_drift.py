"""The loop of drift: whose turn it is, one answer for all, and who is woken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.controller.cache import Cache, Key
from seatrial.controller.drift import Drifts
from seatrial.controller.telemetry import Telemetry
from seatrial.metrics.drift_types import DriftReadings, Seen
from seatrial.notify.webhook import Webhooks
from seatrial.rollout.drift import assess
from seatrial.rollout.retrain import approved
from tests.unit.judge.drift.builders import normal
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from seatrial.api.drift import DriftStatus
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.metrics.drift_types import DriftAsk

KEY = Key("ml", "scorer")
TRAINING = Seen({"age": normal(0.0, n=50_000)})


@dataclass
class Counts:
    """Features of each version, moved as the test says, for every stretch that is asked for."""

    moved: dict[str, float] = field(default_factory=dict)
    asks: list[Sequence[DriftAsk]] = field(default_factory=list)
    now_s: float = b.NOW

    async def read(self, asks: Sequence[DriftAsk], now_s: float) -> DriftReadings:
        self.asks.append(asks)
        owners = [(ask.namespace, ask.rollout, version) for ask in asks for version in ask.stretches]
        seen = {
            (ask.namespace, ask.rollout, version, stretch): Seen({"age": normal(self.moved.get(version, 0.0), n=5000)})
            for ask in asks
            for version, stretches in ask.stretches.items()
            for stretch in stretches
        }
        return DriftReadings(now_s, None, seen, dict.fromkeys(owners, TRAINING))


@dataclass
class Scene:
    counts: Counts = field(default_factory=Counts)
    cache: Cache = field(default_factory=Cache)
    found: dict[Key, DriftStatus] = field(default_factory=dict)
    woken: list[Key] = field(default_factory=list)
    telemetry: Telemetry = field(default_factory=Telemetry)
    key: Path = Path("no-key")
    drifts: Drifts = field(init=False)
    versions: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.drifts = Drifts(
            self.cache,
            self.counts,
            self.woken.append,
            self.telemetry,
            lambda: self.counts.now_s,
            self.found,
            Webhooks(self.key, lambda: self.counts.now_s),
        )

    def model(self, status: ModelDeploymentStatus, name: str = "scorer", slo: str = "scorer") -> None:
        meta = {"namespace": "ml", "name": name, "uid": name, "resourceVersion": str(next(self.versions))}
        spec: dict[str, Any] = {**b.SPEC, "slos": [{"name": slo}]}
        self.cache.put("ModelDeployment", {"metadata": meta, "spec": spec, "status": dump(DEPLOYMENT_STATUS, status)})

    def slo(self, name: str = "scorer", **drift: Any) -> None:
        spec = {**b.SLO, "drift": drift} if drift else {k: v for k, v in b.SLO.items() if k != "drift"}
        meta = {"namespace": "ml", "name": name, "uid": name, "resourceVersion": str(next(self.versions))}
        self.cache.put("ModelSLO", {"metadata": meta, "spec": spec})

    async def after(self, seconds: float) -> None:
        self.counts.now_s += seconds
        await self.drifts.round()


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.slo(features={})
    return scene


async def test_all_models_are_asked_for_at_once_and_those_with_news_are_woken(scene: Scene) -> None:
    scene.slo("silent")
    for name in ("one", "two"):
        scene.model(b.stable(), name)
    scene.model(b.stable(), "without", slo="silent")
    await scene.after(0)
    assert [[ask.rollout for ask in asks] for asks in scene.counts.asks] == [["one", "two"]]
    assert [key.name for key in scene.woken] == ["one", "two"]
    assert {key.name: found.cause for key, found in scene.found.items()} == {"one": "NoDrift", "two": "NoDrift"}


async def test_a_model_whose_status_says_it_already_is_left_alone(scene: Scene) -> None:
    scene.model(b.stable())
    await scene.after(0)
    scene.model(replace(b.stable(), drift=scene.found[KEY]))
    await scene.after(600)
    assert scene.woken == [KEY]


async def test_drift_that_lasts_is_news_once(scene: Scene) -> None:
    """Also at a time that isn't whole milliseconds, which is all that a status can hold."""
    scene.counts.moved[b.A.hash] = 0.8
    scene.counts.now_s += 0.123456
    scene.model(b.stable())
    for _ in range(4):
        await scene.after(300)
        scene.model(replace(b.stable(), drift=scene.found[KEY]))
    assert scene.woken == [KEY, KEY]  # found, and confirmed


async def test_a_trial_is_looked_at_twice_a_minute_and_rest_twelve_times_a_window(scene: Scene) -> None:
    scene.model(b.on_trial())
    for _ in range(4):
        await scene.after(30)
    assert len(scene.counts.asks) == 4
    scene.model(b.stable())
    for _ in range(11):
        await scene.after(30)
    assert len(scene.counts.asks) == 4 + 2


async def test_a_candidate_that_alone_sees_otherwise_is_found_at_the_second_look(scene: Scene) -> None:
    scene.counts.moved[b.B.hash] = 0.8
    status = b.on_trial()
    assert status.trial
    assert status.trial.weighted_at is not None
    scene.model(status)
    await scene.after(60)
    first = scene.found[KEY]
    await scene.after(30)
    assert (first.remedy, scene.found[KEY].cause, scene.found[KEY].remedy) == ("nothing", "FeaturesApart", "rollback")


async def test_after_a_restart_looks_are_counted_on_from_the_status(scene: Scene) -> None:
    scene.counts.moved[b.B.hash] = 0.8
    scene.model(b.on_trial())
    await scene.after(60)
    reborn = Scene(scene.counts)
    reborn.slo(features={})
    reborn.model(replace(b.on_trial(), drift=scene.found[KEY]))
    await reborn.after(30)
    assert reborn.found[KEY].remedy == "rollback"


async def test_a_running_trial_keeps_to_the_words_it_began_with(scene: Scene) -> None:
    scene.model(b.on_trial())
    scene.slo("scorer")  # drift is taken out of the ModelSLO
    await scene.after(60)
    assert scene.found[KEY].version == b.B.hash


async def test_what_is_gone_or_no_longer_asked_is_forgotten(scene: Scene) -> None:
    scene.model(b.stable())
    await scene.after(0)
    scene.slo("scorer")
    await scene.after(600)
    assert scene.found == {}


async def test_a_bug_about_one_model_spares_the_others(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(drift: Any, subject: Any, *rest: Any) -> DriftStatus:
        if subject.rollout == "one":
            raise RuntimeError("a bug")
        return assess(drift, subject, *rest)

    monkeypatch.setattr("seatrial.controller.drift.assess", breaks)
    for name in ("one", "two"):
        scene.model(b.stable(), name)
    await scene.after(0)
    assert [key.name for key in scene.found] == ["two"]
    assert scene.telemetry.registry.get_sample_value("seatrial_bugs_total") == 1


async def test_a_bug_ends_no_loop(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seatrial.controller.drift.LOOK_S", 0.01)
    scene.model(b.stable())
    broken = [True]

    async def read(asks: Sequence[DriftAsk], now_s: float) -> DriftReadings:
        if broken.pop() if broken else False:
            raise RuntimeError("a bug")
        return await Counts().read(asks, now_s)

    monkeypatch.setattr(scene.counts, "read", read)
    begun = asyncio.Event()
    begun.set()
    running = asyncio.create_task(scene.drifts.run(begun))
    while KEY not in scene.found and not running.done():
        await asyncio.wait([running], timeout=0.01)
    running.cancel()
    assert scene.telemetry.registry.get_sample_value("seatrial_bugs_total") == 1


async def test_only_what_stands_in_the_status_is_sent(scene: Scene) -> None:
    scene.slo(features={}, confirm=1, retrain={"url": "https://train.example/hook"})
    scene.counts.moved[b.A.hash] = 0.8
    scene.model(b.stable())
    await scene.after(0)
    assert [call.state for call in scene.found[KEY].retrained] == ["Asked"]
    await asyncio.sleep(0)
    assert scene.drifts._retrain._sent == {}
    scene.model(replace(b.stable(), drift=scene.found[KEY]))
    await scene.after(600)
    await asyncio.gather(*scene.drifts._retrain._sent.values())
    assert [call.state for call in scene.found[KEY].retrained] == ["Failed"]  # there is no key to sign with


async def test_what_people_approve_between_two_looks_is_sent_at_the_next_round(scene: Scene) -> None:
    scene.slo(features={}, confirm=1, retrain={"url": "https://train.example/hook", "approvals": 1})
    scene.counts.moved[b.A.hash] = 0.8
    scene.model(b.stable())
    await scene.after(0)
    scene.model(replace(b.stable(), drift=scene.found[KEY]))
    await scene.after(600)
    assert scene.drifts._retrain._sent == {}
    assert [call.state for call in scene.found[KEY].retrained] == ["Waiting"]
    scene.model(replace(b.stable(), drift=approved(scene.found[KEY], "ann", scene.counts.now_s)))
    await scene.after(30)  # no look is due
    await asyncio.gather(*scene.drifts._retrain._sent.values())
    await scene.after(600)
    assert [(call.state, call.approvals) for call in scene.found[KEY].retrained] == [("Failed", ("ann",))]


async def test_an_incident_is_dated_with_one_more_reading(scene: Scene) -> None:
    scene.counts.moved[b.A.hash] = 0.8
    scene.model(b.stable())
    for _ in range(3):
        await scene.after(600)
    stretches = [len(ask.stretches[b.A.hash]) for asks in scene.counts.asks for ask in asks]
    assert stretches == [1, 1, 24, 1]
    incident = scene.found[KEY].incident
    assert incident
    # These counts have always looked like that: as far as they tell, it is as old as what is looked back on.
    assert incident.confirmed_at - incident.since == 2 * 3600
