"""The demo notices when its story goes differently, and shows where it stands."""

import io
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from demo.chapters import FIRST, REST, TITLES, WrongTurnError, check, newest
from demo.kubectl import JsonObject, split_documents
from demo.load import Answer, Window
from demo.stage import Stage, turn, version_table
from seatrial.api.model_deployment import ModelDeploymentSpec
from seatrial.api.model_slo import ModelSLO

MANIFESTS = Path(__file__).parents[3] / "demo" / "manifests"


def deployment() -> JsonObject:
    history = [{"label": "1", "hash": "aaaaaaaaaa", "outcome": "Deployed", "sentence": "first"}]
    return {
        "metadata": {"name": "digits"},
        "status": {
            "phase": "Trial",
            "step": "1/2",
            "weight": 10,
            "verdict": "Inconclusive",
            "summary": "120 of 200 requests seen",
            "stable": {"label": "1", "hash": "aaaaaaaaaa"},
            "candidate": {"label": "2", "hash": "bbbbbbbbbb"},
            "history": history,
        },
    }


def test_the_outcome_and_the_reason_must_be_those_of_the_story() -> None:
    promoted, errors, _ = REST
    check(FIRST, newest(deployment()))
    check(promoted, {"outcome": "Promoted", "sentence": "all steps went well"})
    check(errors, {"outcome": "RolledBack", "sentence": "availability: 7 of 90 requests failed"})
    with pytest.raises(WrongTurnError, match="was to be Promoted and is RolledBack"):
        check(promoted, {"outcome": "RolledBack", "sentence": "latency: 9 of 90 requests were slow"})
    with pytest.raises(WrongTurnError, match="was to fail its availability objective"):
        check(errors, {"outcome": "RolledBack", "sentence": "latency: 9 of 90 requests were slow"})


def test_versions_differ_in_nothing_but_their_version_and_environment() -> None:
    def rest(version: str) -> JsonObject:
        manifest: JsonObject = yaml.safe_load((MANIFESTS / f"v{version}.yaml").read_text())
        assert manifest["spec"]["model"].pop("version") == version
        environment = manifest["spec"]["template"]["spec"]["containers"][0].pop("env")
        assert {"name": "MODEL_VERSION", "value": version} in environment
        return manifest

    assert [rest(version) for version in TITLES] == [rest("1")] * 4


def test_the_table_shows_weight_and_answers_by_version() -> None:
    answers = [Answer(float(number), 0.01, "1", 200, right=True) for number in range(9)]
    seen = Window((*answers, Answer(9.0, 0.01, "2", 500, right=False)), outstanding=0)
    backends = [{"name": "digits-aaaaaaaaaa", "weight": 90}, {"name": "digits-bbbbbbbbbb", "weight": 10}]
    route = {"spec": {"rules": [{"backendRefs": backends}]}}
    console = Console(file=io.StringIO(), width=150)
    console.print(version_table(TITLES, seen, seen, deployment(), route))
    assert isinstance(console.file, io.StringIO)
    rows = {line.split()[1]: line.split() for line in console.file.getvalue().splitlines() if "│" in line[:1]}
    assert [cell for cell in rows["1"] if cell not in "│%"] == [
        "1",
        "naive",
        "Bayes",
        "90",
        "2",
        "9",
        "0",
        "0",
        "100%",
        "Deployed",
    ]
    assert [cell for cell in rows["2"] if cell not in "│%"][3:] == ["10", "0", "1", "1", "0"]


def test_without_a_terminal_each_turn_is_one_line() -> None:
    console = Console(file=io.StringIO(), width=150)
    with Stage(console) as stage:
        for _ in range(3):
            stage.follow(deployment())
        later = deployment()
        later["status"]["verdict"] = "Healthy"
        stage.follow(later)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("Trial, step 1/2, weight 10 %, Inconclusive: 120 of 200 requests seen")
    assert turn(None).phase == ""


@pytest.mark.parametrize("cut", range(0, 36, 5))
def test_a_stream_of_json_is_cut_into_its_documents_wherever_a_chunk_ends(cut: int) -> None:
    stream = '{"type": "ADDED",\n "n": 1}\n{"n": 2}\n'
    first, rest = split_documents(stream[:cut])
    second, rest = split_documents(rest + stream[cut:])
    assert [*first, *second] == [{"type": "ADDED", "n": 1}, {"n": 2}]
    assert rest == ""


@pytest.mark.parametrize("version", TITLES)
def test_the_api_takes_what_the_demo_applies(version: str) -> None:
    manifest = yaml.safe_load((MANIFESTS / f"v{version}.yaml").read_text())
    spec = ModelDeploymentSpec.model_validate(manifest["spec"])
    slo = ModelSLO.model_validate(yaml.safe_load((MANIFESTS / "slo.yaml").read_text()))
    assert spec.model.version == version
    assert [step.weight for step in spec.strategy.steps] == [10, 50]
    assert [objective.name for objective in slo.spec.objectives] == ["availability", "latency"]
