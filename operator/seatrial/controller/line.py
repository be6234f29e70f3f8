"""The line of wishes that wait for their trial, read from the statuses of all ModelDeployments: no request is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.api.fields import parse_time
from seatrial.api.status import UNDERWAY
from seatrial.rollout.queue import Place, waits

if TYPE_CHECKING:
    from seatrial.controller.cache import Cache, Key


class Line:
    """Lets so many trials run at the same time; 0 sets no limit."""

    def __init__(self, cache: Cache, limit: int) -> None:
        self._cache = cache
        self._limit = limit

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self._limit > 0

    def queued(self, key: Key) -> str | None:
        """Say for what a new trial of a ModelDeployment has to wait; None when it need not."""
        if not self.limited:
            return None
        running, mine, line = 0, None, []
        for raw in self._cache.all("ModelDeployment"):
            meta, status = raw["metadata"], raw.get("status") or {}
            if "deletionTimestamp" in meta:
                continue
            running += status.get("phase") in UNDERWAY
            if place := status.get("queued"):
                line.append(Place(parse_time(place["since"]), meta["namespace"], meta["name"]))
                mine = line[-1] if (meta["namespace"], meta["name"]) == tuple(key) else mine
        return waits(mine, line, running, self._limit)
