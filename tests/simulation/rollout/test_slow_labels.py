"""Labels in a trial: steps wait for those that come in them and for no others, and few labels blame nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seatrial.api.status import Phase
from tests.simulation.rollout.cluster import Model, always
from tests.simulation.rollout.story import AVAILABILITY, Story, begin, spec_of

if TYPE_CHECKING:
    from seatrial.api.labels import LabelStatus

ACCURACY = {"name": "accuracy", "target": "90", "sli": {"template": "label-accuracy"}}
STEPS_S = 30.0
LATE_S = 60.0
WRONG = Model("2", wrong=always(0.4))


def story_of(
    labels: object, in_s: float, *, labelled: float = 1.0, known: bool = True, model: Model = WRONG, seed: int = 1
) -> Story:
    """Put version 2 on trial, after labels of version 1 have come if they are to be known."""
    story = begin(seed, {"2": model}, objectives=(AVAILABILITY, ACCURACY))
    story.slo["labels"] = labels
    story.cluster.labels_in_s, story.cluster.labelled = in_s, labelled
    if known:
        story.run(in_s + 20)
    story.apply("2", strategy={**spec_of("1")["strategy"], "watch": {"for": "2m"}})
    return story


def found(story: Story) -> LabelStatus:
    labels = story.operator.status.labels
    assert labels
    return labels


def accuracy(story: Story) -> Any:
    trial = story.operator.status.trial
    assert trial
    return next(entry for entry in trial.evidence if entry.objective == "accuracy")


@pytest.mark.parametrize("seed", range(3))
def test_a_trial_goes_on_without_labels_that_come_after_it_and_is_undone_by_them(seed: int) -> None:
    story = story_of({}, LATE_S, seed=seed)
    begun_s = story.cluster.now_s
    story.until_phase(Phase.WATCHING)
    assert story.cluster.now_s - begun_s < STEPS_S + 20
    assert found(story).acts == "watch"
    told = next(c for c in story.operator.status.conditions if c.type == "LabelsGood")
    assert (told.status, told.reason) == ("Unknown", "LabelsPending")
    assert told.message.endswith("later than the longest step ends: they act in the watch")
    story.until_phase(Phase.ROLLED_BACK)
    assert "scorer/accuracy" in story.operator.status.history[0].sentence
    assert story.cluster.lost == 0


def test_without_labels_in_the_model_slo_a_step_waits_for_them() -> None:
    story = story_of(None, LATE_S, model=Model("2"))
    story.run(STEPS_S + 20)
    assert (story.phase, accuracy(story).verdict) == (Phase.TRIAL, "NoData")


def test_a_step_waits_while_nobody_knows_when_labels_come() -> None:
    story = story_of({}, LATE_S, known=False, model=Model("2"))
    story.until_phase(Phase.TRIAL)
    story.run(STEPS_S)
    assert (story.operator.status.step, found(story).acts) == ("1/2", "unknown")
    story.until(lambda: story.stable == "2")


def test_people_are_warned_when_nothing_will_act_on_labels() -> None:
    story = story_of({}, 500.0, model=Model("2"))
    story.until(lambda: story.stable == "2")
    told = [note for _, reason, note in story.operator.told if reason == "NothingActs"]
    assert len(told) == 1
    assert "nothing acts on them by itself" in told[0]


@pytest.mark.parametrize(
    ("labels", "labelled", "phase"),
    [({}, 0.05, Phase.TRIAL), ({}, 0.5, Phase.ROLLED_BACK), (None, 0.05, Phase.ROLLED_BACK)],
    ids=["few", "enough", "not asked"],
)
def test_few_labels_blame_no_version_where_coverage_is_asked_for(labels: object, labelled: float, phase: Phase) -> None:
    story = story_of(labels, 2.0, labelled=labelled)
    story.run(120.0)
    assert story.phase is phase
    if phase is Phase.TRIAL:
        assert accuracy(story).verdict == "Inconclusive"
        assert accuracy(story).sentence.startswith("Not held against it: ")
        story.cluster.labelled = 0.9
        story.until_phase(Phase.ROLLED_BACK)


def test_an_outage_neither_blames_for_few_labels_nor_excuses() -> None:
    story = story_of({}, 2.0, labelled=0.05)
    story.run(60.0)
    now_s = story.cluster.now_s
    story.prometheus.down = ((now_s, now_s + 60),)
    story.run(50.0)
    assert (story.phase, accuracy(story).verdict, found(story).verdict) == (Phase.TRIAL, "Inconclusive", "Unavailable")
    story.run(60.0)
    assert story.phase is Phase.TRIAL
