"""The admission policy of commands on a real API server: nobody signs for another, and approval takes a right."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.kube.policy import SETTLES_S, Attestation
from tests.apiserver.samples import DEPLOYMENT, changed

if TYPE_CHECKING:
    from seatrial.kube.client import Kube
    from tests.apiserver.conftest import ApiServer

ROLES = {"alice": "seatrial-commander", "bob": "seatrial-approver"}
NAME = "fraud-scorer"
FORGED = "a command is signed by who sends it: `by` has to be alice"
CHANGED = "a command is never changed: take it out, or add another one with an id of its own"
REUSED = "the id of a command was used before"
UNAPPROVED = "promote, promote-full and override need the verb `approve` on this ModelDeployment"


@pytest.fixture
def namespace(api_server: ApiServer, policy: None, request: pytest.FixtureRequest) -> str:  # noqa: ARG001 - first of all
    """Make a namespace with a model in it, where alice may command and bob may approve too."""
    name = f"policy-{abs(hash(request.node.nodeid)) % 10**9}"
    assert api_server.kubectl("create", "namespace", name).returncode == 0
    for person, role in ROLES.items():
        bound = api_server.kubectl(
            *("create", "rolebinding", person, f"--clusterrole={role}", f"--user={person}", "-n", name)
        )
        assert bound.returncode == 0, bound.stderr
    made = api_server.kubectl("create", "-n", name, "-f", "-", stdin=changed(DEPLOYMENT, metadata__namespace=name))
    assert made.returncode == 0, made.stderr
    return name


def command(identity: str, verb: str, by: str, **fields: Any) -> dict[str, Any]:
    return {"id": identity, "verb": verb, "by": by, **fields}


def ask(api_server: ApiServer, namespace: str, person: str | None, *commands: dict[str, Any]) -> str:
    """Set the commands as a person; return what the API server has against it."""
    patch = json.dumps({"spec": {"commands": list(commands)}})
    arguments = ("patch", "modeldeployments", NAME, "-n", namespace, "--type=merge", "-p", patch)
    return api_server.kubectl(*arguments, person=person).stderr


def answer(api_server: ApiServer, namespace: str, identity: str) -> None:
    """Answer a command as the operator would."""
    answered = command(identity, "pause", "alice", verified=True, at="2026-01-01T00:00:00Z")
    patch = json.dumps({"status": {"answers": [{**answered, "outcome": "Done", "sentence": "paused"}]}})
    done = api_server.kubectl(
        *("patch", "modeldeployments", NAME, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
    )
    assert done.returncode == 0, done.stderr


async def test_without_a_policy_no_name_is_proven(kube: Kube) -> None:
    assert not await Attestation(kube, time.time).holds()


def test_who_signs_with_the_own_name_may_command(api_server: ApiServer, namespace: str) -> None:
    assert ask(api_server, namespace, "alice", command("1", "pause", "alice")) == ""
    assert ask(api_server, namespace, "bob", command("1", "pause", "alice"), command("2", "resume", "bob")) == ""


def test_nobody_signs_with_the_name_of_another(api_server: ApiServer, namespace: str) -> None:
    assert FORGED in ask(api_server, namespace, "alice", command("1", "pause", "bob"))
    assert "has to be admin" in ask(api_server, namespace, None, command("1", "pause", "bob"))
    forged = changed(DEPLOYMENT, metadata__namespace=namespace, spec__commands=[command("1", "pause", "bob")])
    forged["metadata"]["name"] = "forged"
    created = api_server.kubectl("create", "-n", namespace, "-f", "-", stdin=forged)
    assert "has to be admin" in created.stderr


def test_nobody_changes_a_command_not_even_the_own_one(api_server: ApiServer, namespace: str) -> None:
    ask(api_server, namespace, "alice", command("1", "pause", "alice"))
    for forged in (command("1", "resume", "alice"), command("1", "pause", "alice", reason="of my own making")):
        assert CHANGED in ask(api_server, namespace, "alice", forged)
    assert CHANGED in ask(api_server, namespace, "bob", command("1", "pause", "bob"))


def test_a_command_may_be_taken_out_and_its_id_is_spent(api_server: ApiServer, namespace: str) -> None:
    ask(api_server, namespace, "alice", command("1", "pause", "alice"))
    answer(api_server, namespace, "1")
    assert ask(api_server, namespace, "bob", command("2", "resume", "bob")) == ""
    assert REUSED in ask(api_server, namespace, "alice", command("1", "pause", "alice"))


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "promote"},
        {"verb": "promote-full"},
        {"verb": "override", "reason": "why", "until": "2030-01-01T00:00:00Z"},
    ],
    ids=lambda fields: str(fields["verb"]),
)
def test_what_overrules_the_judge_takes_the_verb_approve(
    api_server: ApiServer, namespace: str, fields: dict[str, str]
) -> None:
    assert UNAPPROVED in ask(api_server, namespace, "alice", {"id": "1", "by": "alice", **fields})
    assert ask(api_server, namespace, "bob", {"id": "1", "by": "bob", **fields}) == ""
    standing = {"id": "1", "by": "bob", **fields}
    assert ask(api_server, namespace, "alice", standing, command("2", "abort", "alice")) == ""


def test_the_right_to_approve_can_be_given_for_one_model(api_server: ApiServer, namespace: str) -> None:
    for person, resource in (("alice", NAME), ("bob", "another")):
        role = f"approve-{resource}"
        rights = ("--verb=approve", "--resource=modeldeployments.seatrial.dev", f"--resource-name={resource}")
        api_server.kubectl("create", "role", role, "-n", namespace, *rights)
        api_server.kubectl("create", "rolebinding", role, f"--role={role}", f"--user={person}", "-n", namespace)
    assert ask(api_server, namespace, "alice", command("1", "promote", "alice")) == ""


def test_other_edits_and_the_operators_own_writes_pass(api_server: ApiServer, namespace: str) -> None:
    ask(api_server, namespace, "bob", command("1", "promote", "bob"))
    edit = ("patch", "modeldeployments", NAME, "-n", namespace, "--type=merge", "-p", '{"spec": {"paused": true}}')
    assert api_server.kubectl(*edit, person="alice").returncode == 0
    answer(api_server, namespace, "1")


def test_who_may_only_look_can_command_nothing(api_server: ApiServer, namespace: str) -> None:
    api_server.kubectl("create", "rolebinding", "carol", "--clusterrole=seatrial-view", "--user=carol", "-n", namespace)
    assert "forbidden" in ask(api_server, namespace, "carol", command("1", "pause", "carol"))


@pytest.mark.usefixtures("policy")
async def test_the_operator_sees_whether_the_policy_is_in_force(kube: Kube, api_server: ApiServer) -> None:
    assert await Attestation(kube, lambda: time.time() + SETTLES_S).holds()
    binding = ("validatingadmissionpolicybinding", "seatrial-commands", "--type=merge", "-p")
    for actions, expected in ((["Audit"], False), (["Deny"], True)):
        patch = json.dumps({"spec": {"validationActions": actions}})
        assert api_server.kubectl("patch", *binding, patch).returncode == 0
        assert await Attestation(kube, lambda: time.time() + SETTLES_S).holds() is expected
