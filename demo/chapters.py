"""What the demo tells: four versions, and how the trial of each must end."""

from dataclasses import dataclass

from demo.kubectl import JsonObject


class WrongTurnError(Exception):
    """The story went differently from what the demo tells."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One version, and how its trial must end.

    Attributes
    ----------
    version
        `spec.model.version`, and the name of its manifest.
    title
        What it is, in a few words.
    outcome
        The outcome in `status.history`.
    objective
        The objective that must have decided, named in the history's sentence; empty when none.
    deadline_s
        Seconds from `kubectl apply` within which it must have ended.
    """

    version: str
    title: str
    outcome: str
    objective: str = ""
    deadline_s: float = 120.0


FIRST = Chapter("1", "naive Bayes", "Deployed")
REST = (
    Chapter("2", "logistic regression", "Promoted", deadline_s=150.0),
    Chapter("3", "5 % errors", "RolledBack", "availability"),
    Chapter("4", "400 ms slower", "RolledBack", "latency"),
)
TITLES = {chapter.version: chapter.title for chapter in (FIRST, *REST)}


def newest(deployment: JsonObject) -> JsonObject:
    """Read the newest entry of a ModelDeployment's history; empty when there is none."""
    history: list[JsonObject] = deployment.get("status", {}).get("history", [])
    return history[0] if history else {}


def check(chapter: Chapter, entry: JsonObject) -> None:
    """Compare a version's entry in the history with what the story tells.

    Raises
    ------
    WrongTurnError
        Another outcome, or another reason for it.
    """
    outcome, sentence = entry["outcome"], entry["sentence"]
    if outcome != chapter.outcome:
        raise WrongTurnError(f"version {chapter.version} was to be {chapter.outcome} and is {outcome}: {sentence}")
    if chapter.objective not in sentence:
        wish = f"version {chapter.version} was to fail its {chapter.objective} objective"
        raise WrongTurnError(f"{wish}; the reason given is: {sentence}")
