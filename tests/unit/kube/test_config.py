"""What a template reads, what a version's copies are called and hold, and what is left alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from seatrial.kube.config import content_of, copy_name, copy_of, references, rewritten
from seatrial.rollout.versions import Reference, version_hash

VERSION = "bcdfghjklm"
OWNER: dict[str, Any] = {
    "apiVersion": "seatrial.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud", "namespace": "ml", "uid": "u-1"},
}
REVISION = {"metadata": {"name": f"fraud-{VERSION}", "uid": "u-2"}}
PASSWORD = "aHVudGVyMg=="  # noqa: S105 - what must not be seen elsewhere
SECRET: dict[str, Any] = {
    "kind": "Secret",
    "metadata": {"name": "db", "namespace": "ml", "annotations": {"rotated": "today"}},
    "type": "kubernetes.io/basic-auth",
    "data": {"password": PASSWORD},
}

# Each place of a pod spec that names a ConfigMap or Secret, and what it names.
PLACES: dict[str, tuple[dict[str, Any], Reference]] = {
    "volume": ({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}, Reference("ConfigMap", "c")),
    "secret volume": (
        {"volumes": [{"name": "v", "secret": {"secretName": "s", "optional": True}}]},
        Reference("Secret", "s", optional=True),
    ),
    "projected": (
        {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "c"}}]}}]},
        Reference("ConfigMap", "c"),
    ),
    "projected secret": (
        {"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}]}}]},
        Reference("Secret", "s"),
    ),
    "envFrom": ({"containers": [{"envFrom": [{"configMapRef": {"name": "c"}}]}]}, Reference("ConfigMap", "c")),
    "envFrom secret": (
        {"initContainers": [{"envFrom": [{"secretRef": {"name": "s", "optional": False}}]}]},
        Reference("Secret", "s"),
    ),
    "env": (
        {"containers": [{"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}}]}]},
        Reference("ConfigMap", "c"),
    ),
    "env secret": (
        {"containers": [{"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "a"}}}]}]},
        Reference("Secret", "s"),
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_found_and_renamed_and_the_users_template_stays_as_it_was(place: str) -> None:
    spec, reference = PLACES[place]
    template = {"spec": copy.deepcopy(spec)}
    assert references(template) == {reference}
    renamed = rewritten(template, {(reference.kind, reference.name): "mine"})
    assert references(renamed) == {Reference(reference.kind, "mine", reference.optional)}
    assert template == {"spec": spec}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"imagePullSecrets": [{"name": "s"}]},
        {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "csi": {"nodePublishSecretRef": {"name": "s"}}}]},
        {"volumes": "none", "containers": [None, {"env": {}, "envFrom": [7]}]},
        {"volumes": [{"name": "v", "configMap": {"name": ""}}, {"name": "w", "secret": {"secretName": 7}}]},
    ],
    ids=["nothing", "pull secret", "driver's secret", "not a pod spec", "no names"],
)
def test_what_reaches_no_container_is_left_alone(spec: dict[str, Any]) -> None:
    assert references({"spec": spec}) == frozenset()
    assert rewritten({"spec": spec}, {("Secret", "s"): "mine"}) == {"spec": spec}


def test_an_object_is_needed_when_one_of_the_places_needs_it() -> None:
    sources = [{"configMapRef": {"name": "c", "optional": True}}, {"configMapRef": {"name": "c"}}]
    assert references({"spec": {"containers": [{"envFrom": sources}]}}) == {Reference("ConfigMap", "c")}


def test_content_is_what_is_held_and_nothing_else() -> None:
    reference = Reference("Secret", "db")
    content = content_of(reference, SECRET)
    assert content == content_of(reference, {**SECRET, "metadata": {"name": "db"}, "immutable": True})
    assert content != content_of(reference, {**SECRET, "data": {"password": "c3dvcmRmaXNo"}})
    assert content.hash != content_of(Reference("Secret", "other"), SECRET).hash
    absent, empty = content_of(reference, None), content_of(reference, {"kind": "Secret"})
    assert absent.hash != empty.hash
    assert (absent.exists, empty.exists) == (False, True)


def test_another_content_is_another_version_in_whatever_order_it_was_read() -> None:
    spec = {"model": {"name": "m", "version": "1"}, "port": 1, "template": {}}
    one, other = content_of(Reference("Secret", "db"), SECRET), content_of(Reference("ConfigMap", "c"), {"data": {}})
    assert version_hash(spec) == version_hash(spec, ())
    assert version_hash(spec, (one, other)) == version_hash(spec, (other, one))
    assert len({version_hash(spec), version_hash(spec, (one,)), version_hash(spec, (one, other))}) == 3


def test_a_copy_never_changes_goes_with_its_version_and_drops_what_controllers_act_on() -> None:
    made = copy_of(REVISION, OWNER, VERSION, SECRET)
    content = content_of(Reference("Secret", "db"), SECRET)
    assert made["metadata"]["name"] == copy_name(OWNER, VERSION, content) == f"fraud-{VERSION}-{content.hash}"
    assert made["metadata"]["annotations"] == {"seatrial.dev/copy-of": "db"}
    assert [(ref["kind"], ref["uid"]) for ref in made["metadata"]["ownerReferences"]] == [("ControllerRevision", "u-2")]
    assert (made["immutable"], made["type"], made["data"]) == (True, "Opaque", SECRET["data"])
    assert PASSWORD not in str(made["metadata"])


def test_a_copy_of_a_configmap_holds_text_and_bytes() -> None:
    live = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}, "binaryData": {"m": "AAE="}}
    made = copy_of(REVISION, OWNER, VERSION, live)
    assert (made["data"], made["binaryData"]) == (live["data"], live["binaryData"])
    assert "type" not in made
