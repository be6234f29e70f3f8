"""The operator dies at every look, sees an old world, and everything happens at once: the end is the same."""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING

import pytest

from seatrial.api.status import Phase
from tests.simulation.rollout.cluster import Model, always
from tests.simulation.rollout.operator import RESTARTS_IN_S
from tests.simulation.rollout.story import Story, begin

if TYPE_CHECKING:
    from tests.simulation.rollout.operator import Point

POINTS: tuple[Point, ...] = ("before record", "before act", "in act")
EVERY = 7
"""Looks from one death to the next: at seven offsets, each look is one at which the operator dies."""


def models() -> dict[str, Model]:
    return {"2": Model("2"), "3": Model("3", errors=always(0.2)), "4": Model("4")}


def story_of(label: str, **operator: object) -> Story:
    story = begin(5, models())
    for name, value in operator.items():
        setattr(story.operator, name, value)
    story.apply(label)
    story.until_rest(900.0)
    return story


@functools.cache
def calm_story(label: str) -> Story:
    return story_of(label)


def deaths(point: Point, offset: int) -> dict[int, Point]:
    return dict.fromkeys(range(15 + offset, 2000, EVERY), point)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(("label", "outcome", "stable"), [("2", "Promoted", "2"), ("3", "RolledBack", "1")])
def test_operator_that_dies_again_and_again(point: Point, label: str, outcome: str, stable: str) -> None:
    calm = calm_story(label)
    for offset in range(EVERY):
        story = story_of(label, kill=deaths(point, offset))
        died = sum(look in story.operator.kill for look in range(story.operator.looks + 1))
        assert died
        assert story.outcomes() == calm.outcomes() == [("1", "Deployed"), (label, outcome)]
        assert story.stable == stable
        assert story.cluster.in_force == calm.cluster.in_force
        assert set(story.cluster.pods) == set(calm.cluster.pods)
        assert story.cluster.lost == 0
        # Steps are counted from recorded times: each death costs no more than the time without an operator,
        # and shortens none of them.
        assert label != "2" or story.cluster.now_s >= calm.cluster.now_s - 1.0
        assert story.cluster.now_s <= calm.cluster.now_s + died * (RESTARTS_IN_S + 2.0)


def test_death_between_the_record_of_a_rollback_and_the_act() -> None:
    """The next operator finds the rollback recorded and the weight still there: it acts at once."""
    calm = calm_story("3")
    looks = next(look for look in range(15, 200) if died_while_rolling_back(look))
    story = story_of("3", kill={looks: "before act"})
    assert story.outcomes() == calm.outcomes()
    assert story.seconds_to_weight_0("3") <= calm.seconds_to_weight_0("3") + RESTARTS_IN_S + 1.0


def died_while_rolling_back(look: int) -> bool:
    """Tell whether a death at this look falls between the record of the rollback and its act."""
    story = begin(5, models())
    story.operator.kill = {look: "before act"}
    story.apply("3")
    story.until(lambda: story.operator.looks >= look)
    return story.phase is Phase.ROLLED_BACK and story.cluster.written.get(story.hashes["3"], 0) > 0


@pytest.mark.parametrize("stale_s", [0.5, 2.0, 5.0])
@pytest.mark.parametrize(("label", "outcome"), [("2", "Promoted"), ("3", "RolledBack")])
def test_operator_that_sees_an_old_world(stale_s: float, label: str, outcome: str) -> None:
    story = story_of(label, stale_s=stale_s)
    assert story.outcomes()[-1] == (label, outcome)
    assert story.cluster.lost == 0
    story.run(2 * stale_s + 2.0)
    assert set(story.cluster.pods) == {story.hashes[story.stable]}
    assert story.cluster.in_force == {story.hashes[story.stable]: 100}


def something(story: Story, dice: random.Random) -> None:
    """Let something happen that a cluster, a gateway, Prometheus or a user does on a bad day."""
    now_s, operator = story.cluster.now_s, story.operator
    match dice.randrange(7):
        case 0 | 1:
            story.apply(dice.choice("1234"), paused=dice.random() < 0.2)
        case 2:
            story.prometheus.down = ((now_s, now_s + dice.uniform(1, 60)),)
        case 3:
            story.cluster.gateway_stuck_until_s = now_s + dice.uniform(1, 20)
        case 4:
            operator.kill = {operator.looks + dice.randrange(1, 5): dice.choice(POINTS)}
        case 5:
            operator.stale_s = dice.choice([0.0, 0.0, 1.0, 3.0])
        case _:
            version = dice.choice(sorted(story.cluster.pods))
            story.cluster.lose_pods(version, back_in_s=dice.uniform(1, 20))


@pytest.mark.parametrize("seed", range(15))
def test_after_any_day_the_wished_version_serves(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a simulation wants to be repeated
    story = begin(seed, models())
    for _ in range(15):
        something(story, dice)
        story.run(dice.uniform(0.25, 20))
        condemned = set(story.operator.status.quarantined)
        assert condemned <= {story.hashes.get("3")}, "a good version was rolled back"
    story.operator.stale_s = 0.0
    story.apply("4")
    story.until_rest()
    assert story.stable == "4"
    assert set(story.cluster.pods) == {story.hashes["4"]}
    story.run(2.0)
    assert story.cluster.in_force == {story.hashes["4"]: 100}
