"""What labels say of a version: all questions share alpha, and too few labels say nothing against it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seatrial.api.labels import Labels
from seatrial.api.status import DEPLOYMENT_STATUS, Phase, dump
from seatrial.judge.labels import Bin
from seatrial.metrics.label_types import LabelCounts, LabelReadings, SliceCounts
from seatrial.rollout.labels import assess_labels, judged_version, labels_good, shown_labels, versions_of
from seatrial.rollout.wish import wish_of
from seatrial.rollout.world import Wish
from tests.unit.rollout import builders as b

LABELS = Labels.model_validate(
    {"calibration": "0.05", "brier": "0.2", "gaps": [{"slice": "region", "limit": "10"}], "action": "rollback"}
)


def group(fraud: tuple[int, int], other: tuple[int, int]) -> SliceCounts:
    """Count a group by its actual cases of fraud, and by those that are none: right and wrong of each."""
    (found, missed), (passed, accused) = fraud, other
    return SliceCounts(
        {"fraud": found, "ok": passed},
        {"fraud": missed, "ok": accused},
        {"fraud": found + accused, "ok": passed + missed},
    )


ALIKE = group((4000, 1000), (12_000, 3000))
GOOD = LabelCounts(
    matured=100_000,
    labelled=40_000,
    delays=((3600.0, 39_000.0), (float("inf"), 40_000.0)),
    bins=(Bin(20_000, 14_000, 14_000.0), Bin(20_000, 18_000, 18_000.0)),
    squared_errors=6000.0,
    slices={"region": {"north": ALIKE, "south": ALIKE}},
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
        ("region", replace(GOOD, slices={"region": {"north": ALIKE, "south": group((2500, 2500), (9500, 5500))}})),
    ],
)
def test_a_broken_limit_is_found_and_with_few_labels_of_all_it_is_not_believed(name: str, counts: LabelCounts) -> None:
    assert verdicts(counts)[name] == "Burning"
    found = verdicts(replace(counts, matured=1_000_000))
    assert (found["coverage"], found[name]) == ("Inconclusive", "Inconclusive")


def test_a_version_without_labels_is_not_judged() -> None:
    assert set(verdicts(LabelCounts()).values()) == {"NoData"}


def gaps(counts: dict[str, SliceCounts], **gap: str) -> str:
    labels = Labels.model_validate({"gaps": [{"slice": "region", "limit": "10"} | gap]})
    found = assess_labels(labels, "ml", "scorer", b.watching(), looked(replace(GOOD, slices={"region": counts})))
    assert found
    return f"{found.findings[1].name}: {found.findings[1].verdict}, {found.findings[1].sentence}"


def test_groups_can_be_wrong_alike_and_still_be_treated_unlike() -> None:
    """In the south the same number of mistakes is made by accusing more often, and by missing less."""
    south = group((4900, 100), (11_100, 3900))
    counts = {"north": ALIKE, "south": south}
    assert gaps(counts).startswith("region: Healthy, ")
    assert gaps(counts, of="positive", **{"class": "fraud"}) == (
        "region (positive of fraud): Inconclusive, south 44 % predicted fraud (8,800 of 20,000), "
        "north 35 % (7,000 of 20,000): too few labels to tell whether they are further apart than 10 %"
    )
    assert gaps(counts, of="recall", **{"class": "fraud"}) == (
        "region (recall of fraud): Burning, south 98 % of actual fraud found (4,900 of 5,000), "
        "north 80 % (4,000 of 5,000): further apart than 10 %, beyond chance"
    )


def test_a_class_that_the_joiner_does_not_know_is_not_found_alike_everywhere() -> None:
    found = gaps({"north": ALIKE, "south": ALIKE}, of="recall", **{"class": "Fraud"})
    assert found.endswith("NoData, no label is counted by class Fraud: the joiner tells apart fraud, ok")


def test_values_that_were_not_declared_are_no_group_unless_all_are_compared_with_them() -> None:
    counts = {"north": ALIKE, "south": ALIKE, "__other__": group((0, 5000), (0, 15_000))}
    assert gaps(counts).startswith("region: Healthy")
    assert gaps(counts, reference="__other__").startswith("region: Burning")


def test_coverage_alone_can_be_asked_for() -> None:
    few = LabelCounts(matured=1000, labelled=1, delays=((60.0, 1.0), (INF, 1.0)))
    found = assess_labels(Labels.model_validate({"coverage": "10"}), "ml", "scorer", b.watching(), looked(few))
    assert found
    assert [(one.name, one.verdict) for one in found.findings] == [("coverage", "Inconclusive")]
    assert found.uncovered == found.findings[0].sentence
    enough = assess_labels(Labels(), "ml", "scorer", b.watching(), looked(GOOD))
    assert enough
    assert (enough.verdict, enough.uncovered) == ("Healthy", "")


def test_who_counts_labels_without_a_joiner_has_no_coverage_to_wait_for() -> None:
    found = assess_labels(Labels(), "ml", "scorer", b.watching(), LabelReadings(b.NOW))
    assert found
    assert (found.verdict, found.uncovered, found.acts) == ("NoData", "", "unknown")


def test_a_joiner_whose_predictions_are_all_young_covers_nothing_yet() -> None:
    found = assess_labels(Labels(), "ml", "scorer", b.watching(), looked(LabelCounts()))
    assert found
    assert found.uncovered == "no prediction has matured yet"


@pytest.mark.parametrize("away", [LabelReadings(b.NOW, "it is away"), LabelReadings(b.NOW)], ids=["all", "joiner"])
def test_what_was_known_stays_while_nothing_is_told(away: LabelReadings) -> None:
    few = assess_labels(LABELS, "ml", "scorer", b.watching(), looked(replace(GOOD, matured=1_000_000)))
    assert few
    found = assess_labels(LABELS, "ml", "scorer", replace(b.watching(), labels=few), away)
    assert found
    assert (found.uncovered, found.acts, found.timing) == (few.uncovered, few.acts, few.timing)
    another = assess_labels(LABELS, "ml", "scorer", replace(b.stable(), labels=few), away)
    assert another
    assert (another.uncovered, another.acts) == ("", "unknown")


def timing(counts: LabelCounts, stable: LabelCounts | None = None) -> tuple[str, str]:
    readings = looked(counts)
    known = {("ml", "scorer", b.A.hash): stable} if stable else {}
    found = assess_labels(LABELS, "ml", "scorer", b.watching(), replace(readings, counts={**readings.counts, **known}))
    assert found
    return found.acts, found.timing


def delayed(edge_s: float, maturity_s: float = 0.0) -> LabelCounts:
    return replace(GOOD, delays=((edge_s, 40_000.0), (INF, 40_000.0)), maturity_s=maturity_s)


def test_the_delay_says_when_labels_act() -> None:
    assert [timing(delayed(seconds))[0] for seconds in (60.0, 600.0, 1e6)] == ["step", "watch", "later"]
    assert timing(delayed(600.0))[1] == (
        "labels are counted 10m after a prediction, later than the longest step ends: they act in the watch"
    )


def test_labels_count_no_earlier_than_the_joiner_scores_them() -> None:
    assert timing(delayed(60.0, maturity_s=600.0))[0] == "watch"
    assert timing(delayed(600.0, maturity_s=60.0))[0] == "watch"
    assert timing(LabelCounts(matured=100, maturity_s=600.0)) == ("unknown", "")


def test_labels_later_than_the_joiner_can_tell_are_said_to_be() -> None:
    late = replace(GOOD, delays=((86_400.0, 100.0), (INF, 40_000.0)))
    assert timing(late)[1] == (
        "labels are counted more than 1d after a prediction, later than any step or watch ends: nothing acts on them "
        "by itself"
    )


def test_how_late_the_labels_of_a_new_version_come_is_known_from_stable() -> None:
    """The first labels of a new version are its quick ones, and before these there are none."""
    quick = LabelCounts(matured=100, labelled=2, delays=((60.0, 2.0), (600.0, 2.0), (INF, 2.0)))
    usual = replace(GOOD, delays=((60.0, 100.0), (600.0, 40_000.0), (INF, 40_000.0)))
    assert timing(quick)[0] == "step"
    assert timing(quick, usual)[0] == timing(LabelCounts(), usual)[0] == "watch"
    assert versions_of(b.watching()) == {b.A.hash, b.B.hash}
    assert versions_of(b.late()) == {b.A.hash, b.B.hash}
    assert versions_of(b.pending()) == frozenset()


def test_late_labels_are_timed_by_the_watch_that_waits_for_them() -> None:
    status = b.late()
    other = replace(b.on_trial(), stable=status.stable, candidate=None, label_watch=status.label_watch)
    readings = LabelReadings(b.NOW, counts={("ml", "scorer", b.B.hash): delayed(3600.0)})
    found = [assess_labels(LABELS, "ml", "scorer", one, readings) for one in (status, other)]
    assert [one.acts for one in found if one] == ["cold", "cold"]


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


def test_labels_that_come_later_say_when_they_act() -> None:
    pending = replace(b.MISLABELLED, verdict="NoData", sentence="coverage: none", timing="labels come late")
    assert labels_good(pending, awaited=True) == ("Unknown", "LabelsPending", "coverage: none; labels come late")
    assert labels_good(replace(pending, acts="later"), awaited=True)[1] == "NothingActs"
    assert labels_good(replace(pending, acts="later")) == ("Unknown", "LabelsPending", "coverage: none")
    assert labels_good(replace(pending, acts="later", verdict="Burning"), awaited=True)[1] == "LimitBroken"
    assert labels_good(replace(pending, acts="later", verdict="Healthy"), awaited=True)[1] == "LimitsKept"


def test_people_are_warned_once_that_nothing_will_act_on_labels() -> None:
    later = replace(b.MISLABELLED, verdict="NoData", acts="later", timing="labels come late")
    first = b.run(b.watching(), b.at_ease(b.watching(), labels=later))
    told = next(notice for notice in first.notices if notice.reason == "NothingActs")
    assert (told.type, told.note) == ("Warning", "brier: 0.4; labels come late")
    assert b.condition(first, "LabelsGood") == ("Unknown", "NothingActs")
    again = b.run(first.status, b.at_ease(first.status, labels=later))
    assert "NothingActs" not in b.reasons(again)
    rest = replace(b.stable(b.B), labels=None)
    assert "NothingActs" not in b.reasons(b.run(rest, b.at_ease(rest, labels=later)))


def test_counts_alone_are_worth_no_write() -> None:
    few = replace(b.MISLABELLED, uncovered="9 of 1,000 predictions have a label")
    assert shown_labels(replace(b.MISLABELLED, at=b.NOW, sentence="brier: 0.41")) == shown_labels(b.MISLABELLED)
    assert shown_labels(replace(few, uncovered="9 of 1,001")) == shown_labels(few)
    assert shown_labels(few) != shown_labels(b.MISLABELLED)


@pytest.mark.parametrize(
    ("labels", "taken"), [({}, False), ({"coverage": "20"}, False), ({"brier": "0.2"}, True), (None, False)]
)
def test_labels_are_only_watched_for_where_something_is_asked_of_them(labels: object, taken: bool) -> None:
    strategy = {**b.SPEC["strategy"], "watch": {"for": "1h", "labels": "7d"}}
    asked = b.SLO | {"labels": labels}
    assert isinstance(wish_of(b.SPEC | {"strategy": strategy}, {"scorer": asked}, lambda _: None), Wish) is taken
    counting = {"name": "accuracy", "target": "90", "sli": {"template": "label-accuracy"}}
    asked["objectives"] = [*b.SLO["objectives"], counting]
    assert isinstance(wish_of(b.SPEC | {"strategy": strategy}, {"scorer": asked}, lambda _: None), Wish)


def test_a_trial_keeps_what_its_gaps_are_of() -> None:
    asked = {
        "gaps": [
            {"slice": "region", "of": "recall", "class": "fraud", "limit": "10"},
            {"slice": "region", "limit": "5"},
        ]
    }
    status = b.on_trial()
    assert status.trial
    plan = b.plan_of(b.SPEC, scorer={**b.SLO, "labels": asked})
    status = replace(status, trial=replace(status.trial, plan=plan))
    written = dump(DEPLOYMENT_STATUS, status)
    assert written["trial"]["plan"]["labels"]["gaps"][0]["class"] == "fraud"
    assert DEPLOYMENT_STATUS.validate_python(written) == status
