"""`python -m bench.judge`: how often the judge is wrong, how soon it is right, beside whom, and how fast it computes.

Needs no cluster. The detection table is exact; the rest is simulated with a fixed seed and given with 95 % intervals.
"""

import time
from dataclasses import replace
from decimal import Decimal

import click
import numpy as np

from bench.means import requests_to_compare
from bench.report import machine, markdown
from seatrial.cli.formats import progress_bar, seconds
from seatrial.cli.rules import Argo, Flagger, Rule, Seatrial
from seatrial.cli.simulation import Outcome, run
from seatrial.cli.traffic import Traffic, draw
from seatrial.judge.detection import detection
from seatrial.judge.judge import Trial, judge_all
from seatrial.judge.sentences import percent, significant
from seatrial.judge.types import Counts, Evidence, Objective

OBJECTIVE = Objective("availability", "bench", Decimal("99.9"))
LIMIT = float(OBJECTIVE.p0)
BUDGET = float(OBJECTIVE.error_budget)
REQUESTS = 6000

# Computed independently of this code: burn rate -> share of bad requests -> mean requests to rollback (plain test)
EXPECTED: dict[str, dict[float, int | None]] = {
    "1": {0.01: 484, 0.05: 60, 0.5: 6, 1.0: 3},
    "2": {0.01: 811, 0.05: 65, 0.5: 6, 1.0: 3},
    "4": {0.01: 2017, 0.05: 82, 0.5: 6, 1.0: 3},
    "14.4": {0.01: None, 0.05: 228, 0.5: 6, 1.0: 3},
}


def false_rollbacks(runs: int) -> str:
    """Simulate versions within their limit for 6,000 requests, looked at and scraped every 5 requests."""
    half, within, bursts = Traffic(5, BUDGET / 2), Traffic(5, BUDGET), Traffic(5, BUDGET, burst=5)
    long_bursts = replace(bursts, burst_s=3)
    usual, blind = Seatrial(OBJECTIVE), Seatrial(OBJECTIVE, own=False)
    known = Seatrial(OBJECTIVE, dispersion=5)
    cases = [
        ("exactly at the limit", Traffic(5, LIMIT), usual),
        ("exactly at the budget", within, usual),
        ("at half the budget", half, usual),
        ("at the budget, bursts of 5", bursts, usual),
        ("the same, known of stable", bursts, known),
        ("the same, if clustering were ignored", bursts, blind),
        ("at half the budget, bursts of 5", replace(bursts, error_ratio=BUDGET / 2), usual),
        ("at the budget, bursts of 5 that last four scrapes", long_bursts, usual),
        ("the same, known of stable", long_bursts, known),
    ]
    rows = []
    with progress_bar(shown=True) as progress:
        task = progress.add_task("false rollbacks", total=len(cases) * REQUESTS // 5)
        for seed, (name, traffic, rule) in enumerate(cases):
            rng = np.random.default_rng(seed)
            trace = draw(traffic, runs=runs, duration_s=REQUESTS / 5, look_s=1, rng=rng)
            outcome = run(rule, trace, lambda: progress.advance(task))
            rows.append((name, *rolled_back(outcome)))
    return markdown(("version", "rolled back", "95 % interval"), rows)


def price_of_tempering(runs: int) -> str:
    """Seconds to rollback at 10 requests/s, scraped every 2 s, limit 1 %; errors that come alone."""
    objective = Objective("availability", "bench", Decimal("99.5"))
    rules = {
        "as the operator does": Seatrial(objective),
        "stable known for bursts of 5": Seatrial(objective, dispersion=5),
        "if clustering were ignored": Seatrial(objective, own=False),
    }
    rows = []
    for name, rule in rules.items():
        cells = [name]
        for seed, ratio in enumerate((1.0, 0.2, 0.05, 0.02)):
            trace = draw(Traffic(10, ratio), runs=runs, duration_s=1800, look_s=2, rng=np.random.default_rng(seed))
            found = run(rule, trace)
            cells.append(f"{seconds(found.seconds_p50)} ({seconds(found.seconds_p95)})")
        rows.append(cells)
    return markdown(("evidence is tempered", "100 % bad", "20 %", "5 %", "2 %"), rows)


def rolled_back(outcome: Outcome) -> tuple[str, str]:
    """Write the share of runs rolled back and its interval."""
    return percent(outcome.rolled_back), f"{percent(outcome.low)} to {percent(outcome.high)}"


def detection_table() -> str:
    """Mean requests to rollback, exact, beside the figures computed elsewhere."""
    rows = []
    for burn_rate, expected in EXPECTED.items():
        p0 = float(Decimal(burn_rate) * OBJECTIVE.error_budget)
        cells = [burn_rate]
        for error_ratio, elsewhere in expected.items():
            if error_ratio <= p0:
                cells.append("tolerated")
                continue
            found = detection(error_ratio, p0, 100, horizon=REQUESTS)
            cells.append(f"{found.mean:.0f} ({elsewhere}), 95 of 100 by {found.p95 or 'never'}")
        cells.append(percent(detection(BUDGET, p0, 100, horizon=REQUESTS).share))
        cells.append(percent(detection(p0, p0, 100, horizon=REQUESTS).share))
        rows.append(cells)
    errors = [f"{percent(error_ratio)} bad" for error_ratio in EXPECTED["2"]]
    return markdown(("burn rate", *errors, "false at the budget", "false at the limit"), rows)


def beside_others(runs: int) -> str:
    """Compare with fixed thresholds: 30 minutes, 5 requests/s for the candidate, checks each minute, looks each 5 s."""
    rules: tuple[Rule, ...] = (Seatrial(OBJECTIVE), Flagger(0.999), Flagger(0.99), Argo(0.999, 0), Argo(0.999, 3))
    asked = ("", ", min 99.9", ", min 99", ", >= .999", ", >= .999")
    ratios = (BUDGET / 2, BUDGET, 0.01, 0.05, 0.5)
    rows = [[rule.name + more] for rule, more in zip(rules, asked, strict=True)]
    for seed, ratio in enumerate(ratios):
        rng = np.random.default_rng(seed)
        trace = draw(Traffic(5, ratio), runs=runs, duration_s=1800, look_s=5, rng=rng)
        for row, rule in zip(rows, rules, strict=True):
            outcome = run(rule, trace)
            if ratio <= BUDGET:
                row.append(percent(outcome.rolled_back))
            else:
                missed = "" if outcome.rolled_back == 1 else f" ({percent(outcome.rolled_back)})"
                row.append(f"{significant(outcome.requests_mean or 0)}{missed}")
    good = [f"rolled back at {percent(ratio)}" for ratio in ratios if ratio <= BUDGET]
    bad = [f"requests at {percent(ratio)}" for ratio in ratios if ratio > BUDGET]
    return markdown(("rule", *good, *bad), rows)


def speed() -> str:
    """Time 1,000 judgements of 4 objectives each."""
    targets = (Decimal("99.9"), Decimal("99.5"), Decimal(99), Decimal(95))
    objectives = [Objective(f"objective-{i}", "bench", target) for i, target in enumerate(targets)]
    rng = np.random.default_rng(0)
    rows = []
    for points in (0, 3, 24):
        since = tuple(Counts(1500 * (i + 1), i) for i in range(points))
        trials = []
        for _ in range(1000):
            counts = [Counts(40_000 + int(n), 30 + int(k)) for n, k in rng.integers(0, (5000, 20), (4, 2))]
            trials.append(Trial(objectives, [Evidence(c, since=since) for c in counts]))
        times_s = []
        for _ in range(7):
            began_s = time.process_time()
            judge_all(trials)
            times_s.append(time.process_time() - began_s)
        rows.append((str(points), f"{1000 * min(times_s):.0f} ms"))
    return markdown(("restart points", "processor time for 1,000 judgements of 4 objectives"), rows)


@click.command()
@click.option("--runs", type=click.IntRange(100), default=20_000, show_default=True, help="Simulated trials.")
def main(runs: int) -> None:
    """Print the judge's figures as Markdown."""
    print(f"# The judge\n\n{machine()}; target 99.9 %, alpha 1 %, at least 3 bad requests; {runs:,} trials each.\n")
    print(f"## Mean requests to rollback (plain test, exact; in brackets: computed elsewhere)\n\n{detection_table()}\n")
    print(f"## False rollbacks in {REQUESTS:,} requests, every look\n\n{false_rollbacks(runs)}\n")
    print(f"## Median seconds to rollback (95 of 100), by tempering\n\n{price_of_tempering(max(100, runs // 20))}\n")
    print(f"## Beside fixed thresholds\n\n{beside_others(max(100, runs // 10))}\n")
    print(f"## Requests of each version to compare means, margin 5 %\n\n{requests_to_compare(max(5, runs // 1000))}\n")
    print(f"## Speed\n\n{speed()}")


if __name__ == "__main__":
    main()
