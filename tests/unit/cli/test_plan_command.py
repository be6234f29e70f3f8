"""``seatrial plan`` on manifests as users write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from seatrial.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENT = """
apiVersion: seatrial.dev/v1alpha1
kind: ModelDeployment
metadata: {name: scorer, namespace: ml}
spec:
  model: {name: scorer, version: "7"}
  template: {spec: {containers: [{name: model, image: scorer}]}}
  port: 8080
  traffic: {gateway: {parentRefs: [{name: public}], hostnames: [scorer.example.com]}}
  slos: [{name: scorer}]
  strategy:
    steps:
    - {weight: 10, for: 10m, minRequests: 500}
    - {weight: 50, for: 10m}
"""
SLO = """
apiVersion: seatrial.dev/v1alpha1
kind: ModelSLO
metadata: {name: scorer, namespace: ml}
spec:
  objectives:
  - {name: availability, target: "99.9", sli: {template: http-availability}}
  - {name: latency, target: "95", sli: {template: http-latency, threshold: 300ms}}
"""


def plan(tmp_path: Path, text: str, *arguments: str) -> list[dict[str, Any]]:
    file = tmp_path / "model.yaml"
    file.write_text(text)
    result = CliRunner().invoke(main, ["plan", "-f", str(file), "--rps", "50", *arguments, "-o", "json"])
    assert result.exit_code == 0, result.output
    steps: list[dict[str, Any]] = json.loads(result.stdout)["plans"]["scorer"]
    return steps


def test_each_step_and_objective_is_planned(tmp_path: Path) -> None:
    steps = plan(tmp_path, f"{DEPLOYMENT}---{SLO}")
    assert [(s["step"], s["objective"], s["requests"]) for s in steps] == [
        (1, "availability", 3000),
        (1, "latency", 3000),
        (2, "availability", 15_000),
        (2, "latency", 15_000),
    ]
    outage, some, few = steps[0]["failures"]
    assert outage["requests"] == pytest.approx(3, abs=0.5)
    assert outage["detect_s"] == pytest.approx(10 + outage["requests"] / 5)
    assert outage["detect_s"] < some["detect_s"] < few["detect_s"]
    assert outage["bad"] == pytest.approx(5 * outage["detect_s"])
    assert outage["budget"] == pytest.approx(outage["bad"] / (0.001 * 50 * 28 * 86400))


def test_what_an_objective_tolerates_is_said(tmp_path: Path) -> None:
    latency = plan(tmp_path, f"{DEPLOYMENT}---{SLO}")[1]
    assert [f["found"] for f in latency["failures"]] == ["Found", "Tolerated", "Tolerated"]


def test_a_step_too_small_for_its_objective_says_how_many_requests_it_takes(tmp_path: Path) -> None:
    small = plan(tmp_path, f"{DEPLOYMENT.replace('10m, minRequests: 500', '2m')}---{SLO}")[0]
    resolution = small["resolution"]
    assert (resolution["resolvable"], resolution["needed"]) == (False, 3000)
    assert "600 requests at 99.9 % grant 0.6 bad ones" in resolution["sentence"]


def test_table_for_people(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(f"{DEPLOYMENT.replace('50, for: 10m', '50, for: 30s')}---{SLO}")
    result = CliRunner().invoke(main, ["plan", "-f", str(file), "--rps", "50"])
    assert result.exit_code == 0
    assert "tolerated" in result.stdout
    assert "little; excess takes 3,000 requests" in result.stdout
    assert "health " in result.stdout
    assert "scorer/availability" in result.stdout


FRESHNESS = """
  - name: freshness
    target: "99"
    sli: {template: feature-freshness, threshold: 1h}
    slices: {length: 1m, minEvents: 600, bad: 3, of: 5}
"""


def test_objectives_that_count_slices_are_planned_by_their_length(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(f"{DEPLOYMENT.replace('50, for: 10m', '50, for: 2m')}---{SLO}{FRESHNESS}")
    result = CliRunner().invoke(main, ["plan", "-f", str(file), "--rps", "50", "--delay", "15s", "-o", "json"])
    plans = json.loads(result.stdout)
    assert {step["objective"] for step in plans["plans"]["scorer"]} == {"availability", "latency"}
    # 5 requests a second bring 600 events in 2 minutes, 25 a second in 24 seconds: then the slice's length counts.
    assert plans["slices"]["scorer"] == [
        {
            "step": step,
            "weight": weight,
            "slo": "scorer",
            "objective": "freshness",
            "slice_s": slice_s,
            "detect_s": 3 * slice_s + 15,
            "proof_s": 3 * slice_s,
            "fits": fits,
        }
        for step, weight, slice_s, fits in ((1, 10, 120, True), (2, 50, 60, False))
    ]
    shown = CliRunner().invoke(main, ["plan", "-f", str(file), "--rps", "50"]).stdout
    assert "3 min; the step lasts on till then" in shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (DEPLOYMENT, "give its file too"),
        (SLO, "no ModelDeployment"),
        ("{", "no YAML"),
        (f"{DEPLOYMENT}---{SLO.replace('99.9', 'much')}", "objectives.0.target"),
        (f"{DEPLOYMENT}---{SLO}  rollback: {{burnRate: '30'}}", "burnRate below 20"),
    ],
)
def test_manifests_that_cannot_be_planned(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(text)
    result = CliRunner().invoke(main, ["plan", "-f", str(file), "--rps", "50"])
    assert result.exit_code == 2
    assert says in result.stderr
