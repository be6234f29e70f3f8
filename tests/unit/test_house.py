"""Rules of the house that no linter knows."""

from __future__ import annotations

import operator
import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

import seatrial

ROOT = Path(__file__).parents[2]
LONGEST = 300
LONGER: dict[str, str] = {}
"""Files that may be longer, and why."""

# Written as words, so that this file names no host either.
REGISTRIES = (
    "pypi org",
    "pythonhosted org",
    "proxy golang org",
    "sum golang org",
    "docker io",
    "gcr io",
    "ghcr io",
    "quay io",
    "registry k8s io",
    "registry npmjs org",
    "deb debian org",
)
FLAGS = ("--index[-]url", "--trusted[-]host")
HOST = re.compile("|".join([*(re.escape(name.replace(" ", ".")) for name in REGISTRIES), *FLAGS]))


def tracked() -> list[str]:
    """List the files that git knows or would add; without git, all of them."""
    answer = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in answer.stdout.splitlines() if (ROOT / name).is_file()]


def test_operator_is_a_source_root_and_shadows_nothing() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert Path(operator.__file__).parent == Path(sysconfig.get_path("stdlib"))
    assert Path(seatrial.__file__).parent == ROOT / "operator" / "seatrial"


@pytest.mark.parametrize("folder", ["operator", "cluster", "instrument"])
def test_files_have_one_subject_and_few_lines(folder: str) -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert lines, f"no Python in {folder}/"
    assert {name: count for name, count in lines.items() if count > LONGEST and name not in LONGER} == {}


def test_exceptions_are_still_needed() -> None:
    for name in LONGER:
        assert len((ROOT / name).read_text().splitlines()) > LONGEST, f"{name} is short again: take it off the list"


def test_no_registry_is_named() -> None:
    found = {}
    for name in tracked():
        text = (ROOT / name).read_bytes().decode(errors="replace")
        if match := HOST.search(text):
            found[name] = match.group()
    assert found == {}


def test_the_package_and_the_changelog_tell_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == seatrial.__version__
    heading = rf"^## \[(Unreleased|{re.escape(seatrial.__version__)})\]"
    assert re.search(heading, (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_every_requirement_is_pinned_by_hash() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        pins = re.findall(r"^\S+==\S+.*?(?=^\S|\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
        assert pins, path.name
        assert all("--hash=sha256:" in pin for pin in pins), path.name


def test_the_package_asks_for_what_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements" / "operator.in").read_text().splitlines()
    assert sorted(project["dependencies"]) == sorted(line.split("#")[0].strip() for line in lines)
