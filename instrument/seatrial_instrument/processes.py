"""What instruments do when their process forks or ends, and the thread that counts what other processes show."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import Final, Protocol

_EVERY_S: Final = 0.5


class Counts(Protocol):
    """Something that lets what it counts wait for a while."""

    def flush(self) -> None:
        """Count what is waiting."""
        ...

    def after_fork(self) -> None:
        """Begin anew in a child process."""
        ...


def know(instrument: Counts) -> None:
    """See to it that an instrument counts what waits when the process ends, and begins anew in a child."""
    _KNOWN.add(instrument)


def flush_steadily(instrument: Counts) -> threading.Thread:
    """Start a thread that counts what is waiting every now and then, as long as the instrument is there."""
    thread = threading.Thread(target=_run, args=(weakref.ref(instrument),), daemon=True, name="instrument")
    thread.start()
    return thread


def _run(reference: weakref.ref[Counts]) -> None:
    while True:
        time.sleep(_EVERY_S)
        instrument = reference()
        if instrument is None:
            return
        instrument.flush()
        del instrument


_KNOWN: Final[weakref.WeakSet[Counts]] = weakref.WeakSet()


def _after_fork() -> None:
    for instrument in _KNOWN:
        instrument.after_fork()


os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _at_exit() -> None:
    for instrument in _KNOWN:
        instrument.flush()
