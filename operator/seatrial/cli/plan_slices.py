"""What a step can see of objectives that count slices of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.table import Table

from seatrial.cli.formats import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from seatrial.api.trial import PlannedObjective
    from seatrial.cli.plan_steps import WeightedStep

__all__ = ["SlicePlan", "plan_slices", "slices_table"]


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """One step under one objective, if each request is one of its events.

    Attributes
    ----------
    step, weight
        The step's number from 1, and the candidate's share in percent.
    slo, objective
        Which objective.
    slice_s
        Seconds until a slice has both its length and its events.
    detect_s
        Seconds from the step's beginning to the rollback of a version whose slices are all bad from there on.
    proof_s
        Seconds of good slices that make a version healthy that had none before.
    fits
        Whether the step is as long as that; if not, it lasts on until then.
    """

    step: int
    weight: int
    slo: str
    objective: str
    slice_s: float
    detect_s: float
    proof_s: float
    fits: bool


def plan_slices(
    steps: Iterable[WeightedStep], planned: Sequence[PlannedObjective], delay_s: float
) -> Iterator[SlicePlan]:
    """Plan the objectives that count slices; ``delay_s`` are the seconds from an event to its verdict."""
    for step in steps:
        for one in planned:
            if slices := one.objective.counts_slices:
                slice_s = max(slices.length, slices.min_events / step.rate)
                proof_s = (slices.of - slices.bad + 1) * slice_s
                detect_s = slices.bad * slice_s + delay_s
                yield SlicePlan(
                    step.number,
                    step.weight,
                    one.slo,
                    one.objective.name,
                    slice_s,
                    detect_s,
                    proof_s,
                    fits=proof_s <= step.lasts_s,
                )


def slices_table(plans: Iterable[SlicePlan]) -> Table:
    """Write them as a table."""
    table = Table(title="Objectives that count slices of time")
    for heading in ("step", "weight", "objective", "a slice lasts", "rolled back after", "proves health after"):
        table.add_column(heading)
    for plan in plans:
        proof = seconds(plan.proof_s) + ("" if plan.fits else "; the step lasts on till then")
        times = seconds(plan.slice_s), seconds(plan.detect_s), proof
        table.add_row(str(plan.step), f"{plan.weight} %", f"{plan.slo}/{plan.objective}", *times)
    return table
