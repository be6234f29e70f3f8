"""What every router can do: build its object for a division of traffic, and read one back. No I/O.

A router's object is applied server-side by whoever holds the connection (:meth:`seatrial.kube.client.Kube.apply`), and
goes with its ModelDeployment, which owns it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seatrial.rollout.world import RouteView


class Router(Protocol):
    """Divides the requests for a model among its versions."""

    kind: str
    """Kind of the object that carries the division, named like its ModelDeployment."""

    def build(
        self, owner: Mapping[str, Any], weights: Mapping[str, int], live: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Build the object that divides the requests so.

        Parameters
        ----------
        owner
            The ModelDeployment, raw.
        weights
            Percent of the requests by version hash; whole numbers that sum to 100. A version with weight 0 is named in
            the object all the same: a proxy must know it before it gets weight, and until it has drained.
        live
            The object as it is now, raw, or None when there is none: what other people put there stays.

        Raises
        ------
        ValueError
            If the weights are no division.
        Refused
            If an object of this name belongs to somebody else.
        """

    def read(self, owner: Mapping[str, Any], live: Mapping[str, Any]) -> RouteView:
        """Read the division that an object asks for, where it hangs, and whether its gateway has taken it."""
