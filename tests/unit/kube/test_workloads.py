"""Builders and reader of what a version runs as."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from seatrial.kube.workloads import deployment, observe, service

VERSION = "bcdfghjklm"
LABELS = {"seatrial.dev/model": "fraud", "seatrial.dev/version": VERSION}
OWNER: dict[str, Any] = {
    "apiVersion": "seatrial.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud", "namespace": "ml", "uid": "u-1", "labels": {"argocd.argoproj.io/instance": "app"}},
    "spec": {"port": 8080},
}
TEMPLATE: dict[str, Any] = {
    "metadata": {
        "labels": {"app": "fraud", "argocd.argoproj.io/instance": "app", "seatrial.dev/version": "forged"},
        "annotations": {"prometheus.io/scrape": "true", "kustomize.toolkit.fluxcd.io/checksum": "1"},
    },
    "spec": {"containers": [{"name": "model", "image": "m:1"}], "newerThanUs": {"field": True}},
}


def built(**template: Any) -> dict[str, Any]:
    return deployment(OWNER, VERSION, template or TEMPLATE, 3, 10, 8080)


def test_the_template_reaches_the_cluster_as_written_with_our_labels_and_without_gitops_marks() -> None:
    template = built()["spec"]["template"]
    [container] = template["spec"].pop("containers")
    assert container == {**TEMPLATE["spec"]["containers"][0], "lifecycle": container["lifecycle"]}
    assert template["spec"] == {"newerThanUs": {"field": True}, "terminationGracePeriodSeconds": 35}
    assert template["metadata"] == {
        "labels": {"app": "fraud", **LABELS},
        "annotations": {"prometheus.io/scrape": "true"},
    }


def test_pods_that_go_serve_on_for_a_moment_and_have_their_own_time_to_finish_after_it() -> None:
    started = {"postStart": {"exec": {"command": ["warm-up"]}}}
    own = {"preStop": {"httpGet": {"path": "/drain", "port": 8080}}}
    containers = [{"name": "a"}, {"name": "b", "lifecycle": started}, {"name": "c", "lifecycle": own}]
    pod = built(spec={"containers": containers, "terminationGracePeriodSeconds": 120})["spec"]["template"]["spec"]
    sleep = {"preStop": {"sleep": {"seconds": 5}}}
    assert [one["lifecycle"] for one in pod["containers"]] == [sleep, {**sleep, **started}, own]
    assert pod["terminationGracePeriodSeconds"] == 125


def test_a_template_without_metadata_gets_the_labels_that_the_selector_needs() -> None:
    template = built(spec={"containers": []})["spec"]["template"]
    assert template["metadata"] == {"labels": LABELS}


def test_building_leaves_the_users_template_alone() -> None:
    before = copy.deepcopy(TEMPLATE)
    built()
    assert before == TEMPLATE


def test_selectors_of_deployment_and_service_pick_this_version_only() -> None:
    assert built()["spec"]["selector"] == {"matchLabels": LABELS}
    assert service(OWNER, VERSION, 8080)["spec"]["selector"] == LABELS


def test_both_objects_are_owned_and_carry_no_mark_of_the_owners_gitops_tool() -> None:
    for made in (built(), service(OWNER, VERSION, 8080)):
        assert {key: value for key, value in made["metadata"].items() if key != "annotations"} == {
            "name": f"fraud-{VERSION}",
            "namespace": "ml",
            "labels": {"app.kubernetes.io/managed-by": "seatrial", **LABELS},
            "ownerReferences": [
                {
                    "apiVersion": "seatrial.dev/v1alpha1",
                    "kind": "ModelDeployment",
                    "name": "fraud",
                    "uid": "u-1",
                    "controller": True,
                }
            ],
        }


def test_a_deployment_remembers_the_port_of_its_version_and_nothing_of_its_owners_annotations() -> None:
    assert built()["metadata"]["annotations"] == {"seatrial.dev/port": "8080"}
    assert "annotations" not in service(OWNER, VERSION, 8080)["metadata"]


def test_warm_up_is_part_of_availability_and_never_longer_than_the_progress_deadline() -> None:
    spec = deployment(OWNER, VERSION, TEMPLATE, 3, 7200, 8080)["spec"]
    assert spec["minReadySeconds"] == 7200
    assert spec["progressDeadlineSeconds"] > spec["minReadySeconds"]  # Kubernetes refuses it otherwise


def test_the_service_hides_the_port_of_the_version() -> None:
    ports = service(OWNER, VERSION, 9000)["spec"]["ports"]
    assert ports == [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 9000}]


def live(**status: Any) -> dict[str, Any]:
    return {**built(), "status": status}


def pod(name: str = "p", *, conditions: list[dict[str, Any]] | None = None, **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "status": {
            "conditions": conditions or [],
            "containerStatuses": [{"name": "model", "restartCount": 0, "state": {"running": {}}, **container}],
        },
    }


CRASHING: dict[str, Any] = {
    "restartCount": 4,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "message": "password=hunter2"}},
}


def test_counts_are_those_of_the_deployment() -> None:
    seen = observe(live(replicas=3, readyReplicas=2, availableReplicas=1), [pod()])
    assert (seen.version, seen.desired, seen.ready, seen.available) == (VERSION, 3, 2, 1)
    assert (seen.terminating, seen.crash_looping, seen.stuck) == (False, None, None)


def test_a_deployment_that_no_controller_has_seen_yet_has_no_pods() -> None:
    assert observe(built(), []).ready == 0


def test_a_deployment_under_deletion_is_terminating() -> None:
    dying = live()
    dying["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert observe(dying, []).terminating


def test_a_crash_loop_names_container_restarts_and_end_but_not_what_the_container_wrote() -> None:
    said = observe(live(), [pod(), pod("q", **CRASHING)]).crash_looping
    assert said == (
        "Container model of pod q crashes over and over: 4 restarts, the last end was OOMKilled, exit code 137."
    )


def test_a_crash_loop_of_an_init_container_counts() -> None:
    starting = pod()
    starting["status"]["initContainerStatuses"] = [{"name": "fetch", **CRASHING}]
    assert "Container fetch" in str(observe(live(), [starting]).crash_looping)


def test_one_crash_at_the_start_is_forgiven() -> None:
    assert observe(live(), [pod(**{**CRASHING, "restartCount": 1})]).crash_looping is None


def test_old_restarts_of_a_running_container_are_no_crash_loop() -> None:
    assert observe(live(), [pod(restartCount=9, lastState=CRASHING["lastState"])]).crash_looping is None


def test_restarts_are_those_of_the_living_pods() -> None:
    young, old, leaving, unborn = pod("a", restartCount=1), pod("b", restartCount=2), pod("c", restartCount=5), pod("d")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert observe(live(), [young, old, leaving, unborn]).restarts == 3


def test_a_pod_that_is_being_deleted_has_no_say() -> None:
    leaving = pod("q", **CRASHING)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert observe(live(), [leaving]).crash_looping is None


@pytest.mark.parametrize(
    ("status", "pods", "sentence"),
    [
        (
            {},
            [
                pod(
                    conditions=[
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                        }
                    ]
                )
            ],
            "Pod p finds no node: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        ),
        (
            {},
            [pod(state={"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "m:1"'}})],
            'Container model of pod p can\'t start (ImagePullBackOff): Back-off pulling image "m:1".',
        ),
        (
            {
                "conditions": [
                    {
                        "type": "ReplicaFailure",
                        "status": "True",
                        "reason": "FailedCreate",
                        "message": "exceeded quota: gpu",
                    }
                ]
            },
            [],
            "Pods can't be created (FailedCreate): exceeded quota: gpu.",
        ),
        (
            {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]},
            [],
            "The Deployment makes no progress (ProgressDeadlineExceeded): no details given.",
        ),
    ],
)
def test_what_keeps_pods_from_starting_becomes_a_sentence(
    status: dict[str, Any], pods: list[dict[str, Any]], sentence: str
) -> None:
    assert observe(live(**status), pods).stuck == sentence


def test_a_container_that_is_just_starting_is_not_stuck() -> None:
    assert observe(live(), [pod(state={"waiting": {"reason": "ContainerCreating"}})]).stuck is None


def test_a_page_long_detail_is_cut() -> None:
    said = observe(live(), [pod(state={"waiting": {"reason": "ErrImagePull", "message": "x" * 5000}})]).stuck
    assert len(str(said)) < 400


@pytest.mark.parametrize(
    ("prices", "price"),
    [
        (("2.10", "2.10"), 4.2),
        (("0", "1.5"), 1.5),
        (("2.10", None), None),
        (("2.10", "dear"), None),
        (("2.10", "nan"), None),
        (("2.10", "-1"), None),
        ((), None),
    ],
)
def test_the_price_of_a_version_is_that_of_all_its_pods(prices: tuple[str | None, ...], price: float | None) -> None:
    notes = [{} if text is None else {"seatrial.dev/price-per-hour": text} for text in prices]
    pods: list[dict[str, Any]] = [{"metadata": {"name": "p", "annotations": note}, "status": {}} for note in notes]
    pods.append({"metadata": {"name": "gone", "deletionTimestamp": "2030-01-01T00:00:00Z"}, "status": {}})
    deployment = {"metadata": {"labels": {"seatrial.dev/version": "bbbbbbbbbb"}}, "spec": {}}
    assert observe(deployment, pods).price_per_hour == price


@pytest.mark.parametrize(
    ("known", "price"),
    [({"p": 1.5, "q": 0.5, "r": 9.0}, 2.0), ({"p": 1.5}, None), ({}, None), ({"p": 1.0, "q": float("nan")}, None)],
)
def test_prices_by_metrics_stand_in_for_annotations(known: dict[str, float], price: float | None) -> None:
    """Annotations that are there all the same don't count: the owner has named another source."""
    note = {"seatrial.dev/price-per-hour": "7"}
    pods: list[dict[str, Any]] = [{"metadata": {"name": name, "annotations": note}, "status": {}} for name in "pq"]
    pods.append({"metadata": {"name": "r", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {}})
    assert observe(built(), pods, known).price_per_hour == price
