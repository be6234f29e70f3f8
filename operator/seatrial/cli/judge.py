"""``seatrial judge``: the verdict on one pair of totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.table import Table

from seatrial.cli.formats import DECIMAL, output_option, print_json, screen
from seatrial.judge.judge import judge
from seatrial.judge.sentences import percent, significant
from seatrial.judge.types import Counts, Evidence, Judgement, Objective

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["judge_command"]


@click.command("judge")
@click.option("--target", type=DECIMAL, required=True, help="Percent of good requests that is promised: 99.9.")
@click.option("--burn-rate", type=DECIMAL, default="2", show_default=True, help="Times the budget that is tolerated.")
@click.option("--alpha", type=DECIMAL, default="0.01", show_default=True, help="Probability of a false rollback.")
@click.option("--min-bad", type=click.IntRange(1), default=3, show_default=True, help="Never roll back on fewer.")
@click.option("--total", type=click.IntRange(0), required=True, help="Requests of the candidate.")
@click.option("--bad", type=click.IntRange(0), required=True, help="Bad ones among them.")
@click.option("--stable-total", type=click.IntRange(0), help="Requests of the stable version at the same time.")
@click.option("--stable-bad", type=click.IntRange(0), help="Bad ones among them.")
@click.option(
    "--dispersion",
    type=click.FloatRange(1),
    default=1.0,
    show_default=True,
    help="How clustered errors are, to temper the evidence by: 1 when they come alone, 5 in bursts of five.",
)
@click.option("--min-requests", type=click.IntRange(0), default=0, help="Requests that the step asks for.")
@click.option("--strict", is_flag=True, help="Healthy only when proven.")
@output_option
def judge_command(  # noqa: PLR0913 - one parameter for each option
    *,
    target: Decimal,
    burn_rate: Decimal,
    alpha: Decimal,
    min_bad: int,
    total: int,
    bad: int,
    stable_total: int | None,
    stable_bad: int | None,
    dispersion: float,
    min_requests: int,
    strict: bool,
    output: str,
) -> None:
    """Judge a version by its totals: the plain sequential test, given all of alpha.

    Exits 0 whatever the verdict is; 2 when the numbers make no sense.
    """
    if (stable_total is None) != (stable_bad is None):
        raise click.UsageError("--stable-total and --stable-bad belong together")
    try:
        objective = Objective("objective", "command-line", target, burn_rate, alpha, min_bad)
        stable = None if stable_total is None or stable_bad is None else Counts(stable_total, stable_bad)
        evidence = Evidence(Counts(total, bad), stable=stable, dispersion=dispersion)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    judgement = judge([objective], [evidence], min_requests=min_requests, restarts=False, strict=strict)[0]
    if output == "json":
        print_json(judgement)
    else:
        _show(judgement)


def _show(judgement: Judgement) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("verdict", judgement.verdict.value)
    table.add_row("e-value", f"{significant(judgement.e_value)} of {significant(judgement.threshold)}")
    if judgement.e_attribution is not None:
        table.add_row("e-value against stable", significant(judgement.e_attribution))
    table.add_row("burn rate", significant(judgement.burn_rate))
    table.add_row("limit", percent(judgement.p0))
    table.add_row("", judgement.sentence)
    screen().print(table)
