import configparser
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from cluster.archives import Image, write_archive
from cluster.errors import ClusterError
from cluster.image_build import _context_key, pip_configuration
from cluster.own_images import _extract_libraries


def _read(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        member = tar.extractfile(name)
        assert member is not None
        return member.read()


def test_an_archive_holds_its_files_and_describes_its_layers(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"#!")
    with tarfile.open(tmp_path / "base.tar", "w") as base:
        base.add(program, "bin/base")
    target = tmp_path / "image.tar"
    write_archive(Image("some/name:tag", {"/program": program}, ("/program",), tmp_path / "base.tar"), target)
    manifest = json.loads(_read(target, "manifest.json"))[0]
    assert manifest["RepoTags"] == ["some/name:tag"]
    config = json.loads(_read(target, "config.json"))
    assert config["config"]["Entrypoint"] == ["/program"]
    assert len(manifest["Layers"]) == len(config["rootfs"]["diff_ids"]) == len(config["history"]) == 2
    assert all(entry["created"] for entry in config["history"])  # without it buildah never finds a cached layer
    (tmp_path / "own.tar").write_bytes(_read(target, manifest["Layers"][1]))
    with tarfile.open(tmp_path / "own.tar") as own:
        assert [(one.name, one.mode) for one in own.getmembers()] == [("program", 0o755)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.tar", "image.tar", "own.tar", "program"]


def test_the_same_files_give_the_same_layer(tmp_path: Path) -> None:
    program = tmp_path / "program"
    configs = []
    for number in range(2):
        program.write_bytes(b"#!")
        write_archive(Image("a:b", {"/program": program}, ("/program",)), tmp_path / f"{number}.tar")
        configs.append(_read(tmp_path / f"{number}.tar", "config.json"))
        program.unlink()
    assert configs[0] == configs[1]


def test_envoy_gets_the_c_library_and_nothing_else(tmp_path: Path) -> None:
    names = ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "libssl.so.3", "libcrypt.so.1"]
    (tmp_path / "file").write_bytes(b"elf")
    with tarfile.open(tmp_path / "base.tar", "w") as base:
        for name in names:
            base.add(tmp_path / "file", f"./usr/lib/x86_64-linux-gnu/{name}")
    _extract_libraries(tmp_path / "base.tar", tmp_path / "libraries")
    found = {str(path.relative_to(tmp_path / "libraries")) for path in (tmp_path / "libraries").rglob("*.so.*")}
    assert found == {f"lib/x86_64-linux-gnu/{name}" for name in names[:3]}


def test_builds_use_this_machines_pip_settings_but_no_path_of_it(tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://one.example/simple\ncert = /etc/own.pem\ntimeout = 5\n")
    environ = {"PIP_TIMEOUT": "180", "PIP_FIND_LINKS": "/opt/wheels", "PIP_CONFIG_FILE": "/x", "HOME": "/root"}
    result = configparser.RawConfigParser()
    result.read_string(pip_configuration(environ, [settings], "/in/build.pem"))
    assert dict(result["global"]) == {
        "index-url": "https://one.example/simple",
        "timeout": "180",
        "cert": "/in/build.pem",
    }


def test_without_certificates_of_its_own_pip_keeps_its_default() -> None:
    assert "cert" not in pip_configuration({"PIP_CERT": "/a.pem"}, [], "")


def test_the_context_is_what_git_does_not_ignore(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored/\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "ignored").mkdir()
    before = _context_key(tmp_path / "Dockerfile", tmp_path)
    (tmp_path / "ignored" / "big").write_text("x")
    assert _context_key(tmp_path / "Dockerfile", tmp_path) == before
    (tmp_path / "code.py").write_text("x")
    assert _context_key(tmp_path / "Dockerfile", tmp_path) != before


def test_a_missing_dockerfile_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no Dockerfile"):
        _context_key(tmp_path / "Dockerfile", tmp_path)
