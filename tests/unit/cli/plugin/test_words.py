"""What the plugin makes of its words, before any cluster is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from seatrial.api.commands import PRIVILEGED, Verb
from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.cli.main import main
from seatrial.cli.plugin.ask import ASKING, entries, gate_of
from seatrial.cli.plugin.kubectl import complete
from seatrial.cli.plugin.reach import Exit
from tests.unit.rollout.builders import GATE, SPEC, at_step, on_trial, stable

ROOT = Path(__file__).parents[4]


def test_each_verb_of_the_api_has_a_command() -> None:
    assert {command.name for command in ASKING} == {verb.value for verb in Verb} - {Verb.PROMOTE_FULL.value}


def test_the_policy_guards_the_verbs_that_overrule_the_judge() -> None:
    policy = next(iter(yaml.safe_load_all((ROOT / "manifests" / "install" / "policy.yaml").read_text())))
    rule = next(each["expression"] for each in policy["spec"]["validations"] if "approve" in each["expression"])
    assert {verb.value for verb in Verb if f"'{verb.value}'" in rule} == {verb.value for verb in PRIVILEGED}


def test_what_was_answered_goes_and_what_waits_stays() -> None:
    asked = [{"id": "1", "verb": "pause"}, {"id": "2", "verb": "resume"}]
    raw = {"spec": {"commands": asked}, "status": {"answers": [{"id": "1"}, {"id": "0"}]}}
    new = {"id": "3", "verb": "abort"}
    assert entries(raw, new) == [asked[1], new]
    assert entries({"spec": {}}, new) == [new]


@pytest.mark.parametrize(("status", "gate"), [(at_step(GATE), "review"), (on_trial(), None), (stable(), None)])
def test_an_approval_is_for_the_gate_that_its_giver_saw(status: Any, gate: str | None) -> None:
    meta = {"namespace": "ml", "name": "scorer", "creationTimestamp": "2026-11-18T00:00:00Z"}
    assert gate_of({"metadata": meta, "spec": SPEC, "status": dump(DEPLOYMENT_STATUS, status)}) == gate


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("freeze scorer", "say when it ends"),
        ("freeze scorer --for 2h --until 2030-01-01T00:00:00Z", "say when it ends"),
        ("freeze scorer --until tomorrow", "'tomorrow' is no time"),
        ("freeze scorer --for 0s", "must be longer than 0"),
        ("override scorer --for 2h", "Missing option '--reason'"),
        ("promote scorer --full --gate review", "--full skips all gates"),
        ("promote", "Missing argument 'NAME'"),
        ("watch --until promoted", "--until needs the name"),
        ("watch scorer --until done", "is not one of"),
        ("watch scorer -A", "exclude each other"),
        ("get scorer -A", "exclude each other"),
    ],
)
def test_words_that_make_no_sense_are_refused_before_the_cluster_is_asked(words: str, sentence: str) -> None:
    result = CliRunner().invoke(main, words.split(), env={"KUBECONFIG": "/nowhere"})
    assert result.exit_code == Exit.USAGE
    assert sentence in " ".join(result.output.split())


def test_without_a_cluster_one_sentence_says_what_to_do() -> None:
    result = CliRunner().invoke(main, ["get"], env={"KUBECONFIG": "/nowhere"})
    assert result.exit_code == Exit.UNREACHABLE
    assert "set KUBECONFIG" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["pro"], "promote\t"), (["watch", "--un"], "--until\t"), (["watch", "x", "--until", "set"], "settled")],
)
def test_kubectl_completes_words(
    words: list[str], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-seatrial", *words])
    complete()
    *found, directive = capsys.readouterr().out.splitlines()
    assert any(line.startswith(expected) for line in found)
    assert directive == ":4"
