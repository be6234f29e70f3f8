"""Labels that come when the old version has no pods any more: it is started again, and no request is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.commands import Command, Verb
from seatrial.api.fields import parse_time
from seatrial.api.status import Phase
from seatrial.rollout.world import Wish
from tests.simulation.rollout.cluster import Model, always
from tests.simulation.rollout.story import AVAILABILITY, DRAIN_S, Story, begin, spec_of

if TYPE_CHECKING:
    from seatrial.api.aftermath import LabelWatch

LABELS_IN_S = 90.0
"""Later than the steps and the watch together."""
WATCH_S = 20.0
UNTIL_S = 400.0
ACCURACY = {"name": "accuracy", "target": "90", "sli": {"template": "label-accuracy"}}
STEPS = [{"weight": 50, "for": "15s", "healthy": ["scorer/availability"]}]
WRONG = Model("2", wrong=always(0.4))


def strategy(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = spec_of("1")["strategy"]
    return known | {"steps": STEPS, "watch": {"for": f"{WATCH_S:g}s", "labels": f"{UNTIL_S:g}s"}} | changes


def promoted(model: Model, seed: int = 1, **changes: Any) -> Story:
    """Let version 2 be promoted over version 1, whose pods then go, before any label has come."""
    story = begin(seed, {"2": model, "3": Model("3")}, objectives=(AVAILABILITY, ACCURACY))
    story.cluster.labels_in_s = LABELS_IN_S
    story.apply("2", strategy=strategy(**changes))
    story.until(lambda: story.stable == "2" and not story.operator.status.draining)
    assert story.cluster.pods[story.hashes["1"]].desired == 0
    return story


def watch(story: Story) -> LabelWatch:
    found = story.operator.status.label_watch
    assert found
    return found


@pytest.mark.parametrize("seed", range(3))
def test_labels_lead_back_to_a_version_that_is_started_first(seed: int) -> None:
    story = promoted(WRONG, seed)
    old, bad = story.hashes["1"], story.hashes["2"]
    story.run(2.0)
    assert story.operator.status.way_back
    assert not story.operator.status.way_back.instant
    story.until_phase(Phase.STARTING)
    begun_s = story.cluster.now_s
    assert story.cluster.in_force == {bad: 100}
    story.until_phase(Phase.ROLLED_BACK)
    assert story.stable == "1"
    story.until_rest()
    assert story.cluster.in_force == {old: 100}
    assert story.cluster.last_weight_s[bad] - begun_s < 15  # the pods take 3 s, and 2 s to be warm
    assert story.cluster.lost == 0
    assert [outcome for outcome in story.outcomes() if outcome[0] == "2"] == [("2", "Promoted"), ("2", "RolledBack")]
    assert story.operator.told[-1][1] == "RolledBack"
    said = next(note for _, reason, note in story.operator.told if reason == "RollingBack")
    assert "burns its error budget, scorer/accuracy" in said
    assert "Instant rollback: no, version 1 is cold: it needs about 5s to start" in said
    story.run(60.0)
    assert story.stable == "1"  # the wished version is not tried again by itself


def test_good_labels_end_the_watch_and_let_the_old_version_go() -> None:
    story = promoted(Model("2", wrong=always(0.05)))
    old = story.hashes["1"]
    story.run(watch(story).until - story.cluster.now_s - 5)
    assert story.cluster.pods[old].desired == 0
    seen = watch(story).trial.evidence[0]
    assert (seen.verdict, seen.total > 20_000) == ("Healthy", True)
    story.run(10.0)
    assert story.operator.status.label_watch is None
    assert old not in story.cluster.pods  # `keep` keeps none
    assert story.operator.told[-1][1] == "LabelWatchEnded"
    assert story.phase is Phase.STABLE


def test_nothing_but_labels_is_held_against_a_stable_version() -> None:
    """Its requests fail like those of all: nothing is left to compare it with."""
    story = promoted(Model("2", errors=lambda now_s, _: 0.5 if now_s > 120 else 0.001))
    story.run(200.0)
    assert (story.phase, story.stable) == (Phase.STABLE, "2")


def test_labels_that_are_as_bad_for_both_are_the_worlds_fault() -> None:
    story = begin(1, {"1": Model("1", wrong=always(0.4)), "2": WRONG}, objectives=(AVAILABILITY, ACCURACY))
    story.cluster.labels_in_s = LABELS_IN_S
    story.run(30.0)
    story.apply("2", strategy=strategy())
    story.until(lambda: story.stable == "2")
    story.run(LABELS_IN_S + 120)
    assert (story.phase, story.stable) == (Phase.STABLE, "2")
    assert watch(story).trial.evidence[0].verdict == "Environment"


@pytest.mark.parametrize("point", ["before record", "before act", "in act"])
def test_an_operator_that_is_killed_on_the_way_goes_on(point: Any) -> None:
    story = promoted(WRONG)
    begun = story.operator.looks
    for look in range(begun + 1, begun + 400, 7):
        story.operator.kill[look] = point
    story.until_phase(Phase.ROLLED_BACK)
    story.until_rest()
    assert story.stable == "1"
    assert story.cluster.lost == 0


def test_labels_rest_during_the_next_trial_and_act_after_it() -> None:
    story = promoted(Model("2", wrong=always(0.4)))
    story.models["3"] = Model("3", errors=always(0.5))
    story.apply("3", strategy=strategy(steps=[{"weight": 50, "for": "2m"}]))
    story.until(lambda: ("3", "RolledBack") in story.outcomes())
    assert story.stable == "2"
    assert watch(story).former.label == "1"
    story.until(lambda: story.stable == "1")
    assert story.cluster.lost == 0


def test_the_next_promotion_ends_it() -> None:
    story = promoted(Model("2", wrong=always(0.05)))
    story.apply("3", strategy=strategy(watch=None))
    story.until(lambda: story.stable == "3")
    story.until_rest()
    assert story.operator.status.label_watch is None
    assert set(story.cluster.pods) == {story.hashes["3"]}


def test_a_scale_change_counts_when_the_old_version_comes_back() -> None:
    story = promoted(WRONG)
    assert isinstance(story.operator.wish, Wish)
    story.operator.apply(replace(story.operator.wish, replicas=4))
    story.until_phase(Phase.ROLLED_BACK)
    assert story.cluster.pods[story.hashes["1"]].desired == 4
    assert story.cluster.lost == 0


def test_a_pause_does_not_delay_it() -> None:
    story = promoted(WRONG)
    story.operator.command(Command(id="c1", verb=Verb.PAUSE, by="ann"))
    story.until(lambda: story.stable == "1")
    assert story.operator.status.paused


def test_an_old_version_that_does_not_start_leaves_the_bad_one_serving() -> None:
    story = promoted(WRONG)
    story.models["1"].starts_in_s = 10_000.0
    story.until_phase(Phase.STARTING)
    story.until(lambda: story.phase in {Phase.ROLLED_BACK, Phase.STABLE})
    story.run(DRAIN_S + 60)
    assert (story.phase, story.stable) == (Phase.STABLE, "2")
    assert story.cluster.lost == 0


def test_labels_count_on_after_an_outage_of_prometheus() -> None:
    story = promoted(WRONG)
    now_s = story.cluster.now_s
    story.prometheus.down = ((now_s, now_s + 150),)
    story.run(150.0)
    assert story.stable == "2"
    story.until(lambda: story.stable == "1")
    assert story.cluster.lost == 0


def test_the_end_of_the_watch_stands_in_the_status() -> None:
    story = promoted(Model("2"))
    status = story.operator.stored["labelWatch"]
    assert parse_time(status["until"]) - parse_time(status["since"]) == pytest.approx(UNTIL_S - WATCH_S, abs=2)
    assert "labels are watched until" in story.operator.status.summary
