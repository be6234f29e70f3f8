"""The pictures of the page on judgement are drawn by the code as it is."""

from __future__ import annotations

from docs import judgement


def test_the_line_is_up_to_date() -> None:
    drawn = (judgement.GUIDE / "judgement-line.svg").read_text()
    assert drawn == judgement.staircase(), "run `python -m docs.judgement`"


def test_the_comparison_is_up_to_date() -> None:
    drawn = (judgement.GUIDE / "judgement-rules.svg").read_text()
    assert drawn == judgement.rules(), "run `python -m docs.judgement`"
