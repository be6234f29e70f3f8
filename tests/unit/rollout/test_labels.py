"""What labels say of a version: all questions share alpha, and too few labels say nothing against it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seatrial.api.labels import Labels
from seatrial.api.status import Phase
from seatrial.judge.labels import Bin, Group
from seatrial.metrics.label_types import LabelCounts, LabelReadings
from seatrial.rollout.labels import assess_labels, judged_version, labels_good, shown_labels
from tests.unit.rollout import builders as b

LABELS = Labels.model_validate(
    {"calibration": "0.05", "brier": "0.2", "gaps": [{"slice": "region", "limit": "10"}], "action": "rollback"}
)
GOOD = LabelCounts(
    matured=100_000,
    labelled=40_000,
    delays=((3600.0, 39_000.0), (float("inf"), 40_000.0)),
    bins=(Bin(20_000, 14_000, 14_000.0), Bin(20_000, 18_000, 18_000.0)),
    squared_errors=6000.0,
    slices={"region": (Group("north", 20_000, 4000), Group("south", 20_000, 4000))},
)
INF = float("inf")


def looked(counts: LabelCounts) -> LabelReadings:
    return LabelReadings(b.NOW, counts={("ml", "scorer", b.B.hash): counts})


def verdicts(counts: LabelCounts, labels: Labels = LABELS) -> dict[str, str]:
    found = assess_labels(labels, "ml", "scorer", b.watching(), looked(counts))
    assert found
    return {finding.name: finding.verdict for finding in found.findings}


def test_a_version_that_keeps_all_limits_is_healthy() -> None:
    assert verdicts(GOOD) == dict.fromkeys(("coverage", "calibration", "brier", "region"), "Healthy")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("calibration", replace(GOOD, bins=(Bin(40_000, 28_000, 36_000.0),))),
        ("brier", replace(GOOD, squared_errors=12_000.0)),
        ("region", replace(GOOD, slices={"region": (Group("north", 20_000, 8000), Group("south", 20_000, 2000))})),
    ],
)
def test_a_broken_limit_is_found_and_with_few_labels_of_all_it_is_not_believed(name: str, counts: LabelCounts) -> None:
    assert verdicts(counts)[name] == "Burning"
    found = verdicts(replace(counts, matured=1_000_000))
    assert (found["coverage"], found[name]) == ("Inconclusive", "Inconclusive")


def test_a_version_without_labels_is_not_judged() -> None:
    assert set(verdicts(LabelCounts()).values()) == {"NoData"}


def test_the_delay_says_when_labels_act() -> None:
    def acts(edge_s: float) -> str:
        counts = replace(GOOD, delays=((edge_s, 40_000.0), (INF, 40_000.0)))
        found = assess_labels(LABELS, "ml", "scorer", b.watching(), looked(counts))
        assert found
        return found.acts

    assert [acts(seconds) for seconds in (60.0, 600.0, 1e6)] == ["step", "watch", "later"]


def test_labels_are_those_of_the_candidate_once_it_has_weight() -> None:
    seen = [judged_version(status) for status in (b.pending(), b.stable(), b.starting(), b.on_trial(), b.watching())]
    assert seen == [None, b.A.hash, b.A.hash, b.B.hash, b.B.hash]


def test_a_silent_prometheus_says_nothing() -> None:
    away = LabelReadings(b.NOW, "Prometheus does not answer")
    found = assess_labels(LABELS, "ml", "scorer", b.watching(), away)
    assert found
    assert labels_good(found) == ("Unknown", "Unavailable", "Prometheus does not answer")
    assert assess_labels(LABELS, "ml", "scorer", b.pending(), away) is None


def test_only_a_declared_action_rolls_back() -> None:
    rolled = b.run(b.watching(), b.at_ease(b.watching(), labels=b.MISLABELLED))
    told = b.run(b.watching(), b.at_ease(b.watching(), labels=replace(b.MISLABELLED, action="notify")))
    assert (rolled.status.phase, rolled.notices[0].reason) == (Phase.ROLLED_BACK, "RolledBack")
    assert (told.status.phase, told.notices[0].reason) == (Phase.WATCHING, "LimitBroken")


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [
        ("Burning", "False", "LimitBroken"),
        ("Healthy", "True", "LimitsKept"),
        ("Inconclusive", "Unknown", "LabelsPending"),
        ("NoData", "Unknown", "LabelsPending"),
    ],
)
def test_the_condition(verdict: str, status: str, reason: str) -> None:
    assert labels_good(replace(b.MISLABELLED, verdict=verdict))[:2] == (status, reason)


def test_counts_alone_are_worth_no_write() -> None:
    assert shown_labels(replace(b.MISLABELLED, at=b.NOW, sentence="brier: 0.41")) == shown_labels(b.MISLABELLED)
