"""``seatrial plan``: what a rollout will be able to see, before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from seatrial.cli.formats import DURATION, output_option, print_json, screen, seconds
from seatrial.cli.manifests import objectives_of, planned_of, read_manifests
from seatrial.cli.plan_slices import SlicePlan, plan_slices, slices_table
from seatrial.cli.plan_steps import WeightedStep, weighted_steps
from seatrial.judge.detection import Detection, Resolution, detection, likely_horizon, resolve
from seatrial.judge.restart import RESTART_REQUESTS
from seatrial.judge.sentences import percent, significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seatrial.judge.types import Objective

__all__ = ["FAILURES", "StepPlan", "plan_command", "plan_step"]

FAILURES = (1.0, 0.05, 0.01)
"""Shares of bad requests for which a plan says how long they take to be found."""

_LONGEST = 50_000
"""Requests after which a plan calls a failure not found."""


class Found(StrEnum):
    """Whether a failing version is found."""

    Found = "Found"
    Tolerated = "Tolerated"
    """The objective's limit allows such a share of bad requests."""
    TooSlow = "TooSlow"
    """More often than not it takes longer than any trial."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What it takes to find a version that fails like this from the beginning of a step.

    Parameters
    ----------
    error_ratio
        Its share of bad requests.
    found
        Whether it is found; only then are the others not ``None``.
    detect_s
        Mean seconds from the step's beginning to the rollback.
    requests
        Mean requests of the version until then.
    bad
        Mean bad answers that clients get until then.
    budget
        Their share of the window's budget.
    """

    error_ratio: float
    found: Found
    detect_s: float | None = None
    requests: float | None = None
    bad: float | None = None
    budget: float | None = None


_SAYS = {Found.Tolerated: "tolerated", Found.TooSlow: "not found"}


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step under one objective."""

    step: int
    weight: int
    duration_s: float
    requests: int
    objective: str
    slo: str
    failures: tuple[Failure, ...]
    resolution: Resolution


@click.command("plan")
@click.option(
    "-f",
    "--file",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    multiple=True,
    help="File with the ModelDeployment, its ModelSLO, or both; may be given several times.",
)
@click.option("--rps", type=click.FloatRange(0, min_open=True), required=True, help="Requests per second of the model.")
@click.option(
    "--delay", type=DURATION, default="10s", show_default=True, help="From a request to its verdict: scrape and look."
)
@output_option
def plan_command(*, files: tuple[Path, ...], rps: float, delay: float, output: str) -> None:
    """Say what each step of a rollout can detect and prove, and what a bad release costs."""
    try:
        manifests = read_manifests(files)
        plans: dict[str, list[StepPlan]] = {}
        slices: dict[str, list[SlicePlan]] = {}
        for deployment in manifests.deployments:
            steps = [*weighted_steps(deployment.spec.strategy.steps, rps)]
            planned = planned_of(deployment, manifests)
            plans[deployment.name] = _plan(steps, objectives_of(planned), rps, delay)
            slices[deployment.name] = [*plan_slices(steps, [one for one, _ in planned], delay)]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not plans:
        raise click.UsageError("there is no ModelDeployment in these files")
    if output == "json":
        print_json({"rps": rps, "delay_s": delay, "plans": plans, "slices": slices})
        return
    for name, planned_steps in plans.items():
        _show(name, rps, planned_steps)
        if slices[name]:
            screen().print(slices_table(slices[name]))


def plan_step(  # noqa: PLR0913 - each is a fact of the step
    objective: Objective,
    *,
    objectives: int,
    rps: float,
    weight: int,
    restart_points: int,
    delay_s: float,
    window_s: float,
    error_ratio: float,
) -> Failure:
    """Say what it takes to find a version that turns bad when a step begins.

    Parameters
    ----------
    objective
        The objective.
    objectives
        How many objectives share alpha.
    rps
        Requests per second of the model.
    weight
        The candidate's share in percent.
    restart_points
        Restart points that were set before this step.
    delay_s
        Seconds from a request to its verdict.
    window_s
        SLO window in seconds.
    error_ratio
        Share of bad requests of the version.
    """
    if error_ratio <= float(objective.p0):
        return Failure(error_ratio, Found.Tolerated)
    found = _detection(objective, objectives, restart_points, error_ratio)
    if found.p50 is None:
        return Failure(error_ratio, Found.TooSlow)
    rate = rps * weight / 100
    detect_s = found.mean / rate + delay_s
    bad = error_ratio * rate * detect_s
    budget = bad / (float(objective.error_budget) * rps * window_s)
    return Failure(error_ratio, Found.Found, detect_s, found.mean, bad, budget)


def _detection(objective: Objective, objectives: int, restart_points: int, error_ratio: float) -> Detection:
    """Time the bet that opens with the step; it must win alone, as those before it have a healthy record to lose."""
    j = restart_points
    idle = 1 / (j + 2)
    threshold = (objectives / float(objective.alpha) - idle) * (j + 1) * (j + 2)
    p0 = float(objective.p0)
    horizon = likely_horizon(error_ratio, p0, threshold, longest=_LONGEST)
    return detection(error_ratio, p0, threshold, min_bad=objective.min_bad, horizon=horizon)


def _plan(
    weighted: Sequence[WeightedStep], objectives: list[tuple[Objective, float]], rps: float, delay_s: float
) -> list[StepPlan]:
    steps: list[StepPlan] = []
    restart_points = 0
    for step in weighted:
        for objective, window_s in objectives:
            failures = tuple(
                plan_step(
                    objective,
                    objectives=len(objectives),
                    rps=rps,
                    weight=step.weight,
                    restart_points=restart_points,
                    delay_s=delay_s,
                    window_s=window_s,
                    error_ratio=error_ratio,
                )
                for error_ratio in FAILURES
            )
            steps.append(
                StepPlan(
                    step=step.number,
                    weight=step.weight,
                    duration_s=step.lasts_s,
                    requests=step.requests,
                    objective=objective.name,
                    slo=objective.slo,
                    failures=failures,
                    resolution=resolve(objective, step.requests),
                )
            )
        restart_points += 1 + step.requests // RESTART_REQUESTS
    return steps


def _can_prove(step: StepPlan) -> str:
    resolution = step.resolution
    if step.requests >= resolution.proof:
        return "health"
    if resolution.resolvable:
        return f"excess; health takes {resolution.proof:,}"
    return f"little; excess takes {resolution.needed:,} requests"


def _show(name: str, rps: float, steps: list[StepPlan]) -> None:
    table = Table(
        title=f"{name} at {rps:g} requests/s: mean time until a version that turns bad in this step has weight 0"
    )
    for heading in ("step", "weight", "lasts", "requests", "objective"):
        table.add_column(heading)
    for error_ratio in FAILURES:
        table.add_column(f"{percent(error_ratio)} bad", justify="right")
    table.add_column("costs, of the budget", justify="right")
    table.add_column("can prove")
    for step in steps:
        costs = [f.budget for f in step.failures if f.budget is not None]
        table.add_row(
            str(step.step),
            f"{step.weight} %",
            seconds(step.duration_s),
            f"{step.requests:,}",
            f"{step.slo}/{step.objective}",
            *(_SAYS.get(f.found) or seconds(f.detect_s) for f in step.failures),
            percent(float(significant(max(costs)))) if costs else "",
            _can_prove(step),
        )
    screen().print(table)
