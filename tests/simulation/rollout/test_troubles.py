"""Troubles in the middle of a trial that neither stop it for ever nor let it pass what nobody has seen."""

from __future__ import annotations

import pytest

from seatrial.api.commands import Command, Verb
from seatrial.api.status import Phase
from seatrial.rollout.world import Refusal
from tests.simulation.rollout.cluster import Model, always
from tests.simulation.rollout.story import Story, begin, spec_of

FOR_EVER_S = 1e9


def trial(*, rate_hz: float = 100.0, bad: float = 0.2) -> Story:
    """Begin with version 1; version 2 is good and version 3 is bad."""
    return begin(1, {"2": Model("2"), "3": Model("3", errors=always(bad))}, rate_hz=rate_hz)


@pytest.mark.parametrize("weight", [10, 50])
def test_a_good_version_gets_on_while_stable_is_dead(weight: int) -> None:
    story = trial()
    story.apply("2")
    story.until(lambda: story.weight("2") == weight)
    story.cluster.lose_pods(story.hashes["1"], back_in_s=FOR_EVER_S)
    story.until(lambda: story.weight("2") == 100, 2.0)
    story.until(lambda: story.stable == "2")
    assert story.outcomes()[-1] == ("2", "Promoted")


def test_a_step_begins_anew_when_stable_is_back() -> None:
    story = trial()
    story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.cluster.lose_pods(story.hashes["1"], back_in_s=5.0)
    story.until(lambda: story.weight("2") == 100)
    story.until(lambda: story.weight("2") == 10)
    back_s = story.cluster.now_s
    story.until(lambda: story.weight("2") == 50)
    assert story.cluster.now_s - back_s >= 15.0
    story.until_rest()
    assert story.stable == "2"


def test_a_bad_version_is_left_for_a_stable_that_lacks_pods() -> None:
    story = trial()
    story.apply("3")
    story.until(lambda: story.weight("3") == 10)
    story.cluster.pods[story.hashes["1"]].ready_s[0] = FOR_EVER_S
    story.until_phase(Phase.ROLLED_BACK, 15.0)
    story.until(lambda: story.weight("3") == 0, 2.0)
    assert story.weight("1") == 100
    assert story.cluster.lost == 0


def test_a_step_in_which_nothing_was_asked_is_not_passed() -> None:
    story = trial()
    story.apply("2", strategy={**spec_of("2")["strategy"], "steps": [{"weight": w, "for": "15s"} for w in (10, 50)]})
    story.until(lambda: story.weight("2") == 10)
    story.run(10.0)
    story.cluster.rate_hz = 0.0
    story.run(300.0)
    assert story.weight("2") == 50  # its first step has shown something
    assert story.operator.status.verdict == "Inconclusive"
    assert "no request was counted in this step yet" in story.operator.status.summary
    story.cluster.rate_hz = 100.0
    story.until_rest()
    assert story.outcomes()[-1] == ("2", "Promoted")


def test_a_change_of_scale_costs_a_step_no_time() -> None:
    ends_s = []
    for replicas in (2, 5):
        story = trial()
        story.apply("2")
        story.until(lambda: story.weight("2") == 10)  # noqa: B023 - asked at once
        story.run(10.0)
        story.apply("2", replicas=replicas)
        story.until(lambda: story.weight("2") == 50)  # noqa: B023 - asked at once
        ends_s.append(story.cluster.now_s)
        assert len(story.cluster.pods[story.hashes["1"]].ready_s) == replicas
    assert ends_s[0] == ends_s[1]


def test_a_spec_that_can_not_be_used_holds_the_trial_and_the_next_one_is_tried() -> None:
    story = trial()
    story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.operator.apply(Refusal("InvalidSpec", "the template has no containers"))
    story.run(120.0)
    assert story.weight("2") == 10
    assert "the template has no containers" in story.operator.status.summary
    story.apply("2")
    story.until_rest()
    assert story.stable == "2"


def test_a_retried_version_is_judged_by_its_new_requests_alone() -> None:
    story = begin(1, {"2": Model("2", errors=lambda now_s, _: 0.3 if now_s < 120 else 0.001)})
    story.apply("2")
    story.until_rest()
    assert story.outcomes()[-1] == ("2", "RolledBack")
    story.run(120.0 - story.cluster.now_s)
    story.operator.command(Command(id="c1", verb=Verb.RETRY, by="ann", reason="the feature store is back"))
    story.until(lambda: story.stable == "2")
    assert story.outcomes()[-2:] == [("2", "RolledBack"), ("2", "Promoted")]
    trial_ = story.operator.status.trial
    assert trial_
    assert all(entry.bad < 50 for entry in trial_.evidence)


def test_a_version_that_was_rolled_back_is_not_tried_again_from_the_middle_of_another_trial() -> None:
    story = trial()
    story.apply("3")
    story.until_rest()
    story.apply("2")
    story.until(lambda: story.weight("2") == 10)
    story.apply("3")
    story.until(lambda: story.weight("2") == 0, 2.0)
    story.until_rest()
    story.run(60.0)
    assert story.outcomes()[1:] == [("3", "RolledBack"), ("2", "Superseded")]
    assert story.cluster.in_force == {story.hashes["1"]: 100}
    assert set(story.cluster.pods) == {story.hashes["1"]}
