"""What SLI templates mean, whatever the server: the names that a ModelSLO may use, and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a template counts.

    Attributes
    ----------
    good
        Completes the sentence "An event is good when …".
    threshold
        What the threshold of a template with a histogram is: a time, or a number in the unit of what is measured;
        None for a template of plain counters.
    events
        What is counted. Only requests can tell how the router splits them.
    in_runs
        Whether bad events come in runs, so that slices of time are counted and not events.
    where
        Labels that ``where`` must name, because a template counts nothing in particular without them.
    """

    good: str
    threshold: Literal["time", "number"] | None = None
    where: tuple[str, ...] = ()
    events: Literal["requests", "tokens", "values", "checks", "labels", "comparisons"] = "requests"
    in_runs: bool = False

    @property
    def example(self) -> str:
        """Write what ``where`` must name, as in a ModelSLO; empty when it need not name anything."""
        return f"{{{', '.join(f'{label}: …' for label in self.where)}}}" if self.where else ""


MEANINGS: Final[dict[str, Meaning]] = {
    "http-availability": Meaning("the server did not fail it; a request that was wrong itself is good"),
    "http-latency": Meaning("it was answered within the threshold", "time"),
    "time-to-first-token": Meaning("its first token came within the threshold", "time"),
    "inter-token-latency": Meaning(
        "the token came within the threshold after the one before it", "time", events="tokens"
    ),
    "time-per-output-token": Meaning("the tokens of its answer took at most the threshold each, on average", "time"),
    "generation-errors": Meaning("the answer was generated to its end; those that a client gave up are left out"),
    "generation-aborts": Meaning("the client did not give up before the answer was complete"),
    "feature-missing": Meaning("the feature had a usable value", events="values"),
    "feature-out-of-range": Meaning("the feature's value was one that the training knew", events="values"),
    "feature-freshness": Meaning(
        "the features were no older than the threshold when they were used", "time", events="values", in_runs=True
    ),
    "prediction-outcome": Meaning("the prediction was a usable one: neither invalid nor a default", events="values"),
    "slice-outcome": Meaning(
        "the prediction for this slice was a usable one: neither invalid nor a default",
        where=("slice_name", "slice"),
        events="values",
    ),
    "shadow-agreement": Meaning(
        "the answer to the mirrored request agreed with the one that the client got", events="comparisons"
    ),
    "label-accuracy": Meaning("the prediction turned out to be right", events="labels"),
    "slice-accuracy": Meaning(
        "the prediction for this slice turned out to be right", where=("slice_name", "slice"), events="labels"
    ),
    "label-absolute-error": Meaning("the prediction was off by at most the threshold", "number", events="labels"),
    "check": Meaning("the check had the result good", where=("check",), events="checks"),
}
"""By name of the template, in the order in which they are explained."""

TIMED: Final = tuple(name for name, meaning in MEANINGS.items() if meaning.threshold == "time")
"""Templates whose threshold is a time."""
MEASURED: Final = tuple(name for name, meaning in MEANINGS.items() if meaning.threshold == "number")
"""Templates whose threshold is a number."""
LABELLED: Final = frozenset(name for name, meaning in MEANINGS.items() if meaning.events == "labels")
"""Templates that count labels, which come late."""
IN_RUNS: Final = tuple(name for name, meaning in MEANINGS.items() if meaning.in_runs)
"""Templates that are counted in slices of time."""
BESIDE: Final = frozenset(name for name, meaning in MEANINGS.items() if meaning.events != "requests")
"""Templates whose events are no requests."""
