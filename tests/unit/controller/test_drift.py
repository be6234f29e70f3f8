"""The loop of drift: whose turn it is, one answer for all, and who is woken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.controller.cache import Cache, Key
from seatrial.controller.drift import Drifts
from seatrial.controller.telemetry import Telemetry
from seatrial.metrics.drift_types import DriftReadings, Seen
from seatrial.notify.webhook import Answer, Webhooks
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
    steady_s: float = 0.0
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
            lambda: self.steady_s,
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
        self.steady_s += seconds
        await self.drifts.round()

    async def answered(self) -> None:
        await asyncio.gather(*(task for _, task in self.drifts._retrain._sent.values()))


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
    await scene.answered()
    assert [call.state for call in scene.found[KEY].retrained] == ["Unanswered"]  # there is no key to sign with


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
    await scene.answered()
    await scene.after(600)
    assert [(call.state, call.approvals) for call in scene.found[KEY].retrained] == [("Unanswered", ("ann",))]


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


HOOK = {"url": "http://127.0.0.1:1/hook?token=abc", "cooldown": "1h"}


@dataclass
class Hook:
    """Answers at once, and keeps what was asked."""

    urls: list[str] = field(default_factory=list)

    async def post(self, url: str, *_: Any, **__: Any) -> Answer:
        self.urls.append(url)
        return Answer(202, "the service answered 202")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Hook:
    hook = Hook()
    monkeypatch.setattr(Webhooks, "post", hook.post)
    monkeypatch.setattr(Webhooks, "problem", None)
    return hook


async def asked(counts: Counts | None = None) -> Scene:
    """Let drift be confirmed, and a call stand in the status."""
    scene = Scene(counts or Counts(moved={b.A.hash: 0.8}))
    scene.slo(features={}, confirm=1, retrain=HOOK)
    scene.model(b.stable())
    await scene.after(0)
    scene.model(replace(b.stable(), drift=scene.found[KEY]))
    assert [call.state for call in scene.found[KEY].retrained] == ["Asked"]
    return scene


@dataclass
class SlowCounts(Counts):
    """Counts that take longer to read than a service takes to answer."""

    @override
    async def read(self, asks: Sequence[DriftAsk], now_s: float) -> DriftReadings:
        for _ in range(9):
            await asyncio.sleep(0)
        return await Counts.read(self, asks, now_s)


async def test_an_answer_before_the_first_look_of_a_restarted_operator_is_not_lost(hook: Hook) -> None:
    before = await asked()
    reborn = Scene(SlowCounts({b.A.hash: 0.8}, now_s=before.counts.now_s))
    reborn.slo(features={}, confirm=1, retrain=HOOK)
    reborn.model(replace(b.stable(), drift=before.found[KEY]))
    await reborn.after(5)
    assert hook.urls == [HOOK["url"]]
    assert [call.state for call in reborn.found[KEY].retrained] == ["Accepted"]
    reborn.model(replace(b.stable(), drift=reborn.found[KEY]))
    await reborn.after(3600)  # the cooldown is over, and the next call is not held up
    assert [call.state for call in reborn.found[KEY].retrained] == ["Asked", "Accepted"]


@pytest.mark.usefixtures("hook")
async def test_an_answer_while_a_look_dates_its_incident_is_not_lost() -> None:
    scene = await asked()
    found = scene.found[KEY]
    assert found.incident
    # The last incident is over, and this look opens another one; its onset is read while the service answers.
    scene.found[KEY] = found = replace(found, incident=replace(found.incident, closed_at=found.at))
    scene.model(replace(b.stable(), drift=found))
    scene.counts.read = SlowCounts(scene.counts.moved).read  # type: ignore[method-assign]
    await scene.after(600)
    assert [call.state for call in scene.found[KEY].retrained] == ["Accepted"]


async def test_the_address_is_the_one_of_the_model_slo_now_and_stands_in_no_status(hook: Hook) -> None:
    scene = await asked()
    trial = b.on_trial()
    assert trial.trial
    planned = b.plan_of(b.SPEC, scorer={**b.SLO, "drift": {"features": {}, "retrain": HOOK}})
    status = replace(trial, trial=replace(trial.trial, plan=planned), drift=scene.found[KEY])
    assert "token" not in str(dump(DEPLOYMENT_STATUS, status))
    scene.model(status)
    await scene.after(30)
    await scene.answered()
    assert hook.urls == [HOOK["url"]]


async def test_a_call_whose_address_is_taken_away_waits_for_another(hook: Hook) -> None:
    scene = await asked()
    scene.slo(features={})
    await scene.after(600)
    assert (hook.urls, scene.drifts._retrain._sent) == ([], {})


async def test_looks_go_on_when_the_clock_is_set_back(scene: Scene) -> None:
    scene.model(b.stable())
    await scene.after(0)
    scene.counts.now_s -= 365 * 86400
    await scene.after(300)
    assert len(scene.counts.asks) == 2
    assert scene.found[KEY].at == scene.counts.now_s


async def test_what_was_found_while_the_clock_was_ahead_is_over_in_time(scene: Scene) -> None:
    scene.slo(features={}, confirm=1, cooldown="1h")
    scene.counts.moved[b.A.hash] = 0.8
    scene.model(b.stable())
    scene.counts.now_s += 365 * 86400
    await scene.after(0)
    scene.counts.now_s -= 365 * 86400
    scene.counts.moved.clear()
    await scene.after(300)
    assert scene.found[KEY].confirmed
    await scene.after(3600)
    assert scene.found[KEY].cause == "NoDrift"
