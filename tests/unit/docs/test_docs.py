"""The documentation tells what the code does, and leads nowhere wrong."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from docs import phases
from seatrial.api.model_deployment import ModelDeploymentSpec
from seatrial.api.model_slo import ModelSLOSpec
from seatrial.judge.drift.blame import TABLE
from seatrial.judge.types import Verdict
from seatrial.rollout.machine import TRANSITIONS

ROOT = Path(__file__).parents[3]
CAMEL_CASE = re.compile(r"[A-Z][a-zA-Z]+")
NO_REASONS = {"True", "False", "Unknown", "ModelDeployment", "ModelSLO", "Failed"}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "demo").glob("*.md")])
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
READ = {"ModelDeployment": ModelDeploymentSpec.model_validate, "ModelSLO": ModelSLOSpec.model_validate}


def test_the_phase_page_is_up_to_date() -> None:
    assert phases.PAGE.read_text() == phases.page(), "docs/guide/phases.md is old: run `make crds`"


def test_every_move_says_when() -> None:
    assert [row.name for row in TRANSITIONS if not row.guard.__doc__] == []


@EACH_PAGE
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} is no file"


@EACH_PAGE
def test_make_targets_exist(page: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= known


@EACH_PAGE
def test_examples_can_be_read_as_they_stand(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
        for manifest in yaml.safe_load_all(block):
            if isinstance(manifest, dict) and manifest.get("kind") in READ:
                READ[manifest["kind"]](manifest["spec"])


def words_of_the_status() -> set[str]:
    """Collect every condition, reason, Event and verdict that a user can meet."""
    reasons = {
        node.value
        for name in (
            "rollout/report.py",
            "rollout/adoption.py",
            "rollout/blame.py",
            "rollout/drift.py",
            "rollout/labels.py",
            "rollout/progress.py",
            "rollout/wish.py",
            "rollout/budgets.py",
            "controller/budgets.py",
            "controller/configs.py",
        )
        for node in ast.walk(ast.parse((ROOT / "operator" / "seatrial" / name).read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CAMEL_CASE.fullmatch(node.value)
    }
    events = {row.event for row in TRANSITIONS}
    reasons |= {row.name for row in TABLE}
    return (reasons | events | {verdict.value for verdict in Verdict}) - NO_REASONS


@pytest.mark.parametrize("word", sorted(words_of_the_status()))
def test_troubleshooting_explains(word: str) -> None:
    page = (ROOT / "docs" / "guide" / "troubleshooting.md").read_text()
    assert f"`{word}`" in page, f"docs/guide/troubleshooting.md says nothing about {word}"
