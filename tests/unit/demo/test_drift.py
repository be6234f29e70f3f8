"""The demo of drift changes the world for all versions alike, and reads what is said about it, and of labels."""

import json
from pathlib import Path

import pytest
import yaml

from demo.chapters import WrongTurnError, check
from demo.drift import BRIGHTER, BROKEN, SHIFTED, SOUND, agree, brighter, condition, on_labels
from demo.labels import DELAY_S, HOST, LateLabels
from demo.load import Answer, Window, held_out_digits
from seatrial.api.model_slo import ModelSLO
from seatrial.judge.drift.blame import TABLE
from seatrial_instrument.joiner_cli import _parser

MANIFESTS = Path(__file__).parents[3] / "demo" / "manifests"


def test_brighter_scans_are_of_the_same_digits() -> None:
    usual = held_out_digits()
    bright = brighter(usual)
    assert [sample.digit for sample in bright] == [sample.digit for sample in usual]
    before, after = (json.loads(samples[0].body)["inputs"][0]["data"] for samples in (usual, bright))
    assert all(a == min(16, b + BRIGHTER) for a, b in zip(after, before, strict=True))


def test_the_condition_is_read() -> None:
    conditions = [{"type": "DriftFree", "status": "False", "reason": "WorldChanged"}]
    assert condition({"status": {"conditions": conditions}}, "DriftFree") == ("False", "WorldChanged")
    assert condition({"status": {"conditions": conditions}}, "LabelsGood") == ("", "")
    assert condition({}, "DriftFree") == ("", "")


def test_a_rollback_for_another_reason_is_a_wrong_turn() -> None:
    row = next(row for row in TABLE if row.name == "ValuesMissing")
    check(BROKEN, {"outcome": "RolledBack", "sentence": f"version 6: {row.blames}; p0: 30 % missing"})
    apart = next(row for row in TABLE if row.name == "FeaturesApart")
    check(SHIFTED, {"outcome": "RolledBack", "sentence": f"version 7: {apart.blames}; p0: psi 2 is above 0.5"})
    with pytest.raises(WrongTurnError, match="the reason given is"):
        check(SHIFTED, {"outcome": "RolledBack", "sentence": f"version 7: {row.blames}; p0: 30 % missing"})
    with pytest.raises(WrongTurnError, match="the reason given is"):
        check(BROKEN, {"outcome": "RolledBack", "sentence": "burns its error budget, digits/availability"})
    with pytest.raises(WrongTurnError, match="was to be Promoted"):
        check(SOUND, {"outcome": "RolledBack", "sentence": ""})


def test_the_slo_of_the_demo_says_drift_and_its_versions_carry_the_fault_that_they_tell_of() -> None:
    slo = ModelSLO.model_validate(yaml.safe_load((MANIFESTS / "slo-drift.yaml").read_text()))
    assert slo.spec.drift
    assert slo.spec.drift.features
    faults = {
        version: {one["name"]: one["value"] for one in container["env"] if one["name"].startswith("FAULT")}
        for version in ("5", "6", "7", "8")
        for container in yaml.safe_load((MANIFESTS / f"v{version}.yaml").read_text())["spec"]["template"]["spec"][
            "containers"
        ]
    }
    assert faults == {"5": {}, "6": {"FAULT_NULL_RATIO": "0.3"}, "7": {"FAULT_SHIFT": "4"}, "8": {}}


def seen(right: int, wrong: int) -> Window:
    return Window(tuple(Answer(0, 0.1, SOUND.version, 200, number < right) for number in range(right + wrong)), 0)


def test_labels_must_tell_the_accuracy_that_clients_saw() -> None:
    evidence = {"objective": "accuracy", "total": 200, "bad": 10}
    assert on_labels({"status": {"trial": {"evidence": [{"objective": "latency"}, evidence]}}}) == evidence
    assert on_labels({"status": {"trial": None}}) == {}
    labels = LateLabels("http://127.0.0.1")
    agree(evidence, labels, seen(94, 6))
    with pytest.raises(WrongTurnError, match=r"95\.0% .* by their labels, clients counted 80\.0%"):
        agree(evidence, labels, seen(80, 20))
    with pytest.raises(WrongTurnError, match="no label was counted; 0 were told"):
        agree({}, labels, seen(94, 6))


def test_every_version_tells_the_joiner_which_scores_after_labels_are_due() -> None:
    deployment, service, route = yaml.safe_load_all((MANIFESTS / "joiner.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    options = _parser().parse_args(container["args"])
    assert options.maturity > DELAY_S
    assert options.classes == [str(digit) for digit in range(10)]
    assert route["spec"]["hostnames"] == [HOST]
    url = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    for version in "567":
        spec = yaml.safe_load((MANIFESTS / f"v{version}.yaml").read_text())["spec"]["template"]["spec"]
        names = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
        assert names["JOINER_URL"] == url
        assert {"SEATRIAL_MODEL", "SEATRIAL_VERSION"} <= set(names)
