"""A ModelDeployment as people look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from seatrial.api.fields import UNITS_S, format_time, parse_time
from seatrial.api.status import DEPLOYMENT_STATUS, ModelDeploymentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Unreadable", "View", "age", "clock_time", "row", "view_of"]

_SHOWN_UNITS = 2


class Unreadable(ValueError):  # noqa: N818 - a state of the world
    """A status that this version of the command line does not understand."""


@dataclass(frozen=True, slots=True)
class View:
    """What a ModelDeployment says of itself.

    Attributes
    ----------
    namespace, name
        Which one it is.
    generation
        Number of the spec that it has now.
    created_s
        Unix time at which it was made, in seconds.
    wished
        The version that its spec asks for, as the user calls it.
    observing
        Whether verdicts are only told (``mode: observe``).
    status
        Its status; the default one when it has none yet.
    """

    namespace: str
    name: str
    generation: int
    created_s: float
    wished: str
    observing: bool
    status: ModelDeploymentStatus

    @property
    def current(self) -> bool:
        """Whether the status speaks of the spec as it is now."""
        return self.status.observed_generation >= self.generation

    def reason(self, condition: str) -> str:
        """Tell the reason of a condition; empty when it is not there."""
        return next((found.reason for found in self.status.conditions if found.type == condition), "")


def view_of(raw: Mapping[str, Any]) -> View:
    """Read an object of the API server.

    Raises
    ------
    Unreadable
        If its status can't be understood.
    """
    meta = raw["metadata"]
    try:
        status = DEPLOYMENT_STATUS.validate_python(raw.get("status") or {})
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Unreadable(
            f"The status of {meta['namespace']}/{meta['name']} can't be read (status.{where}): "
            "use a command line of the operator's version."
        ) from error
    return View(
        namespace=meta["namespace"],
        name=meta["name"],
        generation=meta.get("generation", 0),
        created_s=parse_time(meta["creationTimestamp"]),
        wished=str(raw["spec"].get("model", {}).get("version", "")),
        observing=raw["spec"].get("mode") == "observe",
        status=status,
    )


def row(view: View) -> dict[str, Any]:
    """Make the line of a table: what ``kubectl get`` shows, and the sentence."""
    status = view.status
    return {
        "namespace": view.namespace,
        "name": view.name,
        "phase": status.phase.value,
        "step": status.step,
        "weight": status.weight,
        "stable": status.stable.label if status.stable else "",
        "candidate": status.candidate.label if status.candidate else "",
        "verdict": status.verdict,
        "budget": status.budget,
        "created": format_time(view.created_s),
        "summary": status.summary,
    }


def age(seconds: float) -> str:
    """Write a span of time the way kubectl does, by its two largest units: ``2m7s``, ``3d4h``."""
    rest_s = max(0, int(seconds))
    counts: list[tuple[int, str]] = []
    for unit in ("d", "h", "m", "s"):
        count, rest_s = divmod(rest_s, int(UNITS_S[unit]))
        if count or counts:
            counts.append((count, unit))
    return "".join(f"{count}{unit}" for count, unit in counts[:_SHOWN_UNITS] if count) or "0s"


def clock_time(time_s: float) -> str:
    """Write a time for people, in UTC: ``2026-11-21 08:12:03``."""
    return format_time(time_s)[:19].replace("T", " ")
