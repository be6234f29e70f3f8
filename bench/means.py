"""How many requests of each version it takes to compare means, by ceiling: the price of a margin."""

import math

import numpy as np

from bench.report import markdown
from seatrial.cli.formats import progress_bar
from seatrial.judge.means import Buckets, compare_means
from seatrial.judge.types import Verdict

EDGES_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The default buckets of the Prometheus clients."""
MEDIAN_S, SCATTER, MARGIN = 0.1, 0.5, 0.05
MOST, GROWTH = 400_000, 1.1


def requests_to_compare(runs: int) -> str:
    """Lognormal latencies of 100 ms in the median; looks at every tenth more requests; medians of the runs."""
    changes, ceilings_s = (0.0, 0.1, 0.2, 0.5), (10.0, 2.5, 1.0, 0.5)
    rows = []
    with progress_bar(shown=True) as progress:
        task = progress.add_task("means", total=len(changes) * len(ceilings_s) * runs)
        for ceiling_s in ceilings_s:
            cells = [f"{ceiling_s:g} s"]
            for seed, change in enumerate(changes):
                rng = np.random.default_rng(seed)
                found = []
                for _ in range(runs):
                    found.append(_called_at(change, Buckets(tuple(e for e in EDGES_S if e <= ceiling_s)), rng))
                    progress.advance(task)
                cells.append(f"{np.median(found):,.0f}")
            rows.append(cells)
    said = [f"{change:.0%} slower: {'not worse' if change < MARGIN else 'worse'}" for change in changes]
    return markdown(("ceiling", *said), rows)


def _called_at(change: float, buckets: Buckets, rng: np.random.Generator) -> int:
    """Add requests until something is called, and return how many there were of each version."""
    count, sides = 100, np.zeros((2, len(buckets.edges) + 1), np.int64)
    more = count
    while count < MOST:
        sides += [rng.multinomial(more, _shares(MEDIAN_S * (1 + slower), buckets)) for slower in (change, 0.0)]
        mine, theirs = (tuple(side) for side in sides.tolist())
        if compare_means(mine, theirs, buckets, margin=MARGIN).verdict is not Verdict.Inconclusive:
            break
        more = math.ceil(count * (GROWTH - 1))
        count += more
    return count


def _shares(median_s: float, buckets: Buckets) -> np.ndarray:
    below = [0.5 * (1 + math.erf(math.log(edge / median_s) / (SCATTER * math.sqrt(2)))) for edge in buckets.edges]
    return np.diff([0.0, *below, 1.0])
