"""When ``watch --until`` is over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from seatrial.api.conditions import Condition
from seatrial.api.status import HistoryEntry, ModelDeploymentStatus, Outcome, Phase
from seatrial.cli.plugin.ending import Until, Waiting
from seatrial.cli.plugin.view import View
from tests.unit.rollout.builders import NOW, A, B, C, on_trial, rolled_back, stable, starting, watching

if TYPE_CHECKING:
    from seatrial.api.trial import VersionRef


def seen(status: ModelDeploymentStatus, *, reason: str = "", generation: int = 1) -> View:
    progressing = Condition("Progressing", "False", reason, "", NOW)
    status = replace(status, observed_generation=1, conditions=(progressing,))
    return View("ml", "scorer", generation, NOW, wished="2", observing=False, status=status)


def fate(version: VersionRef, outcome: Outcome) -> HistoryEntry:
    return HistoryEntry(version.hash, version.label, outcome, NOW - 100, NOW, "because")


def waited(until: Until, *views: View | None) -> bool | None:
    """Look at one scene after the other; tell whether it was reached, None while it goes on."""
    waiting, ending = Waiting(until), None
    for view in views:
        assert ending is None, "it had ended before"
        waiting, ending = waiting.look(view)
    return None if ending is None else ending.reached


UNDERWAY = seen(on_trial())
PROMOTED = seen(replace(stable(), stable=B, history=(fate(B, Outcome.PROMOTED),)), reason="Complete")
ROLLED_BACK = seen(replace(rolled_back(), history=(fate(B, Outcome.ROLLED_BACK),)), reason="RolledBack")
WATCHED = seen(watching())
REPLACED = seen(replace(starting(), candidate=C, history=(fate(B, Outcome.SUPERSEDED),)))


@pytest.mark.parametrize(
    ("last", "promoted", "settled", "rolled"),
    [
        (UNDERWAY, None, None, None),
        (WATCHED, True, None, None),
        (PROMOTED, True, True, False),
        (ROLLED_BACK, False, False, True),
        (REPLACED, False, False, False),
        (None, False, False, False),
    ],
    ids=["underway", "watched", "promoted", "rolled back", "replaced", "deleted"],
)
def test_a_trial_ends(last: View | None, promoted: bool | None, settled: bool | None, rolled: bool | None) -> None:
    assert waited(Until.PROMOTED, UNDERWAY, last) is promoted
    assert waited(Until.SETTLED, UNDERWAY, last) is settled
    assert waited(Until.ROLLED_BACK, UNDERWAY, last) is rolled


def test_a_status_of_an_older_spec_says_nothing() -> None:
    assert waited(Until.PROMOTED, seen(PROMOTED.status, reason="Complete", generation=2)) is None


@pytest.mark.parametrize(
    ("reason", "expected"), [("Complete", True), ("RolledBack", False), ("BudgetSpent", None), ("Paused", None)]
)
def test_without_a_trial_the_operators_word_counts(reason: str, expected: bool | None) -> None:
    assert waited(Until.PROMOTED, seen(stable(), reason=reason)) is expected


def test_a_trial_that_waits_is_waited_for() -> None:
    waiting = [seen(stable(), reason="BudgetSpent"), seen(starting()), UNDERWAY]
    assert waited(Until.PROMOTED, *waiting, PROMOTED) is True


def test_healthy_is_reached_on_trial_only_or_by_promotion() -> None:
    good = seen(replace(on_trial(), verdict="Healthy"))
    assert waited(Until.HEALTHY, seen(replace(starting(), verdict="Healthy"))) is None
    assert waited(Until.HEALTHY, seen(replace(on_trial(), verdict="NoData"))) is None
    assert waited(Until.HEALTHY, good) is True
    assert waited(Until.HEALTHY, UNDERWAY, PROMOTED) is True
    assert waited(Until.HEALTHY, UNDERWAY, ROLLED_BACK) is False


def test_a_first_version_that_is_deployed_is_promoted() -> None:
    first = seen(ModelDeploymentStatus(phase=Phase.DEPLOYING, candidate=A))
    deployed = seen(replace(stable(), history=(fate(A, Outcome.DEPLOYED),)), reason="Complete")
    assert waited(Until.PROMOTED, first, deployed) is True
