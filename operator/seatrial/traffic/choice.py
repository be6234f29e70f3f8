"""The router that a ModelDeployment asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.traffic.httproute import HttpRouteRouter
from seatrial.traffic.replicas import ReplicaRouter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.rollout.decision import Division
    from seatrial.rollout.world import RouteView
    from seatrial.traffic.router import Change, Router, Seen

    Raw = Mapping[str, Any]

ROUTERS: Mapping[str, Router] = {"gateway": HttpRouteRouter(), "service": ReplicaRouter()}
"""By their key in ``spec.traffic``."""


class ChosenRouter:
    """A :class:`~seatrial.traffic.router.Router` that leaves it to the one in ``spec.traffic``."""

    def changes(self, owner: Raw, division: Division, seen: Seen) -> tuple[Change, ...]:
        """Ask the chosen router; once what it made is in force, what others have made is taken away."""
        mine, others = _routers(owner)
        found = mine.changes(owner, division, seen)
        view = mine.read(owner, seen)
        if found or not division.weights or not view or not view.programmed:
            return found
        return tuple(change for other in others for change in other.release(owner, seen))

    def read(self, owner: Raw, seen: Seen) -> RouteView | None:
        """Ask the chosen router."""
        return _routers(owner)[0].read(owner, seen)

    def release(self, owner: Raw, seen: Seen) -> tuple[Change, ...]:
        """Take away what any router has made."""
        return tuple(change for router in ROUTERS.values() for change in router.release(owner, seen))


def _routers(owner: Raw) -> tuple[Router, list[Router]]:
    chosen = "service" if "service" in owner["spec"]["traffic"] else "gateway"
    return ROUTERS[chosen], [router for key, router in ROUTERS.items() if key != chosen]
