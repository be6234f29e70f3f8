"""Raw samples of one rollout over a range of the past, as the operator would have read them then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seatrial.metrics.errors import TooLarge
from seatrial.metrics.queries import any_of, spellings
from seatrial.metrics.selector import EDGE
from seatrial.metrics.targets import START, UP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from seatrial.metrics.counting import Counting
    from seatrial.metrics.reader import Client

Samples = list[tuple[float, str]]
"""(Unix time in seconds, value as Prometheus writes it), oldest first."""

_CHUNK_S: Final = 600.0
_SHORTEST_S: Final = 10.0


def everything_of(countings: Iterable[Counting], namespace: str, rollout: str) -> str:
    """Write the selector of all series that some SLIs of a rollout are counted from."""
    wanted = list(countings)
    metrics = sorted({metric for how in wanted for metric in how.metrics} | {UP, START})
    spelled = sorted({text for how in wanted for edge in how.edges for text in spellings(edge)})
    # Means need all edges, and which one counts instead of a threshold that is none shows only then.
    known = spelled and not any(how.spread or how.edge != "exact" for how in wanted)
    edges = f',{EDGE}=~"|{any_of(spelled)}"' if known else ""
    names = f'namespace=~"{any_of([namespace])}",rollout_name=~"{any_of([rollout])}"'
    return f'{{__name__=~"{any_of(metrics)}",{names}{edges}}}'


async def recall(
    client: Client, selector: str, start_s: float, end_s: float, progress: Callable[[float], None]
) -> list[tuple[Mapping[str, str], Samples]]:
    """Read all raw samples of a selector between two Unix times, a few minutes at a time.

    Parameters
    ----------
    client
        Whom to ask.
    selector
        Which series.
    start_s, end_s
        The range in Unix seconds.
    progress
        Told how many seconds of it were read.

    Raises
    ------
    Unavailable, BadQuery
        When Prometheus can't be read, or refuses the query.
    """
    found: dict[tuple[tuple[str, str], ...], tuple[Mapping[str, str], Samples]] = {}
    at_s, chunk_s = start_s, _CHUNK_S
    while at_s < end_s:
        until_s = min(at_s + chunk_s, end_s)
        try:
            answer = await client.query(f"{selector}[{round((until_s - at_s) * 1000)}ms]", until_s)
        except TooLarge:
            if chunk_s <= _SHORTEST_S:
                raise
            chunk_s /= 2
            continue
        for series in answer:
            labels = series["metric"]
            _, samples = found.setdefault(tuple(sorted(labels.items())), (labels, []))
            newest_s = samples[-1][0] if samples else float("-inf")
            # Prometheus 2 gives the sample at the beginning of a range again, Prometheus 3 doesn't.
            samples += [(when_s, value) for when_s, value in series["values"] if when_s > newest_s]
        progress(until_s - at_s)
        at_s = until_s
    return list(found.values())
