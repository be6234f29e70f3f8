"""How words and tables look in a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

__all__ = ["STYLES", "plain_table", "styled"]

STYLES = {
    "Healthy": "green",
    "Promoted": "green",
    "Deployed": "green",
    "Done": "green",
    "Burning": "bold red",
    "RolledBack": "bold red",
    "Refused": "bold red",
    "Environment": "yellow",
    "Unavailable": "yellow",
    "NoData": "yellow",
    "Inconclusive": "yellow",
}
"""Colours of words that ask for attention, and of those that do not."""


def styled(word: str) -> Text:
    """Colour a word by what it means."""
    return Text(word, style=STYLES.get(word, ""))


def plain_table(*columns: str) -> Table:
    """Make a table that looks like kubectl's."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
