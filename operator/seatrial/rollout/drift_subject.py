"""Whom a look at drift is about, when it is due, and what has to be counted for it.

During a trial, candidate and stable are compared over the same stretch of time: the longest one of 30 s, 1, 2, 4, …
minutes within the trial, so that stretches are shared by all rollouts. Stable is compared with its training profile
over the whole window, at rest and during a trial, and that with the same stretch some time ago when there is a usual
level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seatrial.api.status import Phase
from seatrial.judge.drift.blame import Dealing
from seatrial.metrics.drift_types import DriftAsk, Stretch

if TYPE_CHECKING:
    from seatrial.api.drift import Drift
    from seatrial.api.status import ModelDeploymentStatus

LOOK_S: Final = 30.0
"""Seconds between two looks during a trial."""
LOOKS_PER_WINDOW: Final = 12
"""Looks at each window at rest."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The versions that a look is about.

    Attributes
    ----------
    namespace, rollout
        The ModelDeployment.
    stable, candidate
        Hashes; no candidate while nothing on trial gets weight.
    weighted_at
        When the candidate got its first weight, Unix seconds.
    dealing
        How requests are dealt to both.
    """

    namespace: str
    rollout: str
    stable: str
    candidate: str | None = None
    weighted_at: float = 0.0
    dealing: Dealing = Dealing.RANDOM

    @property
    def version(self) -> str:
        """The version that is judged."""
        return self.candidate or self.stable


def subject_of(namespace: str, rollout: str, status: ModelDeploymentStatus) -> Subject | None:
    """Say whom a look is about: candidate and stable during a trial, else the version that serves alone."""
    trial, candidate = status.trial, status.candidate
    if not status.stable:
        return None
    if not candidate or not trial or trial.weighted_at is None or status.phase is Phase.STARTING:
        return Subject(namespace, rollout, status.stable.hash)
    if status.phase is not Phase.TRIAL:
        return Subject(namespace, rollout, candidate.hash)
    step = trial.plan.steps[trial.step_index]
    chosen = trial.plan.sticky or step.preview or step.experiment
    dealing = Dealing.CHOSEN if chosen else Dealing.RANDOM
    return Subject(namespace, rollout, status.stable.hash, candidate.hash, trial.weighted_at, dealing)


def look_every_s(drift: Drift, subject: Subject) -> float:
    """Tell how often to look: twice a minute during a trial, twelve times in each window at rest."""
    return LOOK_S if subject.candidate else max(LOOK_S, drift.window / LOOKS_PER_WINDOW)


def ask_for(drift: Drift, subject: Subject, now_s: float) -> DriftAsk:
    """Say what has to be counted for a look."""
    whole = Stretch(round(drift.window))
    stable = {whole}
    if drift.usual:
        stable.add(Stretch(whole.length_s, round(drift.usual.ago)))
    stretches = {subject.stable: frozenset(stable)}
    both = within(drift, subject, now_s)
    if subject.candidate and both:
        stretches = {subject.candidate: frozenset({both}), subject.stable: frozenset({*stable, both})}
    return DriftAsk(subject.namespace, subject.rollout, stretches)


def within(drift: Drift, subject: Subject, now_s: float) -> Stretch | None:
    """Find the longest shared stretch of time within a trial; None while it is younger than one look."""
    age_s = min(now_s - subject.weighted_at, drift.window)
    if not subject.candidate or age_s < LOOK_S:
        return None
    return Stretch(int(LOOK_S) << (int(age_s // LOOK_S).bit_length() - 1))
