"""Jobs that test a candidate: a copy of the user's own suspended Job, told where both versions answer."""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING, Any, Literal

from seatrial.kube.workloads import MODEL_LABEL, name_of, owned_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

CANDIDATE, STABLE = "SEATRIAL_CANDIDATE", "SEATRIAL_STABLE"
KEPT_S = 86_400
"""How long a Job stays after its end, for people to read its log."""


def job_name(owner: Mapping[str, Any], version: str, step: int, started_at: float) -> str:
    """Name the Job of one step in one trial; at most 63 characters, as the version's name has at most 56."""
    digest = hashlib.sha256(f"{step}/{started_at:.3f}".encode()).hexdigest()[:6]
    return f"{name_of(owner, version)}-{digest}"


def check_job(
    owner: Mapping[str, Any], template: Mapping[str, Any], name: str, hosts: Mapping[str, str], timeout_s: float
) -> dict[str, Any]:
    """Build the Job to run from the user's suspended one.

    Parameters
    ----------
    owner
        The ModelDeployment, raw.
    template
        The user's Job, raw; its selector, labels of its own making and suspension are left behind.
    name
        Name of the Job to make.
    hosts
        Value of each environment variable that tells where a version answers.
    timeout_s
        Seconds after which the Job is ended and counts as failed.
    """
    spec = copy.deepcopy({key: value for key, value in template["spec"].items() if key not in {"selector", "suspend"}})
    spec.pop("manualSelector", None)
    pod = spec["template"]
    labels = (pod.get("metadata") or {}).get("labels") or {}
    kept = {key: value for key, value in labels.items() if not _made_by_the_controller(key)}
    pod["metadata"] = {**(pod.get("metadata") or {}), "labels": kept}
    for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
        known = [entry for entry in container.get("env") or () if entry["name"] not in hosts]
        container["env"] = [*known, *({"name": key, "value": value} for key, value in hosts.items())]
    spec |= {"activeDeadlineSeconds": max(1, round(timeout_s)), "ttlSecondsAfterFinished": KEPT_S}
    metadata = owned_metadata(owner, name, {MODEL_LABEL: owner["metadata"]["name"]})
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def outcome(job: Mapping[str, Any]) -> tuple[Literal["Running", "Passed", "Failed"], str]:
    """Tell how a Job goes, with a sentence."""
    name = job["metadata"]["name"]
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition["status"] == "True" and condition["type"] == "Complete":
            return "Passed", f"Job {name} has completed"
        if condition["status"] == "True" and condition["type"] == "Failed":
            why = condition.get("message") or condition.get("reason") or "no reason given"
            return "Failed", f"Job {name} failed: {why}"
    return "Running", f"Job {name} runs"


def _made_by_the_controller(label: str) -> bool:
    return label in {"controller-uid", "job-name"} or label.startswith("batch.kubernetes.io/")
