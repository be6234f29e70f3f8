"""``seatrial simulate``: rules side by side on synthetic traffic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.table import Table

from seatrial.cli.formats import DECIMAL, DURATION, output_option, print_json, progress_bar, screen, seconds
from seatrial.cli.plot import rollback_plot
from seatrial.cli.rules import Argo, Flagger, Rule, Seatrial
from seatrial.cli.simulation import Outcome, run
from seatrial.cli.traffic import Traffic, draw
from seatrial.judge.sentences import percent, significant
from seatrial.judge.types import Objective

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["simulate_command"]


@click.command("simulate")
@click.option("--target", type=DECIMAL, required=True, help="Percent of good requests that is promised: 99.9.")
@click.option("--burn-rate", type=DECIMAL, default="2", show_default=True, help="Times the budget that is tolerated.")
@click.option("--alpha", type=DECIMAL, default="0.01", show_default=True, help="Probability of a false rollback.")
@click.option("--min-bad", type=click.IntRange(1), default=3, show_default=True, help="Never roll back on fewer.")
@click.option(
    "--rps", type=click.FloatRange(0, min_open=True), default=50, show_default=True, help="Requests per second."
)
@click.option("--weight", type=click.IntRange(1, 100), default=10, show_default=True, help="Percent for the candidate.")
@click.option("--duration", type=DURATION, default="30m", show_default=True, help="Length of the trial.")
@click.option("--look", type=DURATION, default="5s", show_default=True, help="Interval between Seatrial's looks.")
@click.option(
    "--interval", type=DURATION, default="1m", show_default=True, help="Interval of the fixed-threshold rules."
)
@click.option("--flagger-threshold", type=click.IntRange(1), default=5, show_default=True, help="Flagger's threshold.")
@click.option("--failure-limit", type=click.IntRange(0), default=0, show_default=True, help="Argo's failureLimit.")
@click.option(
    "--min-success", type=DECIMAL, help="Percent of good requests that the fixed rules ask for; the target by default."
)
@click.option(
    "--errors",
    type=DECIMAL,
    multiple=True,
    help="Percent of bad requests of a version; several times: several versions. Default: a good one to a broken one.",
)
@click.option("--burst", type=click.IntRange(1), default=1, show_default=True, help="Errors come in groups of so many.")
@click.option(
    "--dispersion", type=click.FloatRange(1), default=1.0, help="Variance over mean to temper the evidence by."
)
@click.option("--breaks-after", type=DURATION, help="The version is within half its budget for so long, then breaks.")
@click.option("--runs", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Runs for each version.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of chance: the same seed, the same result.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the share rolled back over time to this SVG file.",
)
@output_option
def simulate_command(  # noqa: PLR0913 - one parameter for each option
    *,
    target: Decimal,
    burn_rate: Decimal,
    alpha: Decimal,
    min_bad: int,
    rps: float,
    weight: int,
    duration: float,
    look: float,
    interval: float,
    flagger_threshold: int,
    failure_limit: int,
    min_success: Decimal | None,
    errors: tuple[Decimal, ...],
    burst: int,
    dispersion: float,
    breaks_after: float | None,
    runs: int,
    seed: int,
    plot: Path | None,
    output: str,
) -> None:
    """Simulate trials of good and bad versions, and compare Seatrial with fixed-threshold rules."""
    try:
        objective = Objective("objective", "command-line", target, burn_rate, alpha, min_bad)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if plot is not None and plot.suffix != ".svg":
        raise click.UsageError(
            f"--plot draws SVG, so the file must end in .svg, not {plot.suffix!r}; every browser shows it, and "
            f"rsvg-convert or Inkscape make a PNG of it"
        )
    budget = float(objective.error_budget)
    least = float(min_success if min_success is not None else target) / 100
    rules: tuple[Rule, ...] = (
        Seatrial(objective, dispersion=dispersion),
        Flagger(least, flagger_threshold, interval),
        Argo(least, failure_limit, interval),
    )
    ratios = [float(error) / 100 for error in errors] or [budget / 2, float(objective.p0), 0.01, 0.05, 1.0]
    if any(not 0 <= ratio <= 1 for ratio in ratios):
        raise click.UsageError("--errors are percentages between 0 and 100")
    rng = np.random.default_rng(seed)
    outcomes: dict[float, list[Outcome]] = {}
    with progress_bar(shown=output == "text") as progress:
        task = progress.add_task("simulating", total=len(ratios) * (round(duration / look) + len(rules) - 1))
        for ratio in ratios:
            traffic = Traffic(rps * weight / 100, ratio, burst, healthy_s=breaks_after or 0.0, healthy_ratio=budget / 2)
            counted = draw(traffic, runs=runs, duration_s=duration, look_s=look, rng=rng)
            outcomes[ratio] = [run(rule, counted, lambda: progress.advance(task)) for rule in rules]
    window_budget = budget * rps * 28 * 86400
    if plot is not None:
        plot.write_text(rollback_plot(outcomes, duration_s=duration, runs=runs), encoding="utf-8")
    if output == "json":
        print_json(
            [
                {
                    "error_ratio": ratio,
                    "burn_rate": ratio / budget,
                    "outcomes": [_summary(o, window_budget) for o in found],
                }
                for ratio, found in outcomes.items()
            ]
        )
    else:
        _show(outcomes, objective, window_budget)


def _summary(outcome: Outcome, window_budget: float) -> dict[str, object]:
    fields = ("rule", "rolled_back", "low", "high", "seconds_p50", "seconds_p95", "requests_mean", "bad_mean")
    return {**{name: getattr(outcome, name) for name in fields}, "budget_mean": outcome.bad_mean / window_budget}


def _show(outcomes: dict[float, list[Outcome]], objective: Objective, window_budget: float) -> None:
    table = Table(
        title=f"Trials of versions under a target of {objective.target} %, limit {percent(float(objective.p0))}"
    )
    table.add_column("bad")
    table.add_column("rule")
    for heading in (
        "rolled back",
        "95 % interval",
        "after, median",
        "95 of 100",
        "requests",
        "bad answers",
        "of 28 d budget",
    ):
        table.add_column(heading, justify="right")
    for ratio, found in outcomes.items():
        for position, outcome in enumerate(found):
            table.add_row(
                percent(ratio) if position == 0 else "",
                outcome.rule,
                percent(outcome.rolled_back),
                f"{percent(outcome.low)} to {percent(outcome.high)}",
                seconds(outcome.seconds_p50) if outcome.seconds_p50 is not None else "",
                seconds(outcome.seconds_p95) if outcome.seconds_p95 is not None else "",
                significant(outcome.requests_mean) if outcome.requests_mean is not None else "",
                significant(outcome.bad_mean),
                percent(outcome.bad_mean / window_budget),
                end_section=position == len(found) - 1,
            )
    screen().print(table)
