import shutil
from pathlib import Path

from cluster.key import files_below, key_of_files
from cluster.lifecycle import content_key


def _key(root: Path) -> str:
    return key_of_files(root, files_below(root))


def _folder(root: Path) -> Path:
    (root / "sub" / "__pycache__").mkdir(parents=True)
    (root / "a.txt").write_text("one")
    (root / "sub" / "b.sh").write_text("two")
    (root / "link").symlink_to("a.txt")
    return root


def test_the_key_is_the_same_in_every_checkout(tmp_path: Path) -> None:
    first = _folder(tmp_path / "first")
    second = Path(shutil.copytree(first, tmp_path / "second", symlinks=True))
    assert _key(first) == _key(second)


def test_compiled_python_does_not_count(tmp_path: Path) -> None:
    root = _folder(tmp_path)
    before = _key(root)
    (root / "sub" / "__pycache__" / "b.pyc").write_bytes(b"compiled")
    assert _key(root) == before


def test_every_change_gives_another_key(tmp_path: Path) -> None:
    root = _folder(tmp_path)
    keys = [_key(root)]
    (root / "a.txt").write_text("another")
    keys.append(_key(root))
    (root / "sub" / "b.sh").chmod(0o755)
    keys.append(_key(root))
    (root / "a.txt").rename(root / "c.txt")
    keys.append(_key(root))
    (root / "link").unlink()
    (root / "link").symlink_to("c.txt")
    keys.append(_key(root))
    keys.append(key_of_files(root, files_below(root), "more"))
    assert len(set(keys)) == len(keys)


def test_levels_have_keys_of_their_own() -> None:
    assert content_key("node") != content_key("control-plane")
