"""The operator's Role on a real API server: enough for every call of the client, and shut for all else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from seatrial.controller.act import VERSIONED
from seatrial.kube.client import Kube
from seatrial.kube.config import copy_of
from seatrial.kube.errors import Refused
from seatrial.kube.lease import Lease, leadership
from seatrial.kube.revisions import Remembered, recall, revision
from seatrial.kube.scaling import autoscaler, disruption_budget
from seatrial.kube.workloads import deployment, service
from seatrial.rollout.capacity import Scaling
from tests.apiserver.conftest import ROOT
from tests.apiserver.samples import DEPLOYMENT, changed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.conftest import ApiServer

ACCOUNT = "system:serviceaccount:seatrial-system:seatrial"
VERSION = "bbbbbbbbbb"


@pytest.fixture(scope="session")
def installed(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the rights from manifests/install; return a kubeconfig of the operator's account."""
    for name in ("namespace", "rbac", "user-roles"):
        done = api_server.kubectl("apply", "-f", str(ROOT / "manifests" / "install" / f"{name}.yaml"))
        assert done.returncode == 0, done.stderr
    token = api_server.kubectl("create", "token", "seatrial", "-n", "seatrial-system")
    assert token.returncode == 0, token.stderr
    config = json.loads(api_server.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = token.stdout.strip()
    path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    return path


async def test_the_role_is_enough_for_every_call_of_the_client(
    installed: Path, kube: Kube, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api_server.kubectl("create", "namespace", "role").returncode == 0
    owner = await kube.create(changed(DEPLOYMENT, metadata__namespace="role"))
    monkeypatch.setenv("KUBECONFIG", str(installed))
    async with Kube(deadline_s=5) as operator, leadership(operator, Lease("seatrial-system", "seatrial", "test")):
        assert await operator.crd_exists()
        for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
            await operator.get(kind, None, "seatrial-commands")
        assert await operator.get("ModelDeployment", "role", "fraud-scorer") is not None
        for kind in ("ModelDeployment", "ModelSLO", "Pod", *VERSIONED):
            await operator.list(kind, None)
        was = Remembered(owner["spec"]["template"], 8080)
        kept = await operator.apply(revision(owner, VERSION, was))
        assert recall(await operator.get("ControllerRevision", "role", kept["metadata"]["name"]) or {}) == was
        for kind in ("ConfigMap", "Secret"):
            source = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "source", "namespace": "role"}}
            await kube.create({**source, "data": {"a": "YQ=="}})
            live = await operator.get(kind, "role", "source")
            assert live is not None
            await operator.create(copy_of(kept, owner, VERSION, live))
        scaler = await operator.apply(autoscaler(owner, VERSION, Scaling(1, 3)))
        budget = await operator.apply(disruption_budget(owner, VERSION))
        made = await operator.apply(deployment(owner, VERSION, owner["spec"]["template"], 3, 10, 8080))
        served = await operator.apply(service(owner, VERSION, 8080))
        assert await operator.get("Deployment", "role", made["metadata"]["name"]) is not None
        await operator.scale("role", made["metadata"]["name"], 0)
        await operator.emit(owner, severity="Normal", reason="Tested", note="The operator may post Events.")
        await operator.replace_status({**owner, "status": {"phase": "Stable"}})
        await operator.amend("ModelDeployment", "role", "fraud-scorer", {"finalizers": []})
        for each in (made, served, scaler, budget, kept):
            await operator.delete(each["kind"], "role", each["metadata"]["name"], uid=each["metadata"]["uid"])
        with pytest.raises(Refused, match="forbidden"):
            await operator.delete("ModelDeployment", "role", "fraud-scorer", uid=owner["metadata"]["uid"])


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "wish",
    [
        "list secrets",
        "watch secrets",
        "update secrets",
        "delete secrets",
        "list configmaps",
        "update controllerrevisions.apps",
        "update modeldeployments.seatrial.dev",
        "create pods",
        "delete pods",
        "create pods/exec",
        "create clusterroles.rbac.authorization.k8s.io",
        "delete leases.coordination.k8s.io -n seatrial-system",
        "update leases.coordination.k8s.io/another -n seatrial-system",
        "get leases.coordination.k8s.io/seatrial -n default",
        "get validatingadmissionpolicies.admissionregistration.k8s.io/another",
        "delete validatingadmissionpolicies.admissionregistration.k8s.io/seatrial-commands",
    ],
)
def test_the_role_is_shut_for_all_else(api_server: ApiServer, wish: str) -> None:
    verb, _, what = wish.partition(" ")
    answer = api_server.kubectl("auth", "can-i", verb, *what.split(), f"--as={ACCOUNT}")
    assert answer.stdout.strip() == "no"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("role", "verb", "expected"),
    [("seatrial-edit", "patch", "yes"), ("seatrial-view", "patch", "no"), ("seatrial-view", "list", "yes")],
)
def test_people_get_their_rights_on_models_by_a_role(
    api_server: ApiServer, role: str, verb: str, expected: str
) -> None:
    person = f"{role}-{verb}"
    api_server.kubectl("create", "rolebinding", person, f"--clusterrole={role}", f"--user={person}", "-n", "default")
    answer = api_server.kubectl("auth", "can-i", verb, "modeldeployments.seatrial.dev", f"--as={person}", "-n=default")
    assert answer.stdout.strip() == expected
