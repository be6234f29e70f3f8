"""How soon a bad version is out of traffic, and how often a good one is: figures over many seeds, with bounds."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from seatrial.api.status import Phase
from tests.simulation.rollout.cluster import Model, always
from tests.simulation.rollout.story import AVAILABILITY, begin

if TYPE_CHECKING:
    from tests.simulation.rollout.cluster import Chance

SEEDS = range(20)
LONG = {"steps": [{"weight": 10, "for": "5m"}], "warmUp": "2s", "readyDeadline": "1m", "drain": "5s"}


@dataclass(frozen=True)
class Detection:
    """What one bad version cost."""

    seconds: float
    requests: int
    bad: int


def detect(seed: int, errors: Chance, *, rate_hz: float = 100.0, limit_s: float = 400.0) -> Detection:
    """Try a version at 10 % until it is rolled back and the gateway has taken its weight away."""
    story = begin(seed, {"2": Model("2", errors=errors, slow=always(0.0))}, rate_hz=rate_hz, objectives=[AVAILABILITY])
    version = story.apply("2", strategy=LONG)
    story.until_phase(Phase.ROLLED_BACK, limit_s)
    story.until(lambda: story.weight("2") == 0, 2.0)
    known = story.cluster.counters[version]
    return Detection(story.seconds_to_weight_0("2"), known.total, known.errors)


def median(figures: list[float]) -> float:
    return statistics.median(figures)


@pytest.mark.parametrize(
    ("share", "median_s", "worst_s", "median_requests"),
    [(1.0, 4.0, 6.0, 60), (0.2, 6.0, 15.0, 80), (0.05, 20.0, 90.0, 250)],
)
def test_seconds_to_weight_0(share: float, median_s: float, worst_s: float, median_requests: float) -> None:
    """At 100 requests/s, 10 % weight and a limit of 1 % bad answers; the medians are the design's, section 5."""
    found = [detect(seed, always(share)) for seed in SEEDS]
    seconds, requests = [one.seconds for one in found], [float(one.requests) for one in found]
    print(  # noqa: T201 - the figures are asked for; pytest -s shows them
        f"{share:.0%} errors: {median(seconds):.1f} s to weight 0 (worst {max(seconds):.1f} s), "
        f"{median(requests):.0f} requests, {median([float(one.bad) for one in found]):.0f} of them bad"
    )
    assert median(seconds) <= median_s
    assert max(seconds) <= worst_s
    assert median(requests) <= median_requests


@pytest.mark.parametrize(("share", "most_requests"), [(1.0, 800), (0.2, 1000), (0.05, 2500)])
def test_late_breakage(share: float, most_requests: int) -> None:
    """After 10,000 healthy requests; the credit that these have won must not protect the version."""

    def late(_now_s: float, served: int) -> float:
        return share if served >= 10_000 else 0.001

    after = [detect(seed, late, rate_hz=2000.0).requests - 10_000 for seed in range(5)]
    print(f"{share:.0%} errors after 10,000 healthy requests: {sorted(after)} requests more")  # noqa: T201 - asked for
    assert max(after) <= most_requests


def fate(seed: int, share: float, run_s: float) -> tuple[str, float]:
    """Try a version with a share of errors; return where it stands after a while, and when it rested."""
    story = begin(seed, {"2": Model("2", errors=always(share), slow=always(0.0))}, objectives=[AVAILABILITY])
    story.operator.look_s = 2.0  # as often as there are new samples
    story.apply("2")
    began_s = story.cluster.now_s
    while story.cluster.now_s < began_s + run_s and story.phase is not Phase.ROLLED_BACK and story.stable != "2":
        story.step()
    return story.phase.value, story.cluster.now_s - began_s


def test_good_versions_are_promoted() -> None:
    """0.5 % errors against a limit of 1 %: at most one in a hundred may be rolled back, and none is held for long."""
    fates = [fate(seed, 0.005, 600.0) for seed in range(200)]
    phases = [phase for phase, _ in fates]
    took = sorted(seconds for _, seconds in fates)
    print(  # noqa: T201 - the figures are asked for
        f"0.5 % errors: {phases.count('RolledBack')} of {len(fates)} rolled back, {phases.count('Stable')} promoted "
        f"in {took[len(took) // 2]:.0f} s (median; slowest {took[-1]:.0f} s)"
    )
    assert phases.count("RolledBack") <= 2
    assert phases.count("Stable") >= 190


def test_versions_at_their_limit_are_rolled_back_no_more_often_than_promised() -> None:
    """Exactly 1 %: alpha is 1 %, so that more than 4 of 60 would happen once in 3,000 times."""
    phases = [fate(1000 + seed, 0.01, 60.0)[0] for seed in range(60)]
    print(f"1 % errors: {phases.count('RolledBack')} of {len(phases)} rolled back")  # noqa: T201 - asked for
    assert phases.count("RolledBack") <= 4
