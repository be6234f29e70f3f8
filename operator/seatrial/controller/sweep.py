"""Find out what went while nobody watched.

A watch that breaks goes on from where it was, and misses nothing. When the API server no longer remembers that place
(it was restarted, or the break was long), everything is listed anew instead. What is gone is just not in the list, and
no event tells of it. So after such a listing the cache is compared with the cluster once.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from seatrial.controller.cache import owner_of
from seatrial.kube.errors import KubeError
from seatrial.kube.workloads import MODEL_LABEL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from seatrial.controller.cache import Cache, Raw
    from seatrial.controller.telemetry import Telemetry
    from seatrial.kube.client import Kube

STARTING_S = 60.0
"""Listings in the first seconds are the first ones: the cache was empty before, so it holds nothing that went."""
SETTLES_S = 5.0
"""Listings of several kinds come together and are answered by one comparison."""


class Sweeper:
    """Compares the cache with the cluster when asked to."""

    def __init__(
        self,
        kube: Kube,
        cache: Cache,
        telemetry: Telemetry,
        kinds: Collection[str],
        namespaces: Collection[str],
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._telemetry = telemetry
        self._kinds = kinds
        self._namespaces = namespaces or (None,)
        self._started_s = time.monotonic()
        self._asked = asyncio.Event()

    def listed(self) -> None:
        """Note that something was listed, not watched."""
        if time.monotonic() - self._started_s >= STARTING_S:
            self._asked.set()

    async def run(self, gone: Callable[[str, Raw], Awaitable[None]]) -> None:
        """Wait for listings and tell ``gone`` of each object that went, by kind, until cancelled."""
        while True:
            await self._asked.wait()
            await asyncio.sleep(SETTLES_S)
            self._asked.clear()
            try:
                for kind in self._kinds:
                    for raw in await self.vanished(kind):
                        await gone(kind, raw)
            except KubeError as error:
                self._telemetry.kube_error(None, error)
                self._asked.set()

    async def vanished(self, kind: str) -> list[Raw]:
        """Find the objects of a kind that are in the cache and no longer in the cluster.

        Only what was in the cache before the cluster is read can be missed in it. Children without our label are left
        out: they are not ours, and not in the list.
        """
        own = kind in {"ModelDeployment", "ModelSLO"}
        known = {raw["metadata"]["uid"]: raw for raw in self._cache.all(kind) if own or owner_of(kind, raw)}
        for namespace in self._namespaces:
            for raw in await self._kube.list(kind, namespace, "" if own else MODEL_LABEL):
                known.pop(raw["metadata"]["uid"], None)
        return list(known.values())
