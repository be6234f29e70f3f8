"""How a status looks in a terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from rich.live import Live

from seatrial.api.commands import Answer, Hold, Verb
from seatrial.api.drift import DriftedFeature, DriftIncident, DriftStatus, RetrainCall
from seatrial.api.status import DEPLOYMENT_STATUS, Decision, HistoryEntry, Kept, ModelDeploymentStatus, Outcome, dump
from seatrial.api.trial import CheckRun
from seatrial.cli.formats import screen
from seatrial.cli.plugin.show import details, history, listing
from seatrial.cli.plugin.view import Unreadable, View, age, view_of
from seatrial.cli.plugin.watch import Lines, Screen, line, panel
from tests.unit.rollout.builders import (
    CHECK,
    EVERY,
    GATE,
    NOW,
    SPEC,
    A,
    B,
    at_ease,
    at_step,
    evidence,
    late,
    on_trial,
    rolled_back,
    run,
    stable,
    watching,
)

if TYPE_CHECKING:
    from rich.console import RenderableType


def view(status: ModelDeploymentStatus) -> View:
    """See a status as it comes back from the API server."""
    meta = {"namespace": "ml", "name": "scorer", "generation": 0, "creationTimestamp": "2026-11-18T00:00:00Z"}
    return view_of({"metadata": meta, "spec": SPEC, "status": dump(DEPLOYMENT_STATUS, status)})


def drawn(what: RenderableType) -> str:
    screen = Console(file=io.StringIO(), width=400)
    screen.print(what)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize("name", EVERY)
def test_every_stage_of_a_rollout_can_be_shown(name: str) -> None:
    status = run(EVERY[name], at_ease(EVERY[name])).status
    shown = view(status)
    assert status.summary in drawn(panel(shown)).replace("\n", " ")
    assert f"ml/scorer: {status.phase.value}" in drawn(details(shown))
    assert status.phase.value in drawn(listing([shown], NOW))
    assert line(shown).endswith(status.summary)


def test_evidence_shows_counts_limits_and_how_sure_they_are() -> None:
    status = on_trial()
    assert status.trial
    seen = replace(status.trial, evidence=(evidence(total=2000, bad=30),))
    shown = drawn(details(view(replace(status, trial=seen))))
    row = next(text.split() for text in shown.splitlines() if text.startswith("scorer/availability "))
    assert row[1:4] == ["Healthy", "30", "2,000"]
    low, high, limit = float(row[4]), float(row[7]), row[9]
    assert low < 1.5 < high
    assert limit == "2"
    assert "30 of 2000 requests were bad." in shown


def test_steps_carry_a_mark_where_the_trial_stands() -> None:
    shown = drawn(details(view(at_step(GATE, approvals=("ann",)))))
    marks = [text.split()[:2] for text in shown.split("Steps")[1].splitlines()[1:4]]
    assert marks == [["✓", "1"], ["▶", "2"], ["·", "3"]]
    assert "ann said promote" in shown
    checked = drawn(details(view(at_step(CHECK, check=CheckRun("golden", "Running", "12 of 100 asked")))))
    assert "running: 12 of 100 asked" in checked


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (on_trial(), "instant rollback: yes, version 1 has ready pods"),
        (watching(), "instant rollback: yes, version 1 has ready pods"),
        (late(), "instant rollback: no, version 1 is cold: it needs about 43s to start"),
        (late(), "a rollback to it has to start them first; kept for late labels until"),
        (replace(stable(), kept=(Kept("c" * 10, "0", NOW),)), "a rollback to it has to start them first"),
        (rolled_back(), "`retry` lets it be tried again"),
    ],
)
def test_it_says_how_soon_one_could_go_back(status: ModelDeploymentStatus, sentence: str) -> None:
    assert sentence in drawn(details(view(run(status, at_ease(status)).status)))


def test_evidence_of_late_labels_is_shown_beside_that_of_the_trial() -> None:
    known = late()
    found = (evidence(objective="accuracy"),)
    shown = drawn(details(view(run(known, at_ease(known, late=found)).status)))
    assert "scorer/accuracy" in shown.split("Late labels")[1]


def test_people_are_named_and_unproven_names_are_marked() -> None:
    answer = Answer(
        "1", Verb.PAUSE, "mallory", verified=False, at=NOW, outcome="Done", sentence="x", reason="a holiday"
    )
    hold = Hold("mallory", NOW, "a holiday", NOW + 60)
    shown = drawn(details(view(replace(stable(), paused=hold, answers=(answer,)))))
    assert "paused by mallory at" in shown
    assert "mallory (unverified)" in shown
    assert "a holiday" in shown


def test_history_tells_fates_decisions_and_commands() -> None:
    entry = HistoryEntry(B.hash, B.label, Outcome.ROLLED_BACK, NOW - 90, NOW, "it burns")
    decision = Decision(7, NOW, "RolledBack", B.hash, 0, "", "it burns its budget")
    answer = Answer("1", Verb.ABORT, "ann", verified=True, at=NOW, outcome="Done", sentence="version 2 is rolled back")
    shown = drawn(history(view(replace(stable(), history=(entry,), decisions=(decision,), answers=(answer,)))))
    for said in ("1m30s", "it burns", "it burns its budget", "version 2 is rolled back", "ann"):
        assert said in shown
    assert "unverified" not in shown


def test_without_a_terminal_each_change_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines({})
    for status in (stable(), stable(), on_trial()):
        lines.show([view(status)], None)
    lines.show([], "the API server is away")
    out, err = capsys.readouterr()
    assert [text.split("ml/scorer", 1)[1].split(":")[0] for text in out.splitlines()] == [
        " Stable",
        " Trial, weight 0 %",
        "",
    ]
    assert "the API server is away" in err


@pytest.mark.parametrize(
    ("state", "closed_s", "said"),
    [
        ("Waiting", None, "retraining waits for approval since 2026-11-18T11:06:40.000Z: one person to say promote"),
        ("Accepted", 7200.0, "retraining accepted at 2026-11-18 11:06:40: the service answered 202"),
    ],
)
def test_an_incident_is_shown_with_its_dates_and_what_became_of_its_call(
    state: str, closed_s: float | None, said: str
) -> None:
    closed_at = None if closed_s is None else NOW + closed_s
    incident = DriftIncident(A.hash, "WorldChanged", "age", NOW - 600, NOW, NOW, closed_at=closed_at)
    call = RetrainCall("retrain-1", NOW, state, "the service answered 202", needs=1)
    drift = DriftStatus(NOW, A.hash, "NoDrift", "nothing", "nothing drifts", incident=incident, retrained=(call,))
    shown = " ".join(drawn(details(view(replace(stable(), drift=drift)))).split())
    assert "incident WorldChanged, began at 2026-11-18 10:56:40" in shown
    assert ("open" if closed_at is None else "closed at 2026-11-18 13:06:40") in shown
    assert said in shown


def test_a_drifted_feature_is_shown_with_both_histograms() -> None:
    missing = DriftedFeature("age", "stable", "Act", "age: 30 % missing")
    moved = DriftedFeature("amount", "training", "Act", "amount: psi 0.4 is above 0.2", 0.4, 900, "▁▂█", "█▂▁")
    drift = DriftStatus(NOW, A.hash, "WorldChanged", "notify", "the world changed", features=(moved, missing))
    said = drawn(details(view(replace(stable(), drift=drift))))
    assert "▁▂█ against █▂▁   amount: psi 0.4 is above 0.2" in said
    assert "age: 30 % missing" in said


def test_what_people_write_is_shown_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    hold = Hold("mallory", NOW, "[red]see[/red] ticket [42] :warning:")
    screen().print(details(view(replace(stable(), paused=hold))))
    assert "[red]see[/red] ticket [42] :warning:" in capsys.readouterr().out


def test_a_terminal_is_redrawn() -> None:
    console = Console(file=io.StringIO(), width=200, height=60, force_terminal=True)
    with Live(console=console, auto_refresh=False) as live:
        shown_on = Screen(live, one=True)
        for status, problem in ((stable(), None), (watching(), "the API server is away")):
            shown_on.show([view(status)], problem)
            live.refresh()
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert shown.index("Stable") < shown.index("Watching") < shown.index("the API server is away")


def test_a_status_of_another_time_is_refused_in_plain_words() -> None:
    meta = {"namespace": "ml", "name": "scorer", "creationTimestamp": "2026-11-18T00:00:00Z"}
    with pytest.raises(Unreadable, match=r"status\.phase\): use a command line of the operator's version"):
        view_of({"metadata": meta, "spec": SPEC, "status": {"phase": "Sailing"}})


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (127, "2m7s"), (3600, "1h"), (93784, "1d2h"), (86400 * 3, "3d")]
)
def test_ages_look_as_kubectls(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_stable_alone_has_all_requests() -> None:
    assert f"stable   {A.label}   {A.hash}   100 % of the requests" in drawn(details(view(stable())))
