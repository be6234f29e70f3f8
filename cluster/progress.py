"""What the terminal shows while things take their time."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator

console = Console(stderr=True, highlight=False)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show `text` while the body runs, and how long it took when it is done."""
    begun = time.monotonic()
    with console.status(text):
        yield
    say(f"{text} ({time.monotonic() - begun:.1f} s)")


def say(text: str) -> None:
    """Print one line that stays."""
    console.print(f"[green]✓[/] {text}")
