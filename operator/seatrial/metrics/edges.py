"""Bucket edges of histograms that are not there, or not as they are usually spelled.

A threshold that is no edge matches no bucket, which would read as "no request was fast enough" for ever; and ``le="1"``
matches nothing where the server says ``1.0``. So edges are compared as numbers, and a missing one is looked for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from seatrial.metrics.book import Book, Owner, owner_of
from seatrial.metrics.queries import any_of, spellings
from seatrial.metrics.selector import EDGE, Selector, edge_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.metrics.reader import Client


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
    The books to read again, because one of their edges turned out to be spelled in an unusual way.
    """
    missing = [(book, account, bucket) for book in books for account, bucket in book.without_edge()]
    if not missing:
        return []
    found: dict[tuple[Owner, str], set[str]] = {}
    promql = _every_edge({bucket.metric for _, _, bucket in missing}, {book.owner.version for book, _, _ in missing})
    for series in await client.query(promql, now_s):
        labels = series["metric"]
        found.setdefault((owner_of(labels), labels["__name__"]), set()).add(labels.get(EDGE, ""))
    again = []
    for book, account, bucket in missing:
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
            book.refuse(account, _no_edge(bucket, texts))
        else:
            book.reread(account, passing=f"requests are counted, but {bucket.metric} has no series yet")
    return again


def _every_edge(metrics: Iterable[str], versions: Iterable[str]) -> str:
    return (
        f"group by (__name__, namespace, rollout_name, rollout_version, {EDGE}) "
        f'({{__name__=~"{any_of(sorted(metrics))}",rollout_version=~"{any_of(sorted(versions))}"}})'
    )


def _no_edge(bucket: Selector, texts: Iterable[str]) -> str:
    edges = sorted(edge for edge in map(edge_value, texts) if edge is not None and math.isfinite(edge))
    listed = ", ".join(f"{edge:g}" for edge in edges)
    return (
        f"no bucket of {bucket.metric} ends at {bucket.edge:g}, so it can't be told which requests were that fast; "
        f"its edges are {listed}: choose one of them as the threshold"
    )
