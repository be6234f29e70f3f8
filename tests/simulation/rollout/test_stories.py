"""Whole rollouts on a virtual clock: what users do, what happens to them, and how it ends."""

from __future__ import annotations

import pytest

from seatrial.api.status import Phase
from tests.simulation.rollout.cluster import Model, always
from tests.simulation.rollout.story import DRAIN_S, Story, begin

BAD = always(0.2)


def reasons(story: Story) -> list[str]:
    return [reason for _, reason, _ in story.operator.told]


def good_and_bad(seed: int = 1) -> Story:
    return begin(seed, {"2": Model("2"), "3": Model("3", errors=BAD), "4": Model("4")})


def test_good_version_is_promoted_and_no_request_is_lost() -> None:
    story = good_and_bad()
    old, new = story.hashes["1"], story.apply("2")
    path = [0]
    while not (story.phase is Phase.STABLE and story.stable == "2"):
        story.step()
        path += [story.weight("2")] if story.weight("2") != path[-1] else []
    story.until_rest()
    assert path == [0, 10, 50, 100]
    assert story.outcomes() == [("1", "Deployed"), ("2", "Promoted")]
    assert set(story.cluster.pods) == {new}
    assert story.cluster.in_force == {new: 100}
    assert story.cluster.gone[old] >= DRAIN_S
    assert story.cluster.lost == 0
    assert reasons(story)[2:] == ["TrialStarting", "StepStarted", "StepStarted", "Promoting", "Promoted"]


def test_bad_version_is_rolled_back_and_stays_quarantined() -> None:
    story = good_and_bad()
    bad = story.apply("3")
    story.until_rest()
    assert story.outcomes()[-1] == ("3", "RolledBack")
    assert story.stable == "1"
    assert story.cluster.gone[bad] >= DRAIN_S
    assert story.cluster.lost == 0
    story.apply("3", replicas=3)  # applied again, with more pods: still the same version
    story.run(60.0)
    assert (story.phase, story.outcomes()[-1]) == (Phase.ROLLED_BACK, ("3", "RolledBack"))
    assert bad not in story.cluster.pods
    story.apply("2")
    story.until_rest()
    assert story.stable == "2"


def test_slow_version_is_rolled_back_for_its_latency() -> None:
    story = begin(1, {"2": Model("2", slow=always(0.4))})
    story.apply("2")
    story.until_rest()
    assert story.outcomes()[-1] == ("2", "RolledBack")
    assert "scorer/latency" in story.operator.status.history[0].sentence


def test_version_that_never_starts_is_rolled_back_at_its_deadline() -> None:
    story = begin(1, {"2": Model("2", starts_in_s=1e9)})
    story.apply("2")
    asked_s = story.cluster.now_s
    story.until_phase(Phase.ROLLED_BACK, 90.0)
    assert 60.0 <= story.cluster.now_s - asked_s <= 65.0
    assert story.cluster.last_weight_s.keys() == {story.hashes["1"]}


def test_prometheus_away_for_ten_minutes_in_mid_step() -> None:
    story = good_and_bad()
    story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    start_s = story.cluster.now_s + 5.0
    story.prometheus.down = ((start_s, start_s + 600.0),)
    story.run(30.0)
    for _ in range(28):
        story.run(20.0)
        assert story.weight("2") == 10
        assert story.operator.status.verdict == "Unavailable"
    assert "can't be reached" in story.operator.status.summary
    story.until_rest()
    assert story.outcomes()[-1] == ("2", "Promoted")
    assert reasons(story).count("Unavailable") == reasons(story).count("Available") == 1


def test_version_that_breaks_while_prometheus_is_away_is_rolled_back_after() -> None:
    story = begin(1, {"2": Model("2", errors=lambda now_s, _: 0.3 if now_s > 60 else 0.001)})
    story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.prometheus.down = ((story.cluster.now_s + 3.0, 200.0),)
    story.run(200.0 - story.cluster.now_s)
    assert story.weight("2") == 10
    story.until_phase(Phase.ROLLED_BACK, 10.0)


def test_candidate_loses_its_pods_and_gets_them_back() -> None:
    story = good_and_bad()
    new = story.apply("2")
    story.until(lambda: story.weight("2") == 50)
    story.run(5.0)
    story.cluster.lose_pods(new, back_in_s=20.0)
    story.run(2.0)
    assert story.weight("2") == 0
    assert story.cluster.lost <= 150  # what the gateway sent until it knew: one second of 50 requests, and chance
    assert "no ready pod" in story.operator.status.summary
    story.until_rest()
    assert story.outcomes()[-1] == ("2", "Promoted")


def test_candidate_whose_pods_never_come_back_is_rolled_back() -> None:
    story = good_and_bad()
    new = story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.cluster.lose_pods(new, back_in_s=1e9)
    lost_s = story.cluster.now_s
    story.until_phase(Phase.ROLLED_BACK)
    assert 60.0 <= story.cluster.now_s - lost_s <= 65.0


def test_candidate_deleted_by_hand_is_made_again() -> None:
    story = good_and_bad()
    new = story.apply("2")
    story.until(lambda: story.weight("2") == 50)
    del story.cluster.pods[new]
    story.run(1.0)
    assert story.weight("2") == 0
    story.until_rest()
    assert story.outcomes()[-1] == ("2", "Promoted")


@pytest.mark.parametrize("weight", [0, 10, 50])
def test_new_spec_in_mid_trial(weight: int) -> None:
    """The version that nobody wants any more loses its traffic first; then the next one starts from the beginning."""
    story = good_and_bad()
    story.apply("2")
    story.until(lambda: story.phase is not Phase.STABLE and story.weight("2") == weight)
    story.apply("4")
    story.until(lambda: story.weight("2") == 0, 2.0)
    story.until_rest()
    assert story.outcomes()[1:] == [("2", "Superseded"), ("4", "Promoted")]
    assert story.cluster.lost == 0
    assert not weight or story.cluster.gone[story.hashes["2"]] >= DRAIN_S
    assert set(story.cluster.pods) == {story.hashes["4"]}


def test_new_spec_after_the_rollback_of_a_bad_one_waits_for_nothing() -> None:
    story = good_and_bad()
    story.apply("3")
    story.until_phase(Phase.ROLLED_BACK)
    story.apply("4")
    story.until_rest()
    assert story.outcomes()[1:] == [("3", "RolledBack"), ("4", "Promoted")]


def test_there_and_back_again() -> None:
    story = good_and_bad()
    story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.apply("1")
    story.until_rest()
    assert (story.phase, story.stable) == (Phase.STABLE, "1")
    assert story.outcomes()[1:] == [("2", "Superseded")]
    assert set(story.cluster.pods) == {story.hashes["1"]}
    written = story.operator.stored
    story.run(60.0)
    assert story.operator.stored == written
    story.apply("2")  # superseded is not condemned
    story.until_rest()
    assert story.stable == "2"


def test_pause_holds_and_a_bad_version_is_rolled_back_all_the_same() -> None:
    story = begin(1, {"2": Model("2", errors=lambda now_s, _: 0.3 if now_s > 200 else 0.001)})
    story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.apply("2", paused=True)
    story.run(200.0 - story.cluster.now_s)
    assert story.weight("2") == 10
    assert "paused" in story.operator.status.summary
    story.until_phase(Phase.ROLLED_BACK, 15.0)


def test_pause_and_resume() -> None:
    story = good_and_bad()
    story.apply("2", paused=True)
    story.run(60.0)
    assert story.hashes["2"] not in story.cluster.pods
    story.apply("2")
    story.until(lambda: story.weight("2") == 50)
    story.apply("2", paused=True)
    story.run(60.0)
    assert story.weight("2") == 50
    story.apply("2")
    story.until_rest()
    assert story.stable == "2"


def test_gateway_that_takes_its_time() -> None:
    """A step's time begins when its weight is in force; a drain only when it is gone."""
    story = good_and_bad()
    old, _ = story.hashes["1"], story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.cluster.gateway_stuck_until_s = story.cluster.now_s + 40.0
    story.run(39.0)
    assert story.weight("2") == 10
    story.until_rest()
    assert story.stable == "2"
    assert story.cluster.gone[old] >= DRAIN_S
    assert story.cluster.lost == 0


def test_gateway_that_takes_its_time_over_a_rollback() -> None:
    story = good_and_bad()
    bad = story.apply("3")
    story.until(lambda: story.weight("3") == 10)
    story.cluster.gateway_stuck_until_s = story.cluster.now_s + 40.0
    story.until_phase(Phase.ROLLED_BACK, 30.0)
    story.until_rest()
    assert story.cluster.gone[bad] >= DRAIN_S
    assert story.cluster.lost == 0


def test_status_lost_in_mid_trial() -> None:
    """A backup was restored without it: the version with the traffic is stable, and the trial begins anew."""
    story = good_and_bad()
    story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.operator.stored, story.operator._read = {}, None
    story.until_rest()
    assert story.stable == "2"
    assert [reason for reason in reasons(story) if reason in {"Recovered", "Promoted"}] == ["Recovered", "Promoted"]
    assert story.cluster.lost == 0
