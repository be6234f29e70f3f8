"""Coming and going: what one ModelDeployment leaves behind, another of the same name takes over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.apiserver.controller.stage import eventually, rests_on

if TYPE_CHECKING:
    from tests.apiserver.conftest import ApiServer
    from tests.apiserver.controller.stage import Stage

Raw = dict[str, Any]


async def test_orphans_are_owned_again_by_a_model_deployment_of_the_same_name(
    stage: Stage, api_server: ApiServer
) -> None:
    """Kubernetes' garbage collector, which takes owners off, is played: by the very patch that it makes."""
    kinds = ("Deployment", "Service", "PodDisruptionBudget", "ControllerRevision", "HTTPRoute")

    async def owned_by(uid: str) -> list[str]:
        found = [(kind, one) for kind in kinds for one in await stage.user.list(kind, stage.namespace)]
        owners = [(kind, one["metadata"].get("ownerReferences", [])) for kind, one in found]
        return [kind for kind, those in owners if [owner["uid"] for owner in those] == [uid]]

    async with stage.operator():
        first = await stage.deploy("1", spec__template=odd_template())
        await stage.until(rests_on(first))
        model = api_server.get("modeldeployment", "scorer", "-n", stage.namespace)
        done = api_server.kubectl(
            "delete", "modeldeployment", "scorer", "-n", stage.namespace, "--cascade=orphan", "--wait=false"
        )
        assert done.returncode == 0, done.stderr
        for kind in kinds:
            for one in await stage.user.list(kind, stage.namespace):
                meta = one["metadata"]
                off = [{"$patch": "delete", "uid": owner["uid"]} for owner in meta["ownerReferences"]]
                patch: Raw = {"metadata": {"uid": meta["uid"], "ownerReferences": off}}
                how = "strategic"
                if kind == "HTTPRoute":  # of a CRD nobody knows the keys of its lists
                    how, patch = "merge", {"metadata": {"uid": meta["uid"], "ownerReferences": []}}
                patched = api_server.kubectl(
                    *("patch", kind, meta["name"], "-n", stage.namespace, f"--type={how}", f"-p={json.dumps(patch)}")
                )
                assert patched.returncode == 0, patched.stderr
        done = api_server.kubectl(
            *("patch", "modeldeployment", "scorer", "-n", stage.namespace, "--type=merge"),
            '-p={"metadata":{"finalizers":null}}',
        )
        assert done.returncode == 0, done.stderr
        assert await stage.deploy("1", spec__template=odd_template()) == first
        again = api_server.get("modeldeployment", "scorer", "-n", stage.namespace)["metadata"]["uid"]
        assert again != model["metadata"]["uid"]
        await stage.until(rests_on(first))
        await eventually(lambda: owned_by(again), list(kinds))
        assert "Recovered" in await stage.events()


def odd_template() -> Raw:
    """Write a template with what a serialiser may well write in more than one way."""
    args = ["<&>", "é\u2028", "b", "a"]
    return {
        "spec": {
            "containers": [{"name": "server", "image": "scorer:1", "args": args}],
            "terminationGracePeriodSeconds": 9,
        }
    }
