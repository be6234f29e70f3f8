"""Checks what users declare once and what then shapes series: names, and edges of histograms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from seatrial_instrument import columns
from seatrial_instrument.reference import OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_names(what: str, names: Sequence[Any]) -> None:
    """Check names that become labels.

    Parameters
    ----------
    what
        What they name, for the error.
    names
        The names.

    Raises
    ------
    ValueError
        They are no list of text, or two of them would count as one.
    """
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{what}: give a list of names, each a text that is not empty, not {names!r}")
    spelt = [columns.category(name) for name in names]
    if twice := [name for name, spelling in zip(names, spelt, strict=True) if spelt.count(spelling) > 1]:
        raise ValueError(f"{what}: {', '.join(twice)} would count as one; declare every name once")
    if OTHER in names:
        raise ValueError(f"{what}: {OTHER} is the name of all that is not declared; choose another one")


def check_edges(what: str, edges: Sequence[float]) -> None:
    """Check edges of a histogram.

    Parameters
    ----------
    what
        Whose edges these are, for the error.
    edges
        The edges.

    Raises
    ------
    ValueError
        They are not finite, or don't rise.
    """
    if not all(math.isfinite(edge) for edge in edges) or list(edges) != sorted(set(edges)):
        raise ValueError(f"{what}: edges must be finite and rise, got {', '.join(map(str, edges))}")
