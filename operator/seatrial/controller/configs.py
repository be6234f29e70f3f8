"""Know what the ConfigMaps and Secrets of a template hold, without a right to watch or list them.

They are read by name: at once when the spec has changed, and again after a while to notice that somebody edited them.
Only hashes are kept. See docs/adr/0027-config-is-read-by-name.md.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.kube.config import content_of, references
from seatrial.kube.errors import KubeError, Refused
from seatrial.rollout.world import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.controller.cache import Cache, Key, Raw
    from seatrial.controller.telemetry import Telemetry
    from seatrial.kube.client import Kube
    from seatrial.rollout.versions import Content, Reference

    Found = tuple[Content, ...] | Refusal

NOTHING: tuple[Content, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What a spec (its uid and generation) refers to, and what that holds."""

    spec: tuple[str, int]
    references: tuple[Reference, ...]
    found: Found


class Configs:
    """Reads the configuration of versions."""

    def __init__(
        self, kube: Kube, cache: Cache, telemetry: Telemetry, wake: Callable[[Key], None], period_s: float
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._telemetry = telemetry
        self._wake = wake
        self._period_s = period_s
        self._known: dict[Key, _Known] = {}

    async def contents(self, key: Key, raw: Raw) -> Found:
        """Tell what the ConfigMaps and Secrets of a spec hold, or why that can't be told."""
        spec = (raw["metadata"]["uid"], raw["metadata"]["generation"])
        known = self._known.get(key)
        if known is None or known.spec != spec:
            wanted = tuple(sorted(_wanted(raw["spec"]), key=lambda one: (one.kind, one.name)))
            found = await self._read(key, wanted) if wanted else NOTHING
            known = self._known[key] = _Known(spec, wanted, found)
        return known.found

    def forget(self, key: Key) -> None:
        """Read anew the next time: the ModelDeployment is gone, or what was known turned out to be old."""
        self._known.pop(key, None)

    async def run(self) -> None:
        """Read again all that is referred to, once per period and spread over it, until cancelled."""
        while True:
            keys = [key for key, known in self._known.items() if known.references]
            if not keys:
                await asyncio.sleep(self._period_s)
            for key in keys:
                await asyncio.sleep(self._period_s / len(keys))
                try:
                    await self._again(key)
                except Exception:  # noqa: BLE001 - a bug met with one model must not end the reading for all others
                    self._telemetry.bug("/".join(key))

    async def _again(self, key: Key) -> None:
        known = self._known.get(key)
        if known is None:
            return
        found = await self._read(key, known.references)
        if self._known.get(key) is known and found != known.found:
            self._known[key] = _Known(known.spec, known.references, found)
            self._wake(key)

    async def _read(self, key: Key, wanted: tuple[Reference, ...]) -> Found:
        try:
            held = await asyncio.gather(*(self._kube.get(one.kind, key.namespace, one.name) for one in wanted))
        except Refused as error:
            way_out = "give the operator the right to get it, or name it in spec.liveConfig"
            return Refusal("ConfigUnreadable", f"{error.sentence.rstrip('.')}: {way_out}")
        except KubeError as error:
            return Refusal("ConfigUnreadable", error.sentence)
        for one, live in zip(wanted, held, strict=True):
            if live is None and not one.optional:
                where = f"{one.kind} {key.namespace}/{one.name}"
                return Refusal("ConfigMissing", f"{where} doesn't exist, and the template needs it: create it")
        return tuple(content_of(one, live) for one, live in zip(wanted, held, strict=True))


def _wanted(spec: dict[str, Any]) -> set[Reference]:
    """Leave out what its owners want to be read as it is at any time."""
    live = {(entry.get("kind"), entry.get("name")) for entry in spec.get("liveConfig") or ()}
    template = spec.get("template") or {}
    return {one for one in references(template) if (one.kind, one.name) not in live}
