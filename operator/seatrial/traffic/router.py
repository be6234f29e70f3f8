"""What every router can do: say what has to change for a division of traffic, and read one back. No I/O.

A router's objects are written by whoever holds the connection (:class:`seatrial.kube.client.Kube`), in the order in
which they are named, and go with their ModelDeployment, which owns them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from seatrial.kube.workloads import MANAGED_BY, MODEL_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seatrial.rollout.decision import Division
    from seatrial.rollout.world import RouteView

    Raw = Mapping[str, Any]


ANNOTATION = "seatrial.dev/division"
"""On a router's object: what it was last made for and doesn't say otherwise."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one ModelDeployment's objects, raw.

    Attributes
    ----------
    routes
        HTTPRoutes by name: those with the ModelDeployment's label, and any that has its name.
    services
        Services by name: the same.
    pods
        Pods with the ModelDeployment's label.
    ports
        Port of the pods that serves predictions, by version.
    """

    routes: Mapping[str, Raw] = field(default_factory=dict)
    services: Mapping[str, Raw] = field(default_factory=dict)
    pods: Sequence[Raw] = ()
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply a manifest server-side; without ``force`` an object that somebody else made is left alone."""

    manifest: Raw
    force: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the very object that was seen."""

    kind: str
    live: Raw


@dataclass(frozen=True, slots=True)
class Label:
    """Set a label of a pod, or take it away (None)."""

    pod: Raw
    key: str
    value: str | None


Change = Apply | Remove | Label


class Router(Protocol):
    """Divides the requests for a model among its versions."""

    def changes(self, owner: Raw, division: Division, seen: Seen) -> tuple[Change, ...]:
        """Say what has to be written, in this order, so that requests are divided so; nothing when they are.

        Parameters
        ----------
        owner
            The ModelDeployment, raw.
        division
            How requests are to be divided. A version with weight 0 is named in the objects all the same: a proxy must
            know it before it gets weight, and until it has drained. Without weights everything stays as it is.
        seen
            The objects as they are now: what other people put there stays.

        Raises
        ------
        Refused
            If an object of a needed name belongs to somebody else, or the division can't be expressed.
        """

    def read(self, owner: Raw, seen: Seen) -> RouteView | None:
        """Read the division that the objects ask for, and whether the gateway has taken it; None without any."""

    def release(self, owner: Raw, seen: Seen) -> tuple[Change, ...]:
        """Say what has to be removed when another router serves the ModelDeployment from now on."""


def is_like(wanted: object, live: object) -> bool:
    """Tell whether an object is as a manifest wants it; what an API server adds by default doesn't count.

    Only ``filters`` that the manifest leaves out make a difference: they are the one thing that is taken out of rules.
    """
    if isinstance(wanted, dict) and isinstance(live, dict):
        stale = "filters" in live and "filters" not in wanted
        return not stale and all(key in live and is_like(value, live[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(is_like, wanted, live))
    return wanted == live


def belongs_to(owner: Raw, live: Raw) -> bool:
    """Tell whether an object is this ModelDeployment's: it made it, or one of its name did and left it an orphan.

    Deleting with ``--cascade=orphan`` takes the owner references away and leaves the labels.
    """
    meta = live["metadata"]
    references = meta.get("ownerReferences") or ()
    if any(reference["uid"] == owner["metadata"]["uid"] for reference in references):
        return True
    ours = {**MANAGED_BY, MODEL_LABEL: owner["metadata"]["name"]}
    return not references and ours.items() <= (meta.get("labels") or {}).items()
