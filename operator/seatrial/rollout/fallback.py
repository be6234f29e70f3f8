"""When the user's own fallback answers instead of the model.

Three things switch to it. No version has a ready pod: then, and as long as that is so. A person's command: until a
command takes it back. And, where ``fallback.afterPage`` asks for it, a burn at page level that lasted so long without a
candidate being to blame: a rollback could not help then. What the clock has switched a person takes back, as well:
without requests nothing tells whether the model is well again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.commands import Hold
from seatrial.api.fields import format_duration
from seatrial.judge.types import Verdict
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.decision import Fallback
    from seatrial.rollout.world import World

OPERATOR = "seatrial"
"""Who has switched when nobody has."""


def watch_pages(status: ModelDeploymentStatus, world: World) -> ModelDeploymentStatus:
    """Note since when requests burn at page level with no candidate to blame, and switch when that lasts too long."""
    blamed = status.candidate is not None and not any(e.verdict == Verdict.Environment for e in world.evidence)
    if not world.paging or blamed or status.fallback:
        return replace(status, paging_since=None)
    since = world.now_s if status.paging_since is None else status.paging_since
    status = replace(status, paging_since=since)
    after_s = world.wish.fallback_after_s if isinstance(world.wish, Wish) else None
    if after_s is None or world.now_s - since < after_s:
        return status
    hold = Hold(by=OPERATOR, at=world.now_s, reason=f"page-level burn for {format_duration(after_s)}: {world.paging}")
    return replace(status, fallback=hold, paging_since=None)


def fallback_of(status: ModelDeploymentStatus, world: World, weights: Mapping[str, int]) -> Fallback | None:
    """Tell which fallback stands in the route, and whether it answers."""
    known = world.route.fallback if world.route else None
    if isinstance(world.wish, Wish):
        known = world.wish.fallback
    if not known:
        return None
    served = any(weight and world.ready(version) for version, weight in weights.items())
    return replace(known, active=status.fallback is not None or not served)


def why_active(status: ModelDeploymentStatus) -> str:
    """Say why the fallback answers."""
    hold = status.fallback
    if not hold:
        return "no version has a ready pod"
    return f"{hold.by} switched to it" + (f": {hold.reason}" if hold.reason else "")


def switches_in_s(status: ModelDeploymentStatus, world: World) -> float | None:
    """Tell in how many seconds the fallback is switched to by itself, if nothing changes."""
    after_s = world.wish.fallback_after_s if isinstance(world.wish, Wish) else None
    if after_s is None or status.paging_since is None:
        return None
    return status.paging_since + after_s - world.now_s
