"""Whether the API server vouches for the names under commands: the admission policy is installed and in force.

It is asked only while a command waits for its answer, so at rest nothing is read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from seatrial.api.fields import parse_time
from seatrial.kube.errors import KubeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seatrial.kube.client import Kube

NAME = "seatrial-commands"
"""Name of the policy and of its binding (``manifests/install/policy.yaml``)."""
SETTLES_S = 5.0
"""The API server enforces a policy some moments after it was made."""
KNOWN_FOR_S = 30.0
"""How long an answer is used again."""


class Attestation:
    """A cached answer to the question whether commands are signed with proven names.

    Parameters
    ----------
    kube
        The way to the API server.
    clock
        Tells Unix time in seconds.
    """

    def __init__(self, kube: Kube, clock: Callable[[], float]) -> None:
        self._kube = kube
        self._clock = clock
        self._known: tuple[float, bool] | None = None

    async def holds(self) -> bool:
        """Tell whether policy and binding are in force; no, too, when they can't be read."""
        now_s = self._clock()
        if self._known and 0 <= now_s - self._known[0] < KNOWN_FOR_S:
            return self._known[1]
        try:
            policy, binding = await asyncio.gather(
                self._kube.get("ValidatingAdmissionPolicy", None, NAME),
                self._kube.get("ValidatingAdmissionPolicyBinding", None, NAME),
            )
        except KubeError:
            return False
        self._known = (now_s, in_force(policy, binding, now_s))
        return self._known[1]


def in_force(policy: Mapping[str, Any] | None, binding: Mapping[str, Any] | None, now_s: float) -> bool:
    """Tell whether a policy and its binding refuse every forged command, whatever object it is in.

    Parameters
    ----------
    policy, binding
        As read from the API server; None when there is none.
    now_s
        Unix time in seconds.
    """
    if not policy or not binding:
        return False
    rules, bound = policy["spec"], binding["spec"]
    refuses = rules.get("failurePolicy") == "Fail" and "Deny" in bound.get("validationActions", ())
    everywhere = not rules.get("matchConditions") and not _narrowed(bound.get("matchResources"))
    since_s = max(parse_time(each["metadata"]["creationTimestamp"]) for each in (policy, binding))
    return refuses and everywhere and bound["policyName"] == NAME and now_s - since_s >= SETTLES_S


def _narrowed(match: Mapping[str, Any] | None) -> bool:
    """Tell whether a binding leaves objects out; the API server adds empty selectors, which leave out nothing."""
    return any(value for key, value in (match or {}).items() if key != "matchPolicy")
