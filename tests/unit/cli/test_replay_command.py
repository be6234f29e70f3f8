"""``seatrial replay`` on recordings as Prometheus answers them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from seatrial.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

MANIFESTS = """
apiVersion: seatrial.dev/v1alpha1
kind: ModelDeployment
metadata: {name: scorer, namespace: ml}
spec:
  model: {name: scorer, version: "7"}
  template: {spec: {containers: [{name: model, image: scorer}]}}
  port: 8080
  traffic: {gateway: {parentRefs: [{name: public}], hostnames: [scorer.example.com]}}
  slos: [{name: scorer}]
  strategy: {steps: [{weight: 10, for: 1m, minRequests: 300}, {weight: 50, for: 1m}]}
---
apiVersion: seatrial.dev/v1alpha1
kind: ModelSLO
metadata: {name: scorer, namespace: ml}
spec:
  objectives:
  - name: availability
    target: "99"
    sli: {good: 'requests_total{code="200",$selector}', total: 'requests_total{$selector}'}
"""
BEGIN_S = 1_700_000_000
SCRAPE_S = 2


def series(version: str, code: str, first_s: int, counts: list[int]) -> dict[str, Any]:
    labels = {"__name__": "requests_total", "code": code, "pod": version, "rollout_version": version}
    values = [[first_s + SCRAPE_S * i, str(value)] for i, value in enumerate(np.cumsum(counts).tolist())]
    return {"metric": labels, "values": values}


def recording(error_ratio: float, *, stable_ratio: float = 0.001, looks: int = 120) -> dict[str, Any]:
    """Stable serves 100,000 requests before; the candidate comes 60 s later and fails as given."""
    rng = np.random.default_rng(1)
    stable_bad, bad = rng.binomial(180, stable_ratio, looks + 30), rng.binomial(20, error_ratio, looks)
    stable_good = (180 - stable_bad).tolist()
    later_s = BEGIN_S + 60
    result = [
        series("aaaaaaaaaa", "200", BEGIN_S, [100_000, *stable_good[1:]]),
        series("aaaaaaaaaa", "500", BEGIN_S, stable_bad.tolist()),
        series("bbbbbbbbbb", "200", later_s, [0, *(20 - bad).tolist()[1:]]),
        series("bbbbbbbbbb", "500", later_s, [0, *bad.tolist()[1:]]),
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def invoke(tmp_path: Path, document: object, *arguments: str, manifests: str = MANIFESTS) -> Any:
    (tmp_path / "model.yaml").write_text(manifests)
    (tmp_path / "samples.json").write_text(document if isinstance(document, str) else json.dumps(document))
    files = ["-f", str(tmp_path / "model.yaml"), "--samples", str(tmp_path / "samples.json")]
    return CliRunner().invoke(main, ["replay", *files, *arguments])


def replayed(tmp_path: Path, document: object, *arguments: str) -> dict[str, Any]:
    result = invoke(tmp_path, document, *arguments, "-o", "json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_a_bad_version_would_have_been_rolled_back(tmp_path: Path) -> None:
    found = replayed(tmp_path, recording(0.2))
    assert (found["candidate"], found["stable"], found["ending"]) == ("bbbbbbbbbb", "aaaaaaaaaa", "RolledBack")
    assert found["after_s"] <= 15
    assert found["judgements"][0]["verdict"] == "Burning"
    assert found["judgements"][0]["total"] < 200


def test_a_good_version_would_have_been_promoted_through_both_steps(tmp_path: Path) -> None:
    found = replayed(tmp_path, recording(0.002))
    assert found["ending"] == "Promoted"
    assert [at_s - BEGIN_S - 60 for at_s in found["passed"]] == [60, 120]
    assert found["judgements"][0]["total"] == 1200


def test_an_outage_of_both_is_not_blamed_on_the_candidate(tmp_path: Path) -> None:
    found = replayed(tmp_path, recording(0.2, stable_ratio=0.2))
    assert found["ending"] == "Undecided"
    assert found["judgements"][0]["verdict"] == "Environment"


def test_versions_may_be_named_and_samples_come_in_several_answers(tmp_path: Path) -> None:
    answers = [recording(0.2)]
    found = replayed(tmp_path, answers, "--candidate", "aaaaaaaaaa")
    assert (found["candidate"], found["stable"], found["ending"]) == ("aaaaaaaaaa", None, "Promoted")


def test_a_restarted_pod_is_counted_on(tmp_path: Path) -> None:
    document = recording(0.0)
    values = document["data"]["result"][2]["values"]
    for index in range(20, len(values)):
        values[index][1] = str(int(values[index][1]) - int(values[19][1]))
    assert replayed(tmp_path, document)["judgements"][0]["total"] == 1200


def test_the_declared_neighbour_of_a_threshold_counts(tmp_path: Path) -> None:
    """Ten answers at each scrape: eight within 0.1 s, one by 0.25 s, one by 1 s."""
    result = [
        {
            "metric": {
                "__name__": "ml_model_request_duration_seconds_bucket",
                "le": edge,
                "pod": "p",
                "rollout_version": "bbbbbbbbbb",
            },
            "values": [[BEGIN_S + SCRAPE_S * i, str(count * i)] for i in range(60)],
        }
        for edge, count in (("0.1", 8), ("0.25", 9), ("1.0", 10), ("+Inf", 10))
    ]
    document = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    for edge, bad in (("below", 2), ("above", 1)):
        sli = f"{{template: http-latency, threshold: 200ms, edge: {edge}}}"
        objectives = MANIFESTS.replace('target: "99"', 'target: "60"').partition("    sli: ")[0] + f"    sli: {sli}\n"
        answer = invoke(tmp_path, document, "-o", "json", manifests=objectives)
        assert answer.exit_code == 0, answer.output
        (judged,) = json.loads(answer.stdout)["judgements"]
        assert judged["bad"] * 10 == judged["total"] * bad > 0
        assert f"the edge {edge} it" in judged["sentence"]
    exact = objectives.replace(", edge: above", "")
    assert "its edges are 0.1, 0.25, 1: choose one" in invoke(tmp_path, document, manifests=exact).output


def test_means_are_compared_from_the_buckets_of_the_recording(tmp_path: Path) -> None:
    """Of ten answers at each scrape nine of stable's and five of the candidate's are within 0.1 s, all within 0.25."""
    result = [
        {
            "metric": {
                "__name__": "ml_model_request_duration_seconds_bucket",
                "le": edge,
                "pod": version,
                "rollout_version": version,
            },
            "values": [[BEGIN_S + SCRAPE_S * (first + i), str(count * i)] for i in range(looks)],
        }
        for version, first, looks, fast in (("aaaaaaaaaa", 0, 120, 9), ("bbbbbbbbbb", 20, 100, 5))
        for edge, count in (("0.1", fast), ("0.25", 10), ("1.0", 10), ("+Inf", 10))
    ]
    document = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    sli = "    sli: {template: http-latency, threshold: 250ms}\n    compare: {to: stable, margin: '5', mean: {}}\n"
    answer = invoke(tmp_path, document, "-o", "json", manifests=MANIFESTS.partition("    sli: ")[0] + sli)
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["ending"] == "RolledBack"
    assert found["judgements"][0]["bad"] == 0
    assert "mean 112 ms against 62.5 ms of stable: worse by more than 5 %" in found["judgements"][0]["sentence"]


def test_text_tells_the_story(tmp_path: Path) -> None:
    result = invoke(tmp_path, recording(0.2))
    assert "would have been rolled back" in result.stdout
    assert "2023-11-14" in result.stdout


@pytest.mark.parametrize(
    ("document", "arguments", "says"),
    [
        ("{", [], "no JSON"),
        ({"data": {"result": [{"metric": {}, "value": [1, "2"]}]}}, [], "range selector"),
        ([], [], "no sample"),
        (recording(0.1), ["--candidate", "cccccccccc"], "aaaaaaaaaa, bbbbbbbbbb"),
        ([{"metric": {"__name__": "requests_total"}, "values": [[1, "2"]]}], [], "rollout_version"),
        ([{"metric": {"rollout_version": "a"}, "values": [[1, "2"]]}], [], "range selector"),
        ([{"metric": {"__name__": "x", "rollout_version": "a"}, "values": [[1, "2"]]}], [], "no series of version a"),
    ],
)
def test_what_cannot_be_replayed(tmp_path: Path, document: object, arguments: list[str], says: str) -> None:
    result = invoke(tmp_path, document, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr


def test_one_model_deployment_is_needed(tmp_path: Path) -> None:
    result = invoke(tmp_path, recording(0.1), manifests=MANIFESTS.split("---", 1)[1])
    assert result.exit_code == 2
    assert "one ModelDeployment, not of 0" in result.stderr
