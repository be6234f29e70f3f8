"""Which scrape was the first to carry enough evidence: the judge's own test, replayed over raw samples.

It tempers by the candidate's own bursts, as the operator does; stable has no history of bursts in a benchmark.
"""

from collections.abc import Sequence
from decimal import Decimal

from bench.prometheus import Sample
from seatrial.judge.dispersion import NO_EVENTS, own_dispersion
from seatrial.judge.judge import judge
from seatrial.judge.restart import next_restart
from seatrial.judge.types import Counts, Evidence, Objective, Verdict


def deciding_sample(samples: Sequence[Sample], objective: Objective) -> Sample | None:
    """Find the first sample at which a judge that looks at every scrape calls the version burning.

    Parameters
    ----------
    samples
        The candidate's counts since its pod's birth, oldest first.
    objective
        What it was judged by.

    Returns
    -------
    Sample or None
        None when no sample carries enough evidence.
    """
    since: tuple[Counts, ...] = ()
    clustering, last = NO_EVENTS, Counts(0, 0)
    for sample in samples:
        seen = Counts(sample.total, sample.bad)
        clustering, last = clustering.then(seen.total - last.total, seen.bad - last.bad), seen
        evidence = Evidence(candidate=seen, since=since, dispersion=own_dispersion(clustering))
        (judgement,) = judge([objective], [evidence])
        if judgement.verdict is Verdict.Burning:
            return sample
        if next_restart(seen.total - (since[-1].total if since else 0)):
            since = (*since, seen)
    return None


def availability(target: str, burn_rate: str, alpha: str, min_bad: int) -> Objective:
    """Build the objective of a benchmark from the values in its manifest."""
    return Objective(
        name="availability",
        slo="digits",
        target=Decimal(target),
        burn_rate=Decimal(burn_rate),
        alpha=Decimal(alpha),
        min_bad=min_bad,
    )
