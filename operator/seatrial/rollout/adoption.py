"""Handing a model over from a Deployment of the user's own, the *incumbent*, to versions, and back. Pure.

Theory: a proxy must know a backend before it gets weight, and until it has drained. So each way has the same three
steps: both stand in the route and one of them has everything; then the other has; then the first one leaves the route.
No step is taken before the gateway was seen to have taken the one before, and what serves next is ready.

=========== ========================== ================================= ==========
state       the route leads to         is over when it has done so for   next
=========== ========================== ================================= ==========
Waiting     incumbent, versions at 0   ``SETTLES_S``, stable ready       Moved
Moved       versions, incumbent at 0   the drain time                    Adopted
Adopted     versions; incumbent goes
Returning   versions, incumbent at 0   ``SETTLES_S``, incumbent ready    MovedBack
MovedBack   incumbent, versions at 0   the drain time                    Restored
Restored    incumbent                  at once                           Returned
Returned    (is left alone)
=========== ========================== ================================= ==========

The route writes an incumbent down as it does a fallback: both are a Service that answers instead of versions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.api.status import Adopting, Adoption
from seatrial.rollout.decision import Division, Fallback
from seatrial.rollout.world import Wish

if TYPE_CHECKING:
    from seatrial.api.status import ModelDeploymentStatus
    from seatrial.rollout.world import Incumbent, World

SETTLES_S = 2.0
"""Seconds from the gateway's word that it knows a backend until every proxy does."""
LOOK_S = 1.0
"""Seconds between two looks while something is handed over; the incumbent's pods wake nobody."""

_NEXT = {
    Adopting.WAITING: Adopting.MOVED,
    Adopting.MOVED: Adopting.ADOPTED,
    Adopting.RETURNING: Adopting.MOVED_BACK,
    Adopting.MOVED_BACK: Adopting.RESTORED,
}
_ENDS = frozenset({Adopting.ADOPTED, Adopting.RETURNED})
_BACK = frozenset({Adopting.RETURNING, Adopting.MOVED_BACK, Adopting.RESTORED, Adopting.RETURNED})


def underway(status: ModelDeploymentStatus) -> bool:
    """Tell whether something is being handed over."""
    return status.adoption is not None and not at_rest(status.adoption)


def at_rest(now: Adoption) -> bool:
    """Tell whether one end is reached: the incumbent's pods were seen to be gone, or it was told that it has all."""
    return now.state in _ENDS and now.since is not None


def follow(status: ModelDeploymentStatus, world: World, asked: Division, drain_s: float) -> ModelDeploymentStatus:
    """Take the next step of a handing over when it is due.

    Parameters
    ----------
    status, world
        What is remembered and what was seen.
    asked
        How requests are to be divided by this status.
    drain_s
        Seconds that answers in flight are waited for.
    """
    seen, now = world.incumbent, status.adoption
    if not seen:
        return replace(status, adoption=None)
    if not now:  # or the status was lost: then the route leads to versions already
        serves = world.route is not None and any(world.route.weights.values())
        now = Adoption(Adopting.ADOPTED if serves else Adopting.WAITING)
    if seen.problem:
        return replace(status, adoption=now)
    if now.state not in _BACK:
        now = replace(now, replicas=seen.pods or now.replicas)
        if seen.leaving:
            has_all = now.state is Adopting.WAITING and seen.ready
            back = Adopting.MOVED_BACK if has_all else Adopting.RETURNING
            return replace(status, adoption=Adoption(back, now.replicas))
    now = replace(now, since=(now.since or world.now_s) if _as_asked(status, now, seen, world, asked) else None)
    due = _due(now, world, drain_s)
    return replace(status, adoption=_next(now, seen, due=due, routed=bool(world.route and world.route.weights)))


def _next(now: Adoption, seen: Incumbent, *, due: bool, routed: bool) -> Adoption:
    """Take the next step, or none; there is no way back to who is gone, nor for requests that were never moved."""
    if now.state in _ENDS:
        return now
    if now.state in _BACK and (seen.pods is None or not routed):
        return Adoption(Adopting.RETURNED, now.replicas)
    return Adoption(_NEXT[now.state], now.replicas) if due else now


def _as_asked(status: ModelDeploymentStatus, now: Adoption, seen: Incumbent, world: World, asked: Division) -> bool:
    """Tell whether the route is as the state asks for, and whoever serves next is ready."""
    if now.state in _ENDS:
        return now.state is Adopting.RETURNED or not seen.pods
    if not world.route or not asked.weights or not (world.route.programmed and world.route.carries(asked)):
        return False
    if now.state is Adopting.WAITING:
        return bool(status.stable and world.ready(status.stable.hash))
    return now.state is not Adopting.RETURNING or bool(seen.pods and seen.ready >= seen.pods)


def _due(now: Adoption, world: World, drain_s: float) -> bool:
    """Tell whether all has been as the state asks for long enough."""
    lasts_s = SETTLES_S if now.state in {Adopting.WAITING, Adopting.RETURNING} else drain_s
    return now.since is not None and world.now_s - now.since >= lasts_s


def divided(status: ModelDeploymentStatus, world: World, division: Division) -> Division:
    """Write the incumbent into a division of requests, as far as the handing over is."""
    now, seen = status.adoption, world.incumbent
    if not now or not seen or now.state is Adopting.ADOPTED:
        return division
    if now.state is Adopting.RETURNED:
        return Division({})
    if now.state is Adopting.RESTORED:
        return Division({}, fallback=Fallback(seen.service, seen.port, active=True))
    if not division.weights:
        return division
    served = any(weight and world.ready(version) for version, weight in division.weights.items())
    its_turn = now.state is Adopting.MOVED_BACK or (now.state is Adopting.WAITING and seen.ready > 0)
    return replace(division, fallback=Fallback(seen.service, seen.port, active=its_turn or not served))


def pods(status: ModelDeploymentStatus, world: World) -> int | None:
    """Tell how many pods the incumbent is to have; None leaves it as it is.

    It is scaled down once. Who scales it up later has a reason, and is not fought with.
    """
    now, seen = status.adoption, world.incumbent
    if not now or not seen or seen.pods is None:
        return None
    named = world.route is None or (world.route.fallback is not None and world.route.fallback.name == seen.service)
    if now.state is Adopting.ADOPTED and seen.pods and not named:
        return 0
    if now.state is Adopting.RETURNING and not seen.pods:
        return now.replicas or (world.wish.replicas if isinstance(world.wish, Wish) else 1)
    return None


def held(status: ModelDeploymentStatus, world: World) -> bool:
    """Tell whether the end of the ModelDeployment has to wait, also for its last Event."""
    now, seen = status.adoption, world.incumbent
    returned = now is not None and now.state is Adopting.RETURNED and at_rest(now)
    return seen is not None and seen.hand_back and not returned


def told(now: Adoption, seen: Incumbent) -> tuple[str, str, str]:
    """Say how far the handing over is: status, reason and message of the condition Adopted."""
    name = f"Deployment {seen.deployment}"
    if now.state is Adopting.ADOPTED and not at_rest(now):
        return "False", "IncumbentLeaves", f"versions answer all requests; {name} is being scaled to 0 pods"
    if seen.problem:
        return "Unknown", "IncumbentUnknown", seen.problem
    return {
        Adopting.WAITING: ("False", "AdoptionWaits", f"{name} serves until a version is ready"),
        Adopting.MOVED: ("False", "RequestsMoved", f"versions answer all requests; {name} answers what is in flight"),
        Adopting.ADOPTED: ("True", "Adopted", f"versions answer all requests, and {name} was scaled to 0 pods"),
        Adopting.RETURNING: (
            "False",
            "HandingBack",
            f"{seen.ready} of {seen.pods or now.replicas} pods of {name} are ready",
        ),
        Adopting.MOVED_BACK: ("False", "RequestsMovedBack", f"{name} answers all requests; versions what is in flight"),
        Adopting.RESTORED: ("False", "RouteGivenBack", f"the HTTPRoute leads to {name} alone again"),
        Adopting.RETURNED: ("False", "HandedBack", f"nothing of {name} is needed here any more"),
    }[now.state]
