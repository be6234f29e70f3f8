"""Content keys: the same bytes give the same key, in every checkout."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

KEY_LENGTH = 16


def key_of_files(root: Path, files: Iterable[Path], *extra: str) -> str:
    """Return the key of these files: their paths below `root`, whether they are executable, their bytes, and `extra`.

    A symbolic link counts by where it points. Files that are gone are left out.
    """
    digest = hashlib.sha256()
    for text in extra:
        digest.update(text.encode() + b"\0")
    for path in sorted(files):
        if path.is_symlink():
            content = b"link " + str(path.readlink()).encode()
        elif path.is_file():
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
        else:
            continue
        executable = bool(path.lstat().st_mode & 0o100)
        digest.update(f"{path.relative_to(root)}\0{executable:d}\0".encode() + content)
    return digest.hexdigest()[:KEY_LENGTH]


def files_below(root: Path) -> Iterator[Path]:
    """Return everything below `root` but compiled Python."""
    return (path for path in root.rglob("*") if "__pycache__" not in path.parts)
