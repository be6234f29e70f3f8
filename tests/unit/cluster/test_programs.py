from pathlib import Path

import pytest

from cluster.layout import SOURCES
from cluster.programs import (
    CONTOUR,
    GO_MODULES,
    KUBERNETES,
    PROMETHEUS,
    build_command,
    linker_flags,
    module_key,
    required_version,
)

ALL = {module.name: module for modules in GO_MODULES.values() for module in modules}


@pytest.mark.parametrize("name", ALL)
def test_each_module_is_pinned_by_checksum_and_names_what_it_builds(name: str) -> None:
    folder = SOURCES / "go" / name
    go_mod = (folder / "go.mod").read_text()
    for package in ALL[name].binaries.values():
        assert (folder / "main.go").exists() if package == "." else package in go_mod
    if "require" in go_mod:
        assert (folder / "go.sum").stat().st_size > 0


def test_kubernetes_programs_know_their_version() -> None:
    go_mod = (SOURCES / "go" / "kubernetes" / "go.mod").read_text()
    version = required_version(go_mod, "k8s.io/kubernetes")
    assert f"gitVersion={version}" in linker_flags(go_mod)
    assert f"gitMinor={version.split('.')[1]}" in linker_flags(go_mod)


def test_kubernetes_staging_modules_are_all_of_the_same_release() -> None:
    go_mod = (SOURCES / "go" / "kubernetes" / "go.mod").read_text()
    release = required_version(go_mod, "k8s.io/kubernetes").replace("v1.", "v0.")
    replaced = [line.split() for line in go_mod.splitlines() if " => k8s.io/" in line]
    assert len(replaced) > 20
    assert {line[-1] for line in replaced} == {release}


def test_a_module_that_is_not_required_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"example\.org/x"):
        required_version("module m\n\nrequire example.org/y v1.0.0\n", "example.org/x")


def test_tags_reach_the_compiler() -> None:
    command = build_command(PROMETHEUS, "module m", "package", Path("/bin/prometheus"))
    assert command[command.index("-tags") + 1] == PROMETHEUS.tags
    assert "-tags" not in build_command(CONTOUR, "module m", "package", Path("/bin/contour"))


def test_a_new_version_or_name_asks_for_a_new_build(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("require a v1")
    before = module_key(KUBERNETES, tmp_path)
    assert module_key(CONTOUR, tmp_path) != before
    (tmp_path / "go.mod").write_text("require a v2")
    assert module_key(KUBERNETES, tmp_path) != before
