"""Burn-rate tiers against the SRE workbook."""

from __future__ import annotations

from decimal import Decimal

import pytest

from seatrial.judge.budget import spend
from seatrial.judge.tiers import Preset, Severity, Tier, detection_s, tiers
from seatrial.judge.types import Counts

DAY_S = 86400.0
BUDGET = Decimal("0.001")


def test_workbook_table_5_8() -> None:
    table = [
        (t.severity.value, str(t.burn_rate), t.long_s / 3600, t.short_s / 60) for t in tiers(Preset.Workbook, BUDGET)
    ]
    assert table == [
        ("Page", "14.4", 1, 5),
        ("Page", "6", 6, 30),
        ("Ticket", "3", 24, 120),
        ("Ticket", "1", 72, 360),
    ]


@pytest.mark.parametrize(("index", "spent"), [(0, 0.02), (1, 0.05), (2, 0.1), (3, 0.1)])
def test_budget_spent_when_a_tier_fires(index: int, spent: float) -> None:
    assert tiers(Preset.Workbook, BUDGET)[index].budget_spent(30 * DAY_S) == pytest.approx(spent)


def test_workbook_detection_and_budget_figures() -> None:
    ten_minutes = Tier(Severity.Page, Decimal(1), 600, 60)
    assert detection_s(ten_minutes, 0.001, 1.0) == pytest.approx(0.6)
    assert ten_minutes.budget_spent(30 * DAY_S) == pytest.approx(0.0002, abs=5e-5)
    day_and_a_half = Tier(Severity.Page, Decimal(1), 36 * 3600, 3600)
    assert detection_s(day_and_a_half, 0.001, 1.0) == pytest.approx(130, rel=0.01)
    fast = tiers(Preset.Workbook, BUDGET)[0]
    assert detection_s(fast, 0.001, 0.15) == pytest.approx(5.76 * 60)


def test_burn_just_under_the_threshold_never_fires() -> None:
    """Table 5-4: 35 times under a threshold of 36 never fires and empties the budget in 20.5 h."""
    tier = Tier(Severity.Page, Decimal(36), 3600, 300)
    assert detection_s(tier, 0.001, 0.035) is None
    emptied = spend(Counts(1_000_000, 0), BUDGET, window_s=30 * DAY_S, present_burn_rate=35)
    assert emptied.exhaustion_s == pytest.approx(20.5 * 3600, rel=0.01)


def test_both_windows_must_burn_and_the_edge_does_not_count() -> None:
    page = tiers(Preset.Workbook, BUDGET)[0]
    assert page.fires(14.5, 14.5)
    assert not page.fires(14.4, 14.5)
    assert not page.fires(100, 14.4)


def test_early_preset_escalates_at_half_the_budget_in_a_quarter_of_the_window() -> None:
    early = tiers(Preset.Early, BUDGET, window_s=28 * DAY_S)
    assert [str(t.burn_rate) for t in early] == ["4", "2", "1.5", "2"]
    assert early[-1].long_s == 7 * DAY_S
    assert early[-1].budget_spent(28 * DAY_S) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("target", "replaced"),
    [("99.9", 0), ("93.07", 0), ("93.05", 1), ("83.4", 1), ("83.3", 2), ("66.7", 2), ("66.6", 3)],
)
def test_tiers_that_could_never_fire_are_replaced(target: str, replaced: int) -> None:
    """Usable above 93.06 %, 83.3 % and 66.7 % for 14.4, 6 and 3."""
    budget = 1 - Decimal(target) / 100
    fitted = tiers(Preset.Workbook, budget)
    assert sum(bool(t.note) for t in fitted) == replaced
    assert all(t.fires(float(1 / budget), float(1 / budget)) for t in fitted)


def test_replacement_says_the_arithmetic() -> None:
    page = tiers(Preset.Workbook, Decimal("0.1"))[0]
    assert page.burn_rate == 9
    assert "1 / 0.1 = 10" in page.note
    assert "14.4 could never fire" in page.note


def test_figure_5_6_short_window_stops_the_alert_soon_after_the_trouble() -> None:
    """15 % errors for 10 minutes fire after 5.76 min; the short window clears 4.5 min after the end, the long 54."""
    page = tiers(Preset.Workbook, BUDGET)[0]
    step_s, trouble = 1.0, (7200.0, 7800.0)

    def burn_rate(now_s: float, window_s: float) -> float:
        overlap_s = max(0.0, min(now_s, trouble[1]) - max(now_s - window_s, trouble[0]))
        return 0.15 * overlap_s / window_s / float(BUDGET)

    instants = [trouble[0] + step_s * i for i in range(6000)]
    burning = [(now_s, burn_rate(now_s, page.long_s), burn_rate(now_s, page.short_s)) for now_s in instants]
    fired = [now_s for now_s, long_rate, short_rate in burning if page.fires(long_rate, short_rate)]
    long_alone = [now_s for now_s, long_rate, _ in burning if long_rate > float(page.burn_rate)]
    assert fired[0] - trouble[0] == pytest.approx(5.76 * 60, abs=2)
    assert fired[-1] - trouble[1] == pytest.approx(4.5 * 60, abs=3)
    assert long_alone[-1] - trouble[1] == pytest.approx(54 * 60, abs=20)


def test_an_alert_of_one_window_alone_lasts_58_minutes_after_a_total_outage() -> None:
    """Chapter 5, on a burn rate of 36 over an hour: the long window forgets slowly; the short one resets in minutes."""
    tier = Tier(Severity.Page, Decimal(36), 3600, 300)

    def lasts_min(window_s: float) -> float:
        seconds = range(1, 3700)
        burn_rates = ((s, max(0.0, window_s - s) / window_s / float(BUDGET)) for s in seconds)
        return max((s for s, rate in burn_rates if tier.fires(rate, rate)), default=0) / 60

    assert lasts_min(tier.long_s) == pytest.approx(58, abs=0.5)
    assert lasts_min(tier.short_s) == pytest.approx(5, abs=0.5)
