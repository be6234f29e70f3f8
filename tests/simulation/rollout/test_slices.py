"""Whole rollouts of versions whose features get stale in runs, judged by slices of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.status import Phase
from tests.simulation.rollout.cluster import GOOD, Model
from tests.simulation.rollout.story import AVAILABILITY, Story, begin

if TYPE_CHECKING:
    from tests.simulation.rollout.cluster import Chance

SLICED = {**AVAILABILITY, "slices": {"length": "10s", "bad": 3, "of": 5}}
STEPS = {"steps": [{"weight": 10, "for": "1m"}, {"weight": 50, "for": "1m"}], "warmUp": "2s", "drain": "5s"}
STALE = 0.9


class Feed:
    """A feed that stands still between some instants: nearly all requests then see stale features."""

    def __init__(self) -> None:
        self.still: tuple[tuple[float, float], ...] = ()

    @property
    def chance(self) -> Chance:
        return lambda now_s, served: (
            STALE if any(start_s <= now_s < end_s for start_s, end_s in self.still) else GOOD(now_s, served)
        )

    def stand_still(self, story: Story, for_s: float) -> None:
        now_s = story.cluster.now_s
        self.still = ((now_s, now_s + for_s),)


def on_trial(own: Feed, shared: Feed | None = None) -> Story:
    """Let version 2 be on trial, with a feed of its own or one that it shares with version 1."""
    stable = Model("1", errors=(shared or Feed()).chance)
    story = begin(1, {"1": stable, "2": Model("2", errors=(shared or own).chance)}, objectives=[SLICED])
    story.apply("2", strategy=STEPS)
    story.until(lambda: story.weight("2") == 10)
    story.run(45.0)
    return story


def test_a_feed_of_its_own_that_stands_still_for_long_ends_the_trial() -> None:
    feed = Feed()
    story = on_trial(feed)
    feed.stand_still(story, 300.0)
    story.until_phase(Phase.ROLLED_BACK, 60.0)
    story.until_rest()
    assert story.outcomes()[-1] == ("2", "RolledBack")
    assert "3 were bad on this version alone" in story.operator.status.history[0].sentence
    stood_s = story.cluster.last_weight_s[story.hashes["2"]] - feed.still[0][0]
    assert 20.0 <= stood_s <= 45.0, "three slices of ten seconds, the first of which had begun well"


def test_a_short_stop_holds_the_step_and_no_more() -> None:
    feed = Feed()
    story = on_trial(feed)
    feed.stand_still(story, 12.0)
    story.run(20.0)
    assert story.weight("2") == 10, "the minute is over, but the newest slice was bad"
    story.until_rest()
    assert story.stable == "2"


def test_a_feed_that_both_share_is_nobodys_fault_however_long_it_stands_still() -> None:
    feed = Feed()
    story = on_trial(feed, shared=feed)
    feed.stand_still(story, 300.0)
    story.run(295.0)
    entry = story.operator.status.trial.evidence[0] if story.operator.status.trial else None
    assert entry
    assert (entry.verdict, story.weight("2")) == ("Environment", 10)
    story.until_rest()
    assert story.stable == "2", "the step goes on when the feed does"
