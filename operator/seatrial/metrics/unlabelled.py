"""Pods that Prometheus scrapes without saying which version they belong to: their counts would be nobody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from seatrial.metrics.queries import any_of
from seatrial.metrics.targets import UP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seatrial.metrics.book import Book, Owner
    from seatrial.metrics.reader import Client

# For so long nothing is asked: another job of Prometheus may have found the pods before the one that labels them.
_PATIENCE_S: Final = 15.0


class Unlabelled:
    """Looks for the pods of versions that have no scrape target, by the names that their Deployments give them."""

    def __init__(self) -> None:
        self._missing_s: dict[Owner, float] = {}
        self.pods: dict[Owner, tuple[str, ...]] = {}
        """Names of the scraped pods without labels, by the version that they must belong to."""

    async def look(self, client: Client, books: Iterable[Book], now_s: float) -> None:
        """Ask once for all versions that have been without a target for a while; not at all when there are none.

        Parameters
        ----------
        client
            Whom to ask.
        books
            All versions that are read, up to date.
        now_s
            Unix time in seconds.
        """
        missing = {book.owner for book in books if not book.targets_up(now_s)}
        self._missing_s = {owner: self._missing_s.get(owner, now_s) for owner in missing}
        overdue = sorted(owner for owner, since_s in self._missing_s.items() if now_s - since_s >= _PATIENCE_S)
        self.pods = {}
        if not overdue:
            return
        prefixes = [f"{owner.rollout}-{owner.version}-" for owner in overdue]
        promql = (
            f'group by (namespace, pod) ({{__name__=~"{UP}",rollout_version=~"",pod=~"({any_of(prefixes)}).+"}} == 1)'
        )
        scraped = [series["metric"] for series in await client.query(promql, now_s)]
        for owner, prefix in zip(overdue, prefixes, strict=True):
            names = sorted(
                labels["pod"]
                for labels in scraped
                if labels["pod"].startswith(prefix) and labels.get("namespace", owner.namespace) == owner.namespace
            )
            if names:
                self.pods[owner] = tuple(names)
