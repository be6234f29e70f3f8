"""Jobs that test a candidate: what is taken over from the user's Job, and how its end is read."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from seatrial.kube.jobs import check_job, job_name, outcome

OWNER: dict[str, Any] = {
    "apiVersion": "seatrial.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "m" * 45, "namespace": "ml", "uid": "u1"},
    "spec": {},
}
TEMPLATE: dict[str, Any] = {
    "metadata": {"name": "golden", "namespace": "ml"},
    "spec": {
        "suspend": True,
        "backoffLimit": 0,
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "x"}},
        "template": {
            "metadata": {"labels": {"batch.kubernetes.io/controller-uid": "x", "job-name": "golden", "team": "risk"}},
            "spec": {
                "restartPolicy": "Never",
                "initContainers": [{"name": "wait", "image": "i"}],
                "containers": [{"name": "test", "image": "i", "env": [{"name": "SEATRIAL_STABLE", "value": "me"}]}],
            },
        },
    },
}
HOSTS = {"SEATRIAL_CANDIDATE": "c.ml.svc:80", "SEATRIAL_STABLE": "s.ml.svc:80"}


def test_the_copy_runs_and_is_told_where_both_versions_answer() -> None:
    before = copy.deepcopy(TEMPLATE)
    job = check_job(OWNER, TEMPLATE, "copy", HOSTS, 90.4)
    assert before == TEMPLATE
    assert "suspend" not in job["spec"]
    assert "selector" not in job["spec"]
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 90)
    pod = job["spec"]["template"]
    assert pod["metadata"]["labels"] == {"team": "risk"}
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        assert container["env"] == [{"name": key, "value": value} for key, value in HOSTS.items()]
    assert job["metadata"]["ownerReferences"][0]["uid"] == "u1"


def test_pods_of_a_check_never_look_like_pods_of_a_version() -> None:
    """With these labels a Service would send them requests, and Prometheus would count theirs."""
    labels = check_job(OWNER, TEMPLATE, "copy", HOSTS, 60)["spec"]["template"]["metadata"]["labels"]
    assert not any(key.startswith("seatrial.dev/") for key in labels)


def test_names_fit_and_differ_by_step_and_by_trial() -> None:
    """A check that stands in two steps, before and after more weight, is run twice."""
    names = {job_name(OWNER, "v" * 10, step, at) for step in (1, 3) for at in (1.0, 2.0)}
    assert len(names) == 4
    assert {len(name) for name in names} == {63}
    assert job_name(OWNER, "v" * 10, 3, 1.0) in names


CONDITIONS = {
    "not begun": ([], "Running", "runs"),
    "suspended": ([{"type": "Suspended", "status": "True"}], "Running", "runs"),
    "complete": ([{"type": "Complete", "status": "True"}], "Passed", "has completed"),
    "failed": (
        [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "12 answers differ"}],
        "Failed",
        "12 answers differ",
    ),
    "late": ([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}], "Failed", "DeadlineExceeded"),
    "failing no more": ([{"type": "Failed", "status": "False"}], "Running", "runs"),
}


@pytest.mark.parametrize(("conditions", "state", "sentence"), CONDITIONS.values(), ids=CONDITIONS)
def test_outcome(conditions: list[dict[str, str]], state: str, sentence: str) -> None:
    found = outcome({"metadata": {"name": "copy"}, "status": {"conditions": conditions}})
    assert found[0] == state
    assert sentence in found[1]
