"""The sample ratio test: does the router split traffic as it was told.

Requests of each version are compared with the weights of the route. The evidence against the weights is a Bayes
factor, the likelihood under a Dirichlet prior around the weights over the likelihood at the weights,

    E = B(k theta + n) / B(k theta) * prod_i theta_i^(-n_i),        B the multivariate beta function, k = 100

which is a martingale while requests fall on the versions with probabilities ``theta``. Weights change with each step,
so the evidence of the steps is multiplied. A mismatch is a condition of the rollout, never a fault of the version. A
large service finds any deviation, so a mismatch also has to be large enough to matter.

Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022 (arXiv 2011.03567).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log
from typing import TYPE_CHECKING

from seatrial.judge import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SplitCheck", "SplitStep", "check_split", "log_e_split"]

_CONCENTRATION = 100.0
_LARGEST_LOG = 690.0


@dataclass(frozen=True, slots=True)
class SplitStep:
    """What both versions got while the weights stood still.

    Parameters
    ----------
    weight
        The candidate's weight, 0 < weight < 1; stable has the rest.
    candidate, stable
        Requests, >= 0.
    """

    weight: float
    candidate: int
    stable: int


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """Whether the split differs from the weights, with its numbers and a sentence."""

    mismatch: bool
    sentence: str
    e_value: float
    threshold: float
    expected: float
    observed: float


def log_e_split(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Log of the evidence that requests do not fall on the versions with these shares.

    Parameters
    ----------
    counts
        Requests of each version, >= 0.
    shares
        Probability of each version, > 0, summing to 1.
    """
    prior = [_CONCENTRATION * share for share in shares]
    posterior = [a + n for a, n in zip(prior, counts, strict=True)]
    likelihood = sum(n * log(share) for n, share in zip(counts, shares, strict=True))
    return _log_beta(posterior) - _log_beta(prior) - likelihood


def check_split(steps: Sequence[SplitStep], *, alpha: float = 0.001, tolerance: float = 0.2) -> SplitCheck:
    """Compare the requests of both versions with the route's weights.

    Parameters
    ----------
    steps
        The steps with both weights above 0, at least one.
    alpha
        Probability of ever calling a right split wrong.
    tolerance
        Relative deviation of the candidate's requests from what the weights ask for that does not matter.
    """
    log_e = sum(log_e_split((s.candidate, s.stable), (s.weight, 1 - s.weight)) for s in steps)
    total = sum(s.candidate + s.stable for s in steps)
    expected = sum(s.weight * (s.candidate + s.stable) for s in steps)
    got = sum(s.candidate for s in steps)
    mismatch = log_e >= -log(alpha) and abs(got - expected) > tolerance * expected
    said = f"the candidate got {got:,} of {total:,} requests, its weight asks for {sentences.significant(expected)}"
    sentence = f"The router does not split as told: {said}." if mismatch else f"The router splits as told: {said}."
    return SplitCheck(
        mismatch=mismatch,
        sentence=sentence,
        e_value=exp(min(log_e, _LARGEST_LOG)),
        threshold=1 / alpha,
        expected=expected / total if total else 0.0,
        observed=got / total if total else 0.0,
    )


def _log_beta(parameters: Sequence[float]) -> float:
    return sum(lgamma(a) for a in parameters) - lgamma(sum(parameters))
