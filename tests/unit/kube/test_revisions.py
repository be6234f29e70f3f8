"""What is written down of a version is read back as it was."""

from __future__ import annotations

from typing import Any

from seatrial.kube.revisions import Remembered, recall, revision

VERSION = "bcdfghjklm"
OWNER: dict[str, Any] = {
    "apiVersion": "seatrial.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "fraud", "namespace": "ml", "uid": "u-1"},
    "spec": {"port": 9999, "template": {"spec": {"containers": [{"name": "newer"}]}}},
}


def test_a_version_is_read_back_as_it_was_whatever_the_spec_says_by_then() -> None:
    was = Remembered({"spec": {"containers": [{"name": "model", "newerThanUs": [1, None]}]}}, 8080)
    made = revision(OWNER, VERSION, was)
    assert recall(made) == was
    assert made["metadata"]["name"] == f"fraud-{VERSION}"
    assert [ref["uid"] for ref in made["metadata"]["ownerReferences"]] == ["u-1"]
