"""The benchmark's yardsticks: the deciding scrape, its tables, and the manifests that it applies."""

import yaml

from bench.prometheus import Sample
from bench.replay import availability, deciding_sample
from bench.report import machine, markdown, spread
from bench.rollback import BASE, model, slo
from seatrial.api.model_deployment import ModelDeploymentSpec
from seatrial.api.model_slo import ModelSLO

LIMIT_OF_1_PERCENT = availability("99.5", "2", "0.01", 3)


def scrapes(*counts: tuple[int, int]) -> list[Sample]:
    return [Sample(at_s=100.0 + 2 * number, total=total, bad=bad) for number, (total, bad) in enumerate(counts)]


def test_a_version_that_fails_everything_is_decided_by_the_first_scrape_with_three_failures() -> None:
    decided = deciding_sample(scrapes((0, 0), (2, 2), (22, 22), (42, 42)), LIMIT_OF_1_PERCENT)
    assert decided == Sample(at_s=104.0, total=22, bad=22)


def test_a_version_at_half_its_limit_is_never_decided() -> None:
    assert deciding_sample(scrapes(*((200 * n, n) for n in range(1, 60))), LIMIT_OF_1_PERCENT) is None


def test_late_breakage_is_decided_soon_after_it_began() -> None:
    good = [(20 * n, 0) for n in range(1, 200)]
    broken = [(good[-1][0] + 20 * n, 4 * n) for n in range(1, 50)]
    decided = deciding_sample(scrapes(*good, *broken), LIMIT_OF_1_PERCENT)
    assert decided is not None
    assert 2 <= (decided.at_s - 100 - 2 * len(good)) / 2 <= 10


def test_figures_are_shown_as_least_median_and_most() -> None:
    assert spread([3.0, 1.0, 2.25]) == "1.0 / 2.2 / 3.0"
    assert spread([7, 5], 0) == "5 / 6 / 7"
    assert spread([]) == "-"
    assert markdown(("a", "b"), [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert " cores of " in machine()


def test_the_benchmark_applies_what_the_api_takes() -> None:
    base = yaml.safe_load(BASE.read_text())
    manifest = model(base, "5-0", 0.05, weight=10, step_s=600)
    spec = ModelDeploymentSpec.model_validate(manifest["spec"])
    assert [(step.weight, step.lasts_s) for step in spec.strategy.steps] == [(10, 600.0)]
    environment = spec.template["spec"]["containers"][0]["env"]
    assert {"name": "FAULT_ERROR_RATIO", "value": "0.05"} in environment
    assert base["spec"]["model"]["version"] == "2"  # the base is not changed
    objectives = ModelSLO.model_validate(slo()).spec.objectives
    assert [str(objective.target) for objective in objectives] == ["99.5"]
