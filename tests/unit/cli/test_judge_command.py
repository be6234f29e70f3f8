"""``seatrial judge`` as a person or a script calls it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from seatrial.cli.main import main

LATEST_REQUEST = {
    "1": (39, 150, 332, 574, 1560),
    "2": (20, 78, 171, 294, 794),
    "4": (11, 41, 89, 152, 405),
    "6": (8, 28, 61, 103, 274),
    "14.4": (3, 13, 27, 46, 119),
}
CASES = [(burn, k, n) for burn, row in LATEST_REQUEST.items() for k, n in zip((2, 3, 4, 5, 8), row, strict=True)]


def judged(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["judge", *arguments, "--output", "json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize(("burn_rate", "bad", "latest"), CASES)
def test_fires_at_that_request_and_not_one_later(burn_rate: str, bad: int, latest: int) -> None:
    rule = ["--target", "99.9", "--burn-rate", burn_rate, "--alpha", "0.01", "--min-bad", "2", "--bad", str(bad)]
    assert judged(*rule, "--total", str(latest))["verdict"] == "Burning"
    assert judged(*rule, "--total", str(latest + 1))["verdict"] != "Burning"


def test_keys_of_the_json() -> None:
    answer = judged("--target", "99.9", "--total", "78", "--bad", "3")
    assert answer["verdict"] == "Burning"
    assert answer["e_value"] == pytest.approx(102.4, abs=0.1)
    assert answer["burn_rate"] == pytest.approx(38.46, abs=0.01)
    assert (answer["total"], answer["bad"], answer["p0"], answer["threshold"]) == (78, 3, 0.002, 100)
    assert "3 of 78 requests were bad" in answer["sentence"]
    assert answer["e_attribution"] is None


def test_stable_decides_who_is_to_blame() -> None:
    mine = ["--target", "99.9", "--total", "100", "--bad", "20", "--stable-total", "900"]
    assert judged(*mine, "--stable-bad", "180")["verdict"] == "Environment"
    assert judged(*mine, "--stable-bad", "0")["verdict"] == "Burning"


def test_bursts_temper_the_evidence() -> None:
    mine = ["--target", "99.9", "--total", "400", "--bad", "10"]
    alone, bursts = judged(*mine), judged(*mine, "--dispersion", "5")
    assert (alone["verdict"], bursts["verdict"]) == ("Burning", "Inconclusive")
    assert bursts["e_value"] == pytest.approx(alone["e_value"] ** 0.2)
    assert "bursts of about 5" in bursts["sentence"]


def test_text_has_the_verdict_and_the_sentence() -> None:
    result = CliRunner().invoke(main, ["judge", "--target", "99.9", "--total", "6000", "--bad", "0", "--strict"])
    assert result.exit_code == 0
    assert "Healthy" in result.stdout
    assert "0 of 6,000 requests were bad" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "100", "--total", "1", "--bad", "0"], "leaves no error budget"),
        (["--target", "90", "--burn-rate", "10", "--total", "1", "--bad", "0"], "burnRate below 10"),
        (["--target", "99", "--total", "1", "--bad", "2"], "2 bad of 1"),
        (["--target", "99", "--total", "1", "--bad", "1", "--stable-bad", "1"], "belong together"),
        (["--target", "ninety", "--total", "1", "--bad", "0"], "not a number"),
        (["--target", "NaN", "--total", "1", "--bad", "0"], "not a finite number"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(main, ["judge", *arguments])
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
