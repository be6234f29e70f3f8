"""The demo of drift changes the world for all versions alike, and reads what the operator says about it."""

import json
from pathlib import Path

import pytest
import yaml

from demo.chapters import WrongTurnError, check
from demo.drift import BROKEN, SOUND, brighter, drift_free
from demo.load import held_out_digits
from seatrial.api.model_slo import ModelSLO
from seatrial.judge.drift.blame import TABLE

MANIFESTS = Path(__file__).parents[3] / "demo" / "manifests"


def test_brighter_scans_are_of_the_same_digits() -> None:
    usual = held_out_digits()
    bright = brighter(usual)
    assert [sample.digit for sample in bright] == [sample.digit for sample in usual]
    before, after = (json.loads(samples[0].body)["inputs"][0]["data"] for samples in (usual, bright))
    assert all(a == min(16, b + 6) for a, b in zip(after, before, strict=True))


def test_the_condition_is_read() -> None:
    conditions = [{"type": "DriftFree", "status": "False", "reason": "WorldChanged"}]
    assert drift_free({"status": {"conditions": conditions}}) == ("False", "WorldChanged")
    assert drift_free({}) == ("", "")


def test_a_rollback_for_another_reason_is_a_wrong_turn() -> None:
    row = next(row for row in TABLE if row.name == "ValuesMissing")
    check(BROKEN, {"outcome": "RolledBack", "sentence": f"version 5: {row.blames}; p0: 30 % missing"})
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
        for version in ("5", "6")
        for container in yaml.safe_load((MANIFESTS / f"v{version}.yaml").read_text())["spec"]["template"]["spec"][
            "containers"
        ]
    }
    assert faults == {"5": {"FAULT_NULL_RATIO": "0.3"}, "6": {}}
