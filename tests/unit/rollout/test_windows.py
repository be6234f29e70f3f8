"""Change windows: what they hold, and what they never hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from seatrial.api.status import Phase
from seatrial.api.strategy import Window
from seatrial.judge.types import Verdict
from seatrial.rollout.windows import check, closed
from tests.unit.rollout import builders as b

OFFICE = Window(cron="0 9 * * 1-5", for_=8 * 3600.0, time_zone="Europe/Berlin")
NIGHT = Window(cron="30 22 * * *", for_=3600.0)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


OPEN = {
    "in the middle": ((OFFICE,), "2026-11-23T10:00:00"),
    "at its first second": ((OFFICE,), "2026-11-23T08:00:00"),  # 9 o'clock in Berlin
    "at its last": ((OFFICE,), "2026-11-23T15:59:59"),
    "in summer": ((OFFICE,), "2026-07-06T07:00:00"),
    "in the second of two": ((OFFICE, NIGHT), "2026-11-23T23:00:00"),
    "past midnight": ((Window(cron="0 23 * * *", for_=7200.0),), "2026-11-24T00:30:00"),
}
SHUT = {
    "before": ((OFFICE,), "2026-11-23T07:59:59", "2026-11-23T08:00:00"),
    "after": ((OFFICE,), "2026-11-23T16:00:00", "2026-11-24T08:00:00"),
    "at the weekend": ((OFFICE,), "2026-11-21T10:00:00", "2026-11-23T08:00:00"),
    "between two": ((OFFICE, NIGHT), "2026-11-23T20:00:00", "2026-11-23T22:30:00"),
}


@pytest.mark.parametrize(("windows", "now"), OPEN.values(), ids=OPEN)
def test_open(windows: tuple[Window, ...], now: str) -> None:
    assert closed(windows, at(now)) is None


@pytest.mark.parametrize(("windows", "now", "opens"), SHUT.values(), ids=SHUT)
def test_shut(windows: tuple[Window, ...], now: str, opens: str) -> None:
    found = closed(windows, at(now))
    assert found
    assert found.opens_at_s == at(opens)


def test_without_windows_nothing_is_ever_closed() -> None:
    assert closed(None, b.NOW) is None


@pytest.mark.parametrize(
    "window", [Window(cron="61 9 * * *", for_=60.0), Window(cron="0 9 * * *", for_=60.0, time_zone="Nowhere/Land")]
)
def test_a_window_that_is_none_is_refused(window: Window) -> None:
    with pytest.raises(ValueError, match=r"strategy\.windows"):
        check((window,))


NEVER_NOW = Window(cron="0 0 29 2 *", for_=60.0)
SHUT_WISH = replace(b.wish(), windows=(NEVER_NOW,))


def test_a_closed_window_holds_starts_and_steps() -> None:
    at_rest = b.run(b.stable(), b.at_ease(b.stable(), wish=SHUT_WISH))
    assert at_rest.status.candidate is None
    assert b.condition(at_rest, "Progressing") == ("False", "WindowClosed")
    assert at_rest.look_again_s  # the window itself wakes nobody
    over = b.on_trial(0, b.STEPS[0].lasts_s)
    held = b.run(over, b.at_ease(over, wish=SHUT_WISH))
    assert held.status.trial
    assert held.status.trial.step_index == 0
    assert b.condition(held, "Progressing") == ("False", "WindowClosed")


def test_a_closed_window_holds_no_rollback() -> None:
    burning = (b.evidence(Verdict.Burning, bad=300),)
    decision = b.run(b.on_trial(), b.at_ease(b.on_trial(), wish=SHUT_WISH, evidence=burning))
    assert decision.status.phase is Phase.ROLLED_BACK
