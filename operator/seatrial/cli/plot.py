"""A picture of a simulation, drawn as SVG: which share of versions each rule has rolled back after how long."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from seatrial.cli.formats import seconds
from seatrial.judge.sentences import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.cli.simulation import Outcome

__all__ = ["rollback_plot"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 640, 150, 60, 40, 60
_COLOURS = ("#0b6e4f", "#c8553d", "#3d5a80")
_TICKS = 6


def rollback_plot(outcomes: Mapping[float, Sequence[Outcome]], *, duration_s: float, runs: int) -> str:
    """Draw one panel for each kind of version, one stepped line for each rule.

    Parameters
    ----------
    outcomes
        Outcomes of the rules by share of bad requests.
    duration_s
        Length of the trial, the right edge.
    runs
        Runs behind each outcome.

    Returns
    -------
    str
        An SVG document.
    """
    height = _TOP + len(outcomes) * (_HEIGHT + _GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 40} {height}">',
        "<style>text { font: 12px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    rules = [outcome.rule for outcome in next(iter(outcomes.values()), [])]
    for position, rule in enumerate(rules):
        x = _LEFT + 220 * position
        parts.append(f'<rect x="{x}" y="10" width="14" height="6" fill="{_COLOURS[position % len(_COLOURS)]}"/>')
        parts.append(f'<text x="{x + 20}" y="18">{escape(rule)}</text>')
    for row, (ratio, found) in enumerate(outcomes.items()):
        top = _TOP + row * (_HEIGHT + _GAP)
        parts += _axes(top, f"{percent(ratio)} of requests bad: share of versions rolled back", duration_s)
        for position, outcome in enumerate(found):
            colour = _COLOURS[position % len(_COLOURS)]
            line = _line(outcome.times_s, top, duration_s, runs)
            parts.append(f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>", ""])


def _axes(top: int, title: str, duration_s: float) -> list[str]:
    bottom = top + 20 + _HEIGHT
    parts = [
        f'<text x="{_LEFT}" y="{top + 12}" font-weight="bold">{escape(title)}</text>',
        f'<path d="M{_LEFT} {top + 20}V{bottom}H{_LEFT + _WIDTH}" fill="none" stroke="#888"/>',
    ]
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * _HEIGHT
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for tick in range(_TICKS + 1):
        x = _LEFT + _WIDTH * tick / _TICKS
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{seconds(duration_s * tick / _TICKS)}</text>'
        )
    return parts


def _line(times_s: Sequence[float], top: int, duration_s: float, runs: int) -> str:
    bottom = top + 20 + _HEIGHT
    steps = [f"M{_LEFT} {bottom}"]
    for rolled_back, time_s in enumerate(times_s, start=1):
        x = _LEFT + _WIDTH * time_s / duration_s
        steps.append(f"H{x:.1f}V{bottom - _HEIGHT * rolled_back / runs:.1f}")
    return "".join([*steps, f"H{_LEFT + _WIDTH}"])
