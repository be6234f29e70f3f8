"""Labels: coverage, calibration, gaps between groups, and when they come early enough to act."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seatrial.judge.labels import (
    Bin,
    Group,
    When,
    delay_quantile,
    judge_brier,
    judge_calibration,
    judge_coverage,
    judge_gap,
    share_interval,
    when,
)
from seatrial.judge.types import Verdict


@pytest.mark.parametrize(
    ("delay_s", "expected"),
    [(60.0, When.STEP), (600.0, When.STEP), (3600.0, When.WATCH), (1e6, When.LATER), (math.inf, When.LATER)],
)
def test_labels_act_as_soon_as_they_come(delay_s: float, expected: When) -> None:
    assert when(delay_s, step_s=600, watch_s=86_400) is expected


def test_nobody_knows_when_labels_act_that_never_came() -> None:
    assert when(delay_quantile([]), step_s=600, watch_s=86_400) is When.UNKNOWN


def test_the_delay_is_learnt_from_its_histogram() -> None:
    buckets = [(60.0, 50.0), (600.0, 95.0), (3600.0, 99.0), (math.inf, 100.0)]
    assert delay_quantile(buckets) == 600
    assert delay_quantile(buckets, 0.98) == 3600
    assert delay_quantile(buckets, 0.999) == math.inf
    assert delay_quantile([(60.0, 0.0), (math.inf, 0.0)]) is None


@pytest.mark.parametrize(
    ("matured", "labelled", "verdict"), [(0, 0, "NoData"), (1000, 90, "Inconclusive"), (1000, 100, "Healthy")]
)
def test_few_labels_do_not_speak_for_all(matured: int, labelled: int, verdict: str) -> None:
    assert judge_coverage(matured, labelled, target=0.1).verdict == verdict


def test_coverage_is_reached_at_its_target_and_asks_for_nothing_at_0() -> None:
    assert judge_coverage(1000, 1000, target=0.99).verdict is Verdict.Healthy
    assert judge_coverage(3, 0, target=0.1).verdict is Verdict.Inconclusive
    assert judge_coverage(3, 0, target=0.0).verdict is Verdict.Healthy


def test_a_brier_score_is_tested_at_every_look_and_chance_blames_few() -> None:
    """A score exactly at the limit, looked at after each label: at most 5 % are ever blamed."""
    rng = np.random.default_rng(2)
    blamed = 0
    for _ in range(60):
        errors = np.cumsum(rng.beta(0.5, 2.0, size=600))  # mean 0.2, between 0 and 1
        looks = range(20, 600, 20)
        blamed += any(judge_brier(errors[n - 1], n, limit=0.2, alpha=0.05).verdict is Verdict.Burning for n in looks)
    assert blamed <= 60 * 0.05 + 3 * math.sqrt(60 * 0.05)


def test_a_bad_brier_score_is_found() -> None:
    assert judge_brier(350.0, 1000, limit=0.2).verdict is Verdict.Burning
    assert judge_brier(205.0, 1000, limit=0.2).verdict is Verdict.Inconclusive
    assert judge_brier(150.0, 1000, limit=0.2).verdict is Verdict.Healthy
    assert judge_brier(0.0, 0, limit=0.2).verdict is Verdict.NoData


def confident(n: int, overstated: float, rng: np.random.Generator | None = None) -> list[Bin]:
    """Ten bins with a tenth of the labels each; confidence is too high by ``overstated``."""
    bins = []
    for middle in np.arange(0.55, 1.0, 0.05):
        truth = middle - overstated
        right = round(n * truth) if rng is None else int(rng.binomial(n, truth))
        bins.append(Bin(n, right, n * float(middle)))
    return bins


def test_a_calibrated_model_is_not_blamed_for_the_error_that_chance_makes() -> None:
    rng = np.random.default_rng(4)
    found = [judge_calibration(confident(20, 0.0, rng), limit=0.02) for _ in range(300)]
    assert np.mean([one.value for one in found]) > 0.05
    assert sum(one.verdict is Verdict.Burning for one in found) <= 6
    assert found[0].verdict is Verdict.Inconclusive
    assert "labels are needed" in found[0].sentence


def test_an_overconfident_model_is_found() -> None:
    found = judge_calibration(confident(1000, 0.1), limit=0.05)
    assert found.verdict is Verdict.Burning
    assert found.value == pytest.approx(0.1)
    assert judge_calibration(confident(10_000, 0.01), limit=0.05).verdict is Verdict.Healthy
    assert judge_calibration([], limit=0.05).verdict is Verdict.NoData


@pytest.mark.parametrize("stated", [0.999, 0.95, 0.8])
def test_a_model_at_its_limit_is_hardly_ever_blamed_however_often_one_looks(stated: float) -> None:
    """Right five points less often than it says, with a limit of .05: alpha is 1 % over a thousand looks."""
    rng = np.random.default_rng(9)
    blamed = 0
    for _ in range(40):
        right = np.cumsum(rng.random(4000) < stated - 0.05)
        blamed += any(
            judge_calibration([Bin(n, int(right[n - 1]), n * stated)], limit=0.05, alpha=1e-5).verdict
            is Verdict.Burning
            for n in range(4, 4001, 36)
        )
    assert blamed <= 1


def test_an_error_a_little_above_its_limit_is_not_called_kept() -> None:
    found = judge_calibration([Bin(2000, 1780, 1900.0)], limit=0.05)
    assert found.verdict is Verdict.Inconclusive
    assert "above 0.05 by less than the" in found.sentence


def test_certainty_that_is_always_right_has_no_error() -> None:
    assert judge_calibration([Bin(100, 100, 100.0)], limit=0.05).verdict is Verdict.Healthy


def test_certainty_that_is_always_wrong_is_all_error() -> None:
    found = judge_calibration([Bin(100, 0, 100.0)], limit=0.05)
    assert (found.verdict, found.value) == (Verdict.Burning, 1.0)
    assert judge_brier(100.0, 100, limit=0.2).verdict is Verdict.Burning
    assert judge_brier(0.0, 100, limit=0.2).verdict is Verdict.Healthy


@pytest.mark.parametrize(("right", "confidence"), [(1, 1.0), (0, 1.0), (1, 0.0), (0, 0.0)])
def test_a_single_label_says_nothing(right: int, confidence: float) -> None:
    assert judge_calibration([Bin(1, right, confidence)], limit=0.05).verdict is Verdict.Inconclusive
    assert judge_brier((confidence - right) ** 2, 1, limit=0.2).verdict is not Verdict.Burning
    assert judge_gap([Group("north", 1, 1), Group("south", 1, 0)], limit=0.1).verdict is Verdict.Inconclusive


def test_a_gap_needs_thousands_of_labels_per_group() -> None:
    """Gap .15 against a limit of .10 at rates around .8: 1,300 per group at a single look, more at every look."""

    def gap(n: int) -> Verdict:
        groups = [Group("north", n, round(0.275 * n)), Group("south", n, round(0.125 * n))]
        return judge_gap(groups, limit=0.1, alpha=0.05).verdict

    assert gap(1000) is Verdict.Inconclusive
    assert gap(6000) is Verdict.Burning


def test_groups_that_are_alike_are_proven_to_be() -> None:
    groups = [Group(name, 20_000, 4000) for name in ("north", "south", "east")]
    assert judge_gap(groups, limit=0.1).verdict is Verdict.Healthy
    small = [*groups, Group("west", 12, 6)]
    assert judge_gap(small, limit=0.1).verdict is Verdict.Inconclusive


def test_gaps_can_be_asked_for_to_one_group_only() -> None:
    groups = [Group("north", 20_000, 4000), Group("south", 20_000, 2600), Group("all", 40_000, 6600)]
    assert judge_gap(groups, limit=0.04).verdict is Verdict.Burning
    assert judge_gap(groups, limit=0.06, reference="all").verdict is Verdict.Healthy
    assert judge_gap(groups[:1], limit=0.06).verdict is Verdict.NoData
    assert judge_gap(groups, limit=0.06, reference="west").verdict is Verdict.NoData


def test_a_reference_may_be_better_off_or_worse() -> None:
    groups = [Group("all", 20_000, 4000), Group("south", 20_000, 1000)]
    assert judge_gap(groups, limit=0.05, reference="all").verdict is Verdict.Burning
    assert judge_gap(groups, limit=0.05, reference="south").verdict is Verdict.Burning


def test_groups_that_come_late_have_their_part_of_alpha_from_the_start() -> None:
    """Otherwise alpha would be spent by the first ones, and once more with each that joins."""
    early = [Group("north", 700, 222), Group("south", 700, 90)]
    waiting = [Group(f"region {number}", 0, 0) for number in range(48)]
    assert judge_gap(early, limit=0.05, alpha=0.01).verdict is Verdict.Burning
    assert judge_gap([*early, *waiting], limit=0.05, alpha=0.01).verdict is Verdict.Inconclusive


@pytest.mark.parametrize(
    ("shares", "per_look", "reference"),
    [
        ((0.25, 0.15), (20, 20), ""),
        ((0.25, 0.15), (100, 5), ""),
        ((0.10, 0.0), (20, 20), ""),
        ((0.25, 0.25, 0.15, 0.15), (20, 20, 20, 20), ""),
        ((0.25, 0.15, 0.05), (20, 20, 20), "1"),
    ],
    ids=["alike", "uneven", "none wrong", "four", "reference"],
)
def test_groups_at_the_limit_are_hardly_ever_blamed_or_acquitted_however_often_one_looks(
    shares: tuple[float, ...], per_look: tuple[int, ...], reference: str
) -> None:
    """Differences of just the limit, looked at 200 times: each is called at most with probability alpha, 5 %."""
    rng = np.random.default_rng(12)
    called = {Verdict.Burning: 0, Verdict.Healthy: 0}
    for _ in range(20):
        wrong = np.array([rng.binomial(n, p, 200) for n, p in zip(per_look, shares, strict=True)]).cumsum(axis=1)
        seen = {
            judge_gap(
                [Group(str(g), n * (look + 1), int(wrong[g, look])) for g, n in enumerate(per_look)],
                limit=0.1,
                alpha=0.05,
                reference=reference,
            ).verdict
            for look in range(200)
        }
        for verdict in called:
            called[verdict] += verdict in seen
    assert max(called.values()) <= 1


def test_one_group_or_none_has_no_gap() -> None:
    assert judge_gap([], limit=0.1).verdict is Verdict.NoData
    assert judge_gap([Group("north", 100, 10)], limit=0.1).verdict is Verdict.NoData
    assert judge_gap([Group("north", 100, 10), Group("south", 0, 0)], limit=0.1).verdict is Verdict.NoData


def test_groups_that_are_all_right_and_all_wrong_are_told_apart() -> None:
    assert judge_gap([Group("north", 50, 0), Group("south", 50, 50)], limit=0.1).verdict is Verdict.Burning
    assert judge_gap([Group(name, 1000, 0) for name in ("north", "south")], limit=0.1).verdict is Verdict.Healthy
    assert judge_gap([Group(name, 1000, 1000) for name in ("north", "south")], limit=0.1).verdict is Verdict.Healthy


def test_an_interval_holds_at_all_looks_at_once() -> None:
    rng = np.random.default_rng(6)
    missed = 0
    for _ in range(80):
        hits = np.cumsum(rng.random(500) < 0.3)
        missed += any(
            not low <= 0.3 <= high
            for low, high in (share_interval(int(hits[n - 1]), n, 0.05) for n in range(5, 501, 15))
        )
    assert missed <= 80 * 0.05 + 3 * math.sqrt(80 * 0.05)


def test_an_interval_knows_its_ends() -> None:
    assert share_interval(0, 0, 0.05) == (0.0, 1.0)
    assert share_interval(0, 50, 0.05)[0] == 0.0
    assert share_interval(50, 50, 0.05)[1] == 1.0
