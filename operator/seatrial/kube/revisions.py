"""What a version was, for as long as it may be needed: one ControllerRevision beside each Deployment. No I/O.

The spec of a ModelDeployment holds the newest wish only. If the Deployment of any other version is deleted by hand (in
mid-trial that may be stable's), nothing else knows its template. The API server never lets the data of a
ControllerRevision be changed, so what is read back is what was tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.kube.workloads import labels_of, name_of, owned_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_REVISION = 1
"""The API asks for a number; each version has one revision only."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a version's Deployment and Service are made from.

    Attributes
    ----------
    template
        The PodTemplateSpec, with the names of the version's own copies of ConfigMaps and Secrets.
    port
        Port of the pods that serves predictions.
    """

    template: Mapping[str, Any]
    port: int


def revision(owner: Mapping[str, Any], version: str, remembered: Remembered) -> dict[str, Any]:
    """Build the ControllerRevision of a version.

    Parameters
    ----------
    owner
        The ModelDeployment, raw.
    version
        Hash of the version.
    remembered
        What is to be read back by :func:`recall`.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": owned_metadata(owner, name_of(owner, version), labels_of(owner, version)),
        "revision": FIRST_REVISION,
        "data": {"template": dict(remembered.template), "port": remembered.port},
    }


def recall(live: Mapping[str, Any]) -> Remembered:
    """Read a ControllerRevision that :func:`revision` made, raw."""
    return Remembered(template=live["data"]["template"], port=int(live["data"]["port"]))
