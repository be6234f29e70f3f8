"""Draws the pictures of the page on judgement from the judge's own code: ``python -m docs.judgement``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np

from seatrial.cli.plot import rollback_plot
from seatrial.cli.rules import Argo, Flagger, Seatrial
from seatrial.cli.simulation import run
from seatrial.cli.traffic import Traffic, draw
from seatrial.judge.detection import latest_request
from seatrial.judge.types import Objective

GUIDE = Path(__file__).with_name("guide")
OBJECTIVE = Objective("availability", "scorer", Decimal("99.9"))
_LEFT, _TOP, _WIDTH, _HEIGHT = 60, 20, 640, 300
_REQUESTS, _BAD = 1000, 12
_VERSIONS = {0.01: "#0b6e4f", 0.05: "#c8553d", 0.001: "#3d5a80"}


def staircase() -> str:
    """Draw the line that condemns a version, and three versions that run against it or do not."""
    bad = np.arange(OBJECTIVE.min_bad, _BAD + 1)
    latest = latest_request(bad, float(OBJECTIVE.p0), 1 / float(OBJECTIVE.alpha), horizon=_REQUESTS)
    steps = "".join(f"V{_y(k):.0f}H{_x(n):.0f}" for k, n in zip(bad.tolist(), latest.tolist(), strict=True))
    zone = f"M{_x(0):.0f} {_y(OBJECTIVE.min_bad):.0f}{steps}V{_y(_BAD + 1):.0f}H{_x(0):.0f}Z"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 40} {_TOP + _HEIGHT + 60}">',
        "<style>text { font: 12px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<path d="{zone}" fill="#f4d9d0"/>',
        f'<text x="{_x(90):.0f}" y="{_y(10.5):.0f}">rolled back</text>',
        f'<path d="M{_LEFT} {_TOP}V{_TOP + _HEIGHT}H{_LEFT + _WIDTH}" fill="none" stroke="#888"/>',
    ]
    below, beside = _TOP + _HEIGHT + 16, _LEFT - 8
    parts += [
        f'<text x="{_x(n):.0f}" y="{below}" text-anchor="middle">{n:,}</text>' for n in range(0, _REQUESTS + 1, 200)
    ]
    parts += [f'<text x="{beside}" y="{_y(k) + 4:.0f}" text-anchor="end">{k}</text>' for k in range(0, _BAD + 1, 3)]
    parts.append(
        f'<text x="{_LEFT + _WIDTH}" y="{_TOP + _HEIGHT + 34}" text-anchor="end">requests of the version</text>'
    )
    parts.append(f'<text x="{_LEFT + 8}" y="{_TOP + 4}">bad ones among them</text>')
    rng = np.random.default_rng(21)
    for position, (error_ratio, colour) in enumerate(_VERSIONS.items()):
        counts = rng.binomial(1, error_ratio, _REQUESTS).cumsum()
        parts.append(
            f'<path d="{_walk(counts.tolist(), latest.tolist())}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        label = f'<text x="{_LEFT + 160 * position}" y="{_TOP + _HEIGHT + 52}" fill="{colour}">'
        parts.append(f"{label}{100 * error_ratio:g} % bad</text>")
    return "\n".join([*parts, "</svg>", ""])


def rules() -> str:
    """Draw when Seatrial and fixed thresholds roll versions back: 30 minutes, 5 requests a second for the version."""
    asked = float(OBJECTIVE.target) / 100
    compared = (Seatrial(OBJECTIVE), Flagger(asked), Argo(asked))
    rng = np.random.default_rng(1)
    outcomes = {}
    for error_ratio in (0.0005, 0.01, 0.05):
        trace = draw(Traffic(5, error_ratio), runs=300, duration_s=1800, look_s=5, rng=rng)
        outcomes[error_ratio] = [run(rule, trace) for rule in compared]
    return rollback_plot(outcomes, duration_s=1800, runs=300)


def _x(requests: float) -> float:
    return _LEFT + _WIDTH * requests / _REQUESTS


def _y(bad: float) -> float:
    return _TOP + _HEIGHT * (1 - bad / (_BAD + 1))


def _walk(counts: list[int], latest: list[int]) -> str:
    """Walk right with each request and up with each bad one, until the version is condemned."""
    path, bad = f"M{_x(0):.0f} {_y(0):.0f}", 0
    for n, count in enumerate(counts, start=1):
        if count == bad:
            continue
        bad = count
        path += f"H{_x(n):.1f}V{_y(bad):.1f}"
        if bad >= OBJECTIVE.min_bad and (bad > _BAD or n <= latest[bad - OBJECTIVE.min_bad]):
            return path
    return f"{path}H{_x(len(counts)):.1f}"


if __name__ == "__main__":
    (GUIDE / "judgement-line.svg").write_text(staircase(), encoding="utf-8")
    (GUIDE / "judgement-rules.svg").write_text(rules(), encoding="utf-8")
