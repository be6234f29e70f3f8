"""Bucket edges of histograms that are not there, or not as they are usually spelled.

A threshold that is no edge matches no bucket, which would read as "no request was fast enough" for ever; and ``le="1"``
matches nothing where the server says ``1.0``. So edges are compared as numbers, and a missing one is looked for. Where
an SLI says so, a neighbour of the threshold counts instead.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.metrics import templates
from seatrial.metrics.book import Book, Owner, owner_of
from seatrial.metrics.queries import OWNER, any_of, spellings
from seatrial.metrics.selector import EDGE, edge_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from seatrial.metrics.counting import Counting
    from seatrial.metrics.reader import Client
    from seatrial.metrics.types import Sli


async def look_for_edges(client: Client, books: Iterable[Book], known: set[str], now_s: float) -> list[Book]:
    """Look for bucket edges that are missing, with one query for all books, and none when no edge is missing.

    Parameters
    ----------
    client
        Whom to ask.
    books
        Those of the look that was just made. An SLI whose edge does not exist is refused in them.
    known
        Spellings that are read besides the usual ones; new ones are added.
    now_s
        Unix time in seconds.

    Returns
    -------
    The books to read again, because one of their edges turned out to be a neighbour, or to be spelled unusually.
    """
    missing = [(book, account, bucket) for book in books for account, bucket in book.without_edge()]
    if not missing:
        return []
    versions = {book.owner.version for book, _, _ in missing}
    found = await every_edge(client, {how.part.metric for _, _, how in missing}, now_s, versions)
    again = []
    for book, account, how in missing:
        bucket = how.part
        texts = found.get((book.owner, bucket.metric), set())
        same = {text for text in texts if edge_value(text) == bucket.edge}
        if same - known - spellings(bucket.edge or 0.0):
            known |= same
            book.reread(account)
            again.append(book)
        elif same:
            # The bucket exists, only not for the requests that were selected: none of them was good.
            account.has_part = True
        elif texts:
            try:
                used = bracketed(how, map(edge_value, texts))
            except ValueError as error:
                book.refuse(account, str(error))
                continue
            known |= {text for text in texts if edge_value(text) == used.part.edge}
            book.recount(account, used, used_instead(how, used))
            again.append(book)
        else:
            book.reread(account, passing=f"requests are counted, but {bucket.metric} has no series yet")
    return again


async def tell_edges(client: Client, books: Iterable[Book], now_s: float) -> None:
    """Tell the accounts that want them the edges of their histograms, with one query for all that don't know them."""
    asking = [(book, account, how.part.metric) for book in books for account, how in book.without_spread()]
    if not asking:
        return
    versions = {book.owner.version for book, _, _ in asking}
    found = await every_edge(client, {metric for _, _, metric in asking}, now_s, versions)
    for book, account, metric in asking:
        account.edges = thresholds(account.sli, found.get((book.owner, metric), ()))


def thresholds(sli: Sli, texts: Iterable[str]) -> tuple[str, ...]:
    """Write the edges of a template's histogram as thresholds of a ModelSLO, ascending; none for plain counters."""
    template = templates.find(sli.template, sli.server) if sli.template else None
    if not isinstance(template, templates.Histogram):
        return ()
    edges = {edge for text in texts if (edge := edge_value(text)) is not None and math.isfinite(edge) and edge > 0}
    return tuple(template.threshold(edge) for edge in sorted(edges))


async def every_edge(
    client: Client, metrics: Iterable[str], now_s: float, versions: Iterable[str] = ()
) -> Mapping[tuple[Owner, str], set[str]]:
    """Ask for all bucket edges of histograms, as they are spelled, by version and metric; of all versions by default.

    Raises
    ------
    Unavailable, BadQuery
        When Prometheus can't be asked.
    """
    whose = f'rollout_version=~"{any_of(sorted(versions))}"' if versions else 'rollout_version!=""'
    promql = f'group by (__name__, {OWNER}, {EDGE}) ({{__name__=~"{any_of(sorted(metrics))}",{whose}}})'
    found: dict[tuple[Owner, str], set[str]] = {}
    for series in await client.query(promql, now_s):
        labels = series["metric"]
        found.setdefault((owner_of(labels), labels["__name__"]), set()).add(labels.get(EDGE, ""))
    return found


def bracketed(how: Counting, found: Iterable[float | None]) -> Counting:
    """Count at an edge that there is: the threshold itself, or else the neighbour that the SLI declares.

    Parameters
    ----------
    how
        How an SLI with a threshold is counted.
    found
        The edges that there are, in any order; what is no finite number is passed over.

    Raises
    ------
    ValueError
        With one sentence for the user when the threshold is no edge and no neighbour may stand in for it.
    """
    asked = how.part.edge or 0.0
    edges = sorted({edge for edge in found if edge is not None and math.isfinite(edge)})
    if asked in edges:
        return how
    below, above = [edge for edge in edges if edge < asked], [edge for edge in edges if edge > asked]
    neighbours = {"exact": [], "below": below[-1:], "above": above[:1]}[how.edge]
    if not neighbours:
        raise ValueError(_no_edge(how, edges))
    matchers = tuple(replace(m, value=repr(neighbours[0])) if m.label == EDGE else m for m in how.part.matchers)
    return replace(how, part=replace(how.part, matchers=matchers))


def used_instead(asked: Counting, used: Counting) -> str | None:
    """Say which edge counts instead of a threshold that is none, and what that means; None when it is one."""
    if used == asked:
        return None
    counts_as = "bad" if asked.edge == "below" else "good"
    return (
        f"no bucket of {asked.part.metric} ends at {asked.part.edge:g}, so {used.part.edge:g} counts, the edge "
        f"{asked.edge} it: what lies between counts as {counts_as}"
    )


def _no_edge(how: Counting, edges: Iterable[float]) -> str:
    listed = ", ".join(f"{edge:g}" for edge in edges)
    missing = f", and none {how.edge} it" if how.edge != "exact" else ""
    return (
        f"no bucket of {how.part.metric} ends at {how.part.edge:g}{missing}, so it can't be told which requests were "
        f"that fast; its edges are {listed}: choose one of them as the threshold"
    )
