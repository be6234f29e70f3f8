"""Values that are missing, out of range or invalid: a share that only one side can be blamed for.

It takes both a difference that matters (``limit``, in shares of all observations) and evidence that it isn't chance:
the test of :mod:`seatrial.judge.attribution`, which conditions on the faults of both sides and so needs no assumption
about how many there usually are. No ratio is tolerated beside the limit: of values of which 70 % are usually missing,
no more than 1.4 times as many ever could be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from seatrial.judge import sentences
from seatrial.judge.attribution import log_e_attribution
from seatrial.judge.drift.chance import share_of_alpha
from seatrial.judge.drift.compare import Level

__all__ = ["Excess", "Part", "compare_shares"]

_MIN_FAULTS = 3
_MIN_OBSERVATIONS = 30


@dataclass(frozen=True, slots=True)
class Part:
    """Faulty ones among all observations, 0 <= faulty <= total."""

    faulty: int
    total: int

    @property
    def share(self) -> float:
        """Faulty over total; 0 without observations."""
        return self.faulty / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Excess:
    """How much more often values are faulty on our side.

    Attributes
    ----------
    feature, fault
        What was counted: ``"age"``, ``"missing"``.
    level
        Act beyond the limit and chance, Warn beyond chance and half the limit, Inconclusive without enough
        observations, Clear otherwise.
    ours, theirs
        Both sides.
    sentence
        The result in plain words.
    """

    feature: str
    fault: str
    level: Level
    ours: Part
    theirs: Part
    sentence: str


def compare_shares(  # noqa: PLR0913 - names of what it compares
    feature: str,
    fault: str,
    ours: Part,
    theirs: Part,
    *,
    limit: float = 0.01,
    alpha: float = 0.01,
    questions: int = 1,
    look: int | None = None,
) -> Excess:
    """Compare how often values are faulty.

    Parameters
    ----------
    feature, fault
        What was counted.
    ours, theirs
        The side in question, and what it is compared with.
    limit
        How much larger our share may be, as a difference of shares, >= 0.
    alpha
        Probability of a false alarm over all questions and looks.
    questions, look
        As for :func:`seatrial.judge.drift.compare.compare`.
    """
    said = (
        f"{feature}: {sentences.percent(ours.share)} {fault} ({ours.faulty:,} of {ours.total:,}) against "
        f"{sentences.percent(theirs.share)} ({theirs.faulty:,} of {theirs.total:,})"
    )
    if min(ours.total, theirs.total) < _MIN_OBSERVATIONS:
        need = f"{said}; {_MIN_OBSERVATIONS} observations are needed"
        return Excess(feature, fault, Level.INCONCLUSIVE, ours, theirs, need)
    excess = ours.share - theirs.share
    log_e = float(log_e_attribution(ours.total, ours.faulty, theirs.total, theirs.faulty, tolerated_ratio=1.0)[0])
    beyond = ours.faulty >= _MIN_FAULTS and log_e >= -math.log(share_of_alpha(alpha, questions=questions, look=look))
    level = Level.CLEAR
    if beyond and excess > limit / 2:
        level = Level.ACT if excess > limit else Level.WARN
        said = f"{said}; chance explains that {sentences.trials(log_e)}"
    return Excess(feature, fault, level, ours, theirs, said)
