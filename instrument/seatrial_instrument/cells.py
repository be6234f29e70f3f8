"""Where counts live: one flat array for each process, in memory or in a file that the others read.

All series of an instrument are known when it is made, so a series is a place in an array. With a folder, each process
counts in a file of its own, and whoever serves the metrics page adds the files up. A file belongs to the process that
holds its lock; a new process goes on in the file of a dead one, so there are never more files than processes at a time,
and no count goes down.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seatrial_instrument.series import Layout


class Cells(Protocol):
    """Counts of this process, and of all of them."""

    values: NDArray[np.float64]
    """What this process counts; only ever added to."""

    def total(self) -> NDArray[np.float64]:
        """Add up the counts of all processes."""
        ...

    def after_fork(self) -> None:
        """Become the cells of a new process."""
        ...


class OwnCells:
    """Counts of the only process.

    Parameters
    ----------
    size
        Number of places.
    """

    def __init__(self, size: int) -> None:
        self.values = np.zeros(size)

    def total(self) -> NDArray[np.float64]:
        """Copy the counts."""
        return self.values.copy()

    def after_fork(self) -> None:
        """Start from zero: the parent goes on with its own counts."""
        self.values = np.zeros(len(self.values))


class SharedCells:
    """Counts of this process in a file, next to the files of its siblings.

    Parameters
    ----------
    folder
        Where the files are; all processes of a server share it, and it is emptied when the server is deployed anew.
    name
        Tells apart what is counted: files of another name are not touched.
    size
        Number of places.
    """

    def __init__(self, folder: Path, name: str, size: int) -> None:
        self._folder, self._name, self._size = folder, name, size
        self._lock: int | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.values = self._take()

    def total(self) -> NDArray[np.float64]:
        """Add up the files of all processes, dead ones included."""
        total = np.zeros(self._size)
        for path in sorted(self._folder.glob(f"{self._name}.*.cells")):
            # A file that is just being made is still empty.
            if path.stat().st_size == total.nbytes:
                total += np.memmap(path, np.float64, "r")
        return total

    def after_fork(self) -> None:
        """Take a file of its own; the parent keeps its file."""
        if self._lock is not None:
            os.close(self._lock)  # the parent's descriptor still holds the lock
        self.values = self._take()

    def _take(self) -> NDArray[np.float64]:
        for number in itertools.count():
            path = self._folder / f"{self._name}.{number}.cells"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            self._lock = descriptor
            os.ftruncate(descriptor, self._size * np.dtype(np.float64).itemsize)
            return np.memmap(path, np.float64, "r+", shape=(self._size,)).view(np.ndarray)
        raise AssertionError("counting never ends")


def cells_for(folder: Path | str | None, model_name: str, layout: Layout) -> Cells:
    """Make the cells of an instrument: shared ones when there is a folder, own ones otherwise.

    Parameters
    ----------
    folder
        Where processes share counts; default: the variable PROMETHEUS_MULTIPROC_DIR.
    model_name, layout
        What is counted: only processes with the same model and layout add up.
    """
    folder = folder or os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return OwnCells(layout.size)
    name = re.sub(r"[^\w-]", "_", model_name, flags=re.ASCII)
    return SharedCells(Path(folder), f"ml_model.{name}.{layout.sha256[:16]}", layout.size)
