"""The table of evidence: what was seen of a version on trial, objective by objective."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rich.console import Group
from rich.text import Text

from seatrial.cli.plugin.tables import plain_table, styled
from seatrial.judge.sentences import percent, significant
from seatrial.judge.share import share_interval
from seatrial.judge.types import Counts, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from seatrial.api.slices import SliceEvidence
    from seatrial.api.trial import ObjectiveEvidence, PlannedObjective, Trial

__all__ = ["evidence"]

_SLICES: Final = 10
"""So many of the last slices of time are shown."""


def evidence(trial: Trial) -> RenderableType:
    """Make the table of evidence, with each verdict's sentence under it."""
    columns = ("OBJECTIVE", "VERDICT", "BAD", "REQUESTS", "BAD SHARE", "LIMIT", "BURN", "EVIDENCE")
    table = plain_table(*columns)
    planned = {objective.key: objective for objective in trial.plan.objectives}
    for entry in trial.evidence:
        cells = _by_slices(entry.slices) if entry.slices else _by_test(entry, planned.get(entry.key))
        counted = (f"{entry.bad:,}", f"{entry.total:,}")
        burn_rate = f"{significant(entry.burn_rate)}x"
        table.add_row(entry.key, styled(entry.verdict), *counted, cells.share, cells.limit, burn_rate, cells.evidence)
    return Group(table, *(sentence for entry in trial.evidence for sentence in _said(entry)))


class _Cells(NamedTuple):
    share: str
    limit: str
    evidence: str


def _by_test(entry: ObjectiveEvidence, planned: PlannedObjective | None) -> _Cells:
    limit = sure = ""
    if planned:
        limit = percent(float(planned.rollback.burn_rate * (100 - planned.objective.target) / 100))
        low, high = share_interval(
            Counts(entry.total, entry.bad),
            alpha=float(planned.rollback.alpha),
            dispersion=max(1.0, entry.dispersion),
        )
        sure = f"{percent(low)} to {percent(high)}" if entry.total else ""
    return _Cells(sure, limit, f"{significant(entry.e_value)} of {significant(entry.threshold)}")


def _by_slices(slices: SliceEvidence) -> _Cells:
    """Show the last slices; their events come in runs, so no interval is known of their share."""
    counted = slices.counted
    return _Cells("", "", f"{counted.bad} of {counted.total} slices bad {slices.last[-_SLICES:]}".rstrip())


def _said(entry: ObjectiveEvidence) -> Iterator[Text]:
    yield Text.assemble(f"{entry.key}: ", entry.sentence)
    if entry.resolution and entry.verdict == Verdict.Inconclusive:
        yield Text(f"  {entry.resolution}")
