"""What comes after all steps: the watch, a late rollback, and the way back to a former version."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.api.commands import Command, Verb
from seatrial.api.status import Phase
from tests.simulation.rollout.cluster import Model, always
from tests.simulation.rollout.story import Story, begin, spec_of

WATCH_S = 300.0


def strategy(**changes: Any) -> dict[str, Any]:
    return {**spec_of("1")["strategy"], "watch": {"for": f"{WATCH_S:g}s"}, **changes}


def breaks_at(served: int, share: float) -> Model:
    """Make a version that is good until it has served so many requests."""
    return Model("2", errors=lambda _now_s, count: share if count >= served else 0.001)


def watched(model: Model, seed: int = 1, **changes: Any) -> Story:
    story = begin(seed, {"2": model, "3": Model("3")})
    story.apply("2", strategy=strategy(**changes))
    story.until_phase(Phase.WATCHING)
    return story


def test_a_good_version_is_watched_with_the_old_one_warm_and_then_promoted() -> None:
    story = watched(Model("2"))
    begun_s, old = story.cluster.now_s, story.hashes["1"]
    story.run(WATCH_S - 5)
    assert story.phase is Phase.WATCHING
    assert story.weight("2") == 100
    assert story.cluster.pods[old].ready(story.cluster.now_s) == 2
    story.until_rest()
    assert story.outcomes()[-1] == ("2", "Promoted")
    assert story.cluster.now_s - begun_s >= WATCH_S
    assert old not in story.cluster.pods
    assert story.cluster.lost == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_version_that_breaks_in_the_watch_loses_its_traffic_within_seconds(seed: int) -> None:
    # Some 2,400 requests come before the watch; it serves 100 a second then.
    story = watched(breaks_at(10_000, 0.2), seed)
    story.until_phase(Phase.ROLLED_BACK)
    assert story.stable == "1"
    assert story.seconds_to_weight_0("2") < WATCH_S
    broke_s = story.operator.status.trial.step_since if story.operator.status.trial else None
    assert broke_s is not None
    assert story.weight("2") in {0, 100}  # the gateway may need its half second
    story.until_rest()
    assert story.cluster.in_force == {story.hashes["1"]: 100}
    assert story.cluster.lost == 0
    evidence = story.operator.status.trial.evidence[0] if story.operator.status.trial else None
    assert evidence
    assert evidence.total - 10_000 < 1_500  # 15 seconds of bad answers at most, among 100 a second


def test_a_third_version_ends_the_watch_and_is_tried_against_the_watched_one() -> None:
    story = watched(Model("2"))
    story.apply("3")
    story.until_rest()
    assert story.outcomes()[-2:] == [("2", "Promoted"), ("3", "Promoted")]
    assert story.cluster.lost == 0


def test_the_old_version_can_be_wished_back_in_the_watch() -> None:
    story = watched(Model("2"))
    story.apply("1")
    story.until_rest()
    assert story.stable == "1"
    assert story.outcomes()[-1] == ("2", "Superseded")
    assert story.cluster.lost == 0


def test_an_outage_of_prometheus_at_the_end_of_the_watch_is_waited_for() -> None:
    story = watched(Model("2"))
    ends_s = story.cluster.now_s + WATCH_S
    story.prometheus.down = ((ends_s - 60, ends_s + 60),)
    story.run(WATCH_S + 30)
    assert story.phase is Phase.WATCHING
    story.until_rest()
    assert ("2", "Promoted") in story.outcomes()


def test_a_former_version_comes_back_from_no_pods_to_all_requests() -> None:
    story = begin(1, {"2": Model("2", errors=always(0.001))})
    old = story.hashes["1"]
    story.apply("2", strategy=spec_of("1")["strategy"] | {"keep": {"versions": 1, "for": "1d"}})
    story.until_rest()
    assert story.cluster.pods[old].desired == 0
    story.operator.command(Command(id="c1", verb=Verb.ROLLBACK, by="ann", reason="customers complain"))
    story.until(lambda: story.stable == "1")
    story.run(30.0)
    assert story.cluster.in_force[old] == 100
    assert story.outcomes()[-1] == ("1", "Returned")
    assert story.cluster.lost == 0
    assert story.phase is Phase.STABLE  # it stays: the wished version is not tried again by itself
    assert story.operator.status.answers[0].outcome == "Done"
