"""When a wait is over: a pure function from what is seen to an ending."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from seatrial.api.status import Outcome, Phase
from seatrial.judge.types import Verdict

if TYPE_CHECKING:
    from seatrial.cli.plugin.view import View

__all__ = ["Ending", "Until", "Waiting"]


class Until(StrEnum):
    """What can be waited for."""

    PROMOTED = "promoted"
    """The version has all requests; it may still be watched."""
    SETTLED = "settled"
    """The version is stable: its watch is over, too."""
    HEALTHY = "healthy"
    """The version on trial is found Healthy, or is promoted already."""
    ROLLED_BACK = "rolled-back"
    """The version is rolled back."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a wait ended.

    Attributes
    ----------
    reached
        Whether what was waited for has come.
    sentence
        What has come, in plain words.
    """

    reached: bool
    sentence: str


GOOD = frozenset({Outcome.PROMOTED, Outcome.DEPLOYED, Outcome.RETURNED})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A wait for the version that was wished when it began.

    Attributes
    ----------
    until
        What is waited for.
    version
        Hash of the version; None until the operator has taken up the spec.
    """

    until: Until
    version: str | None = None

    def look(self, view: View | None) -> tuple[Waiting, Ending | None]:
        """Look at what is there now; None when the object is gone."""
        if view is None:
            return self, Ending(reached=False, sentence="the ModelDeployment was deleted")
        if not view.current:
            return self, None  # the status speaks of an older spec
        candidate = view.status.candidate
        if candidate and self.version in {None, candidate.hash}:
            return Waiting(self.until, candidate.hash), self._on_trial(view)
        return self, self._over(view)

    def _on_trial(self, view: View) -> Ending | None:
        status = view.status
        if self.until is Until.PROMOTED and status.phase is Phase.WATCHING:
            return Ending(reached=True, sentence=status.summary)
        tested = status.phase in {Phase.TRIAL, Phase.WATCHING}
        if self.until is Until.HEALTHY and tested and status.verdict == Verdict.Healthy:
            return Ending(reached=True, sentence=status.summary)
        return None

    def _over(self, view: View) -> Ending | None:
        """Tell how the version fared, by the history; without a trial, by what the operator says of the wish."""
        status = view.status
        if self.version is None:
            outcome = {"Complete": Outcome.PROMOTED, "RolledBack": Outcome.ROLLED_BACK}.get(view.reason("Progressing"))
            sentence = status.summary
        else:
            fate = next((entry for entry in status.history if entry.hash == self.version), None)
            outcome = fate.outcome if fate else Outcome.SUPERSEDED
            sentence = f"version {fate.label}: {fate.sentence}" if fate else "another version has taken its place"
        if outcome is None:
            return None
        wanted = {Outcome.ROLLED_BACK} if self.until is Until.ROLLED_BACK else GOOD
        return Ending(reached=outcome in wanted, sentence=sentence)
