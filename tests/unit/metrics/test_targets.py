"""Health of scrape targets, and when their counters began again at zero."""

from __future__ import annotations

import pytest

from seatrial.metrics.targets import Target, Targets

POD = {"pod": "p", "job": "pods", "instance": "10.0.0.1:80"}


def up(*values: int, start: float = 100.0, interval: float = 2.0) -> list[tuple[float, str]]:
    return [(start + i * interval, str(value)) for i, value in enumerate(values)]


def test_pods_are_up_while_their_newest_scrape_succeeded_and_is_fresh() -> None:
    targets = Targets(fresh_s=60)
    assert targets.up(100) == 0
    targets.add(POD, up(0, 1, 1))
    targets.add({**POD, "pod": "q"}, up(1, 1, 0))
    assert targets.up(104) == 1
    assert targets.last_healthy_s == 104
    assert targets.up(110) == 1
    assert targets.up(111) == 0


def test_a_slow_scrape_interval_keeps_a_target_fresh_for_longer_but_not_for_ever() -> None:
    targets = Targets(fresh_s=60)
    targets.add(POD, up(1, 1, interval=15))
    assert targets.up(115 + 45) == 1
    assert targets.up(115 + 46) == 0
    targets.add(POD, up(1, start=1000))
    assert targets.up(1060) == 1
    assert targets.up(1061) == 0


def test_every_port_of_a_pod_must_be_up() -> None:
    targets = Targets(fresh_s=60)
    targets.add(POD, up(1, 1))
    targets.add({**POD, "instance": "10.0.0.1:81"}, up(1, 0))
    assert targets.up(102) == 0


def test_samples_may_come_again() -> None:
    targets = Targets(fresh_s=60)
    targets.add(POD, up(1, 1, 0))
    targets.add(POD, up(1, 1))
    assert targets.up(104) == 0
    assert targets.of(POD).scrapes == [100.0, 102.0]


@pytest.mark.parametrize(
    ("seen", "again", "reborn"),
    [
        pytest.param(100.0, 102.0, False, id="next scrape"),
        pytest.param(100.0, 104.0, True, id="missing from a scrape"),
        pytest.param(50.0, 104.0, True, id="seen before what is remembered, missing since"),
        pytest.param(50.0, 100.0, False, id="nothing is remembered in between"),
        pytest.param(100.5, 104.5, False, id="timestamps of the exporter's own"),
        pytest.param(100.5, 104.0, False, id="one timestamp of the exporter's own"),
        pytest.param(104.0, 106.0, False, id="scrape not known yet"),
    ],
)
def test_a_series_that_a_successful_scrape_does_not_show_was_gone(seen: float, again: float, *, reborn: bool) -> None:
    target = Target(at_s=104.0, healthy=True, interval_s=2.0, scrapes=[100.0, 102.0, 104.0])
    assert target.reborn(seen, again) is reborn


def test_a_new_process_is_seen_by_its_start() -> None:
    targets = Targets(fresh_s=60)
    # The boot time that a start is derived from wavers by a second; that is no restart.
    targets.add_starts(POD, [(100.0, "50.1"), (102.0, "51.1"), (104.0, "50.1"), (106.0, "105.2"), (108.0, "105.2")])
    target = targets.of(POD)
    assert target.restarts == [106.0]
    assert [target.reborn(s, s + 2) for s in (100.0, 102.0, 104.0, 106.0)] == [False, False, True, False]
    assert target.reborn(100.0, 110.0)
    targets.add_starts(POD, [(104.0, "50.1"), (106.0, "105.2"), (108.0, "105.2")])
    assert target.restarts == [106.0]


def test_memory_of_scrapes_is_bounded() -> None:
    targets = Targets(fresh_s=60)
    targets.add(POD, up(*([1] * 500)))
    targets.trim()
    assert len(targets.of(POD).scrapes) == 64
    assert targets.of(POD).scrapes[-1] == 100.0 + 499 * 2
