from pathlib import Path

from cluster import cgroups


def _hierarchy(root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "cgroup.procs").touch()
    return folder


def test_each_cluster_has_a_group_of_its_own() -> None:
    assert cgroups.name_for(Path("/a")) != cgroups.name_for(Path("/b"))


def test_version_one_gets_a_group_in_every_controller_with_its_parents_processors(tmp_path: Path) -> None:
    cpuset = _hierarchy(tmp_path, "cpuset")
    (cpuset / "cpuset.cpus").write_text("0-1\n")
    (cpuset / "ours").mkdir()
    (cpuset / "ours" / "cpuset.cpus").touch()
    _hierarchy(tmp_path, "memory")
    cgroups.create("ours", tmp_path)
    assert (tmp_path / "memory" / "ours").is_dir()
    assert (cpuset / "ours" / "cpuset.cpus").read_text() == "0-1\n"


def test_version_two_hands_the_controllers_down(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "cgroup.subtree_control").touch()
    cgroups.create("ours", tmp_path)
    assert (tmp_path / "ours" / "cgroup.subtree_control").read_text() == "+pids"


def test_a_group_goes_with_all_below_it_and_says_when_it_can_not(tmp_path: Path) -> None:
    memory = _hierarchy(tmp_path, "memory")
    (memory / "ours" / "kubepods" / "pod1").mkdir(parents=True)
    (memory / "theirs").mkdir()
    assert cgroups.remove("ours", tmp_path)
    assert sorted(path.name for path in memory.iterdir()) == ["cgroup.procs", "theirs"]
    (memory / "ours").mkdir()
    (memory / "ours" / "busy").touch()  # a file stands for a process: the folder can't be removed
    assert not cgroups.remove("ours", tmp_path)
