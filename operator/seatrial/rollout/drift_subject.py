"""Whom a look at drift is about, when it is due, and what has to be counted for it.

During a trial, candidate and stable are compared over the same stretch of time: the longest one of 30 s, 1, 2, 4, …
minutes within the trial, so that stretches are shared by all rollouts. Stable is compared with its training profile
over the whole window, at rest and during a trial, and that with the same stretch some time ago when there is a usual
level: of the version that served then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seatrial.api.status import Outcome, Phase
from seatrial.judge.drift.blame import Dealing
from seatrial.metrics.drift_types import DriftAsk, Stretch

if TYPE_CHECKING:
    from seatrial.api.drift import Drift
    from seatrial.api.status import ModelDeploymentStatus

LOOK_S: Final = 30.0
"""Seconds between two looks during a trial."""
LOOKS_PER_WINDOW: Final = 12
"""Looks at each window at rest."""
_BECAME_STABLE: Final = frozenset({Outcome.DEPLOYED, Outcome.PROMOTED, Outcome.RETURNED})


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
    served
        Versions that became stable, with the Unix seconds when they did, the newest first.
    """

    namespace: str
    rollout: str
    stable: str
    candidate: str | None = None
    weighted_at: float = 0.0
    dealing: Dealing = Dealing.RANDOM
    served: tuple[tuple[str, float], ...] = ()

    @property
    def version(self) -> str:
        """The version that is judged."""
        return self.candidate or self.stable

    def served_at(self, at_s: float) -> str:
        """Tell which version served at a time: what is usual is the world's, whatever version saw it."""
        return next((version for version, since_s in self.served if since_s <= at_s), self.stable)


def subject_of(namespace: str, rollout: str, status: ModelDeploymentStatus) -> Subject | None:
    """Say whom a look is about: candidate and stable during a trial, else the version that serves alone."""
    trial, candidate = status.trial, status.candidate
    if not status.stable:
        return None
    served = tuple((entry.hash, entry.ended_at) for entry in status.history if entry.outcome in _BECAME_STABLE)
    if not candidate or not trial or trial.weighted_at is None or status.phase is Phase.STARTING:
        return Subject(namespace, rollout, status.stable.hash, served=served)
    if status.phase is not Phase.TRIAL:
        return Subject(namespace, rollout, candidate.hash, served=served)
    step = trial.plan.steps[trial.step_index]
    chosen = trial.plan.sticky or step.preview or step.experiment
    dealing = Dealing.CHOSEN if chosen else Dealing.RANDOM
    return Subject(namespace, rollout, status.stable.hash, candidate.hash, trial.weighted_at, dealing, served)


def look_every_s(drift: Drift, subject: Subject) -> float:
    """Tell how often to look: twice a minute during a trial, twelve times in each window at rest."""
    return LOOK_S if subject.candidate else max(LOOK_S, drift.window / LOOKS_PER_WINDOW)


def ask_for(drift: Drift, subject: Subject, now_s: float) -> DriftAsk:
    """Say what has to be counted for a look."""
    stretches: dict[str, frozenset[Stretch]] = {subject.stable: frozenset({Stretch(round(drift.window))})}

    def add(version: str, stretch: Stretch) -> None:
        stretches[version] = stretches.get(version, frozenset()) | {stretch}

    if drift.usual:
        add(subject.served_at(now_s - drift.usual.ago), Stretch(round(drift.window), round(drift.usual.ago)))
    both = within(drift, subject, now_s)
    if subject.candidate and both:
        add(subject.candidate, both)
        add(subject.stable, both)
    return DriftAsk(subject.namespace, subject.rollout, stretches)


def within(drift: Drift, subject: Subject, now_s: float) -> Stretch | None:
    """Find the longest shared stretch of time within a trial; None while it is younger than one look."""
    age_s = min(now_s - subject.weighted_at, drift.window)
    if not subject.candidate or age_s < LOOK_S:
        return None
    return Stretch(int(LOOK_S) << (int(age_s // LOOK_S).bit_length() - 1))
