"""ConfigMaps and Secrets: their content is a part of the version, and each version keeps its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seatrial.api.status import ModelDeploymentStatus, Phase
from seatrial.kube.config import references
from tests.apiserver.controller.stage import eventually, on_trial, rests_on

if TYPE_CHECKING:
    from tests.apiserver.controller.stage import Stage

LONG = [{"weight": 10, "for": "1h"}]
WORD, OTHER_WORD = "aHVudGVyMg==", "c3dvcmRmaXNo"
TEMPLATE: dict[str, Any] = {
    "spec": {
        "containers": [
            {
                "name": "server",
                "image": "scorer:1",
                "envFrom": [{"secretRef": {"name": "db"}}, {"configMapRef": {"name": "extra", "optional": True}}],
                "volumeMounts": [{"name": "features", "mountPath": "/features"}],
            }
        ],
        "volumes": [{"name": "features", "configMap": {"name": "features"}}],
    }
}
QUICK_S = 0.3


async def hold(stage: Stage, kind: str, name: str, **data: str) -> None:
    """Write a ConfigMap or Secret as a person would."""
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": stage.namespace}}
    if await stage.user.get(kind, stage.namespace, name) is None:
        await stage.user.create({**manifest, "data": data})
    else:
        await stage.edit(kind, name, lambda live: live.update(data=data))


async def wished(stage: Stage, **changes: Any) -> str:
    """Deploy a model that reads configuration, and wait until it serves; return the version."""
    await hold(stage, "ConfigMap", "features", names="age,income")
    await hold(stage, "Secret", "db", password=WORD)
    await stage.deploy("1", spec__template=TEMPLATE, spec__strategy__steps=LONG, **changes)
    status = await stage.until(lambda status: status.phase is Phase.STABLE and status.stable is not None)
    assert status.stable is not None
    await stage.until(rests_on(status.stable.hash))
    return status.stable.hash


def tries_another_than(version: str) -> Any:
    def holds(status: ModelDeploymentStatus) -> bool:
        return (
            status.candidate is not None
            and status.candidate.hash != version
            and on_trial(status.candidate.hash)(status)
        )

    return holds


async def template(stage: Stage, version: str) -> dict[str, Any]:
    live = await stage.user.get("Deployment", stage.namespace, f"scorer-{version}")
    assert live is not None
    found: dict[str, Any] = live["spec"]["template"]
    return found


async def held(stage: Stage, version: str) -> dict[str, dict[str, str]]:
    """Read what the copies hold that a version's pods read, by kind."""
    found = {}
    for one in references(await template(stage, version)):
        live = await stage.user.get(one.kind, stage.namespace, one.name)
        if live is not None:
            assert live["immutable"] is True
            assert one.name.startswith(f"scorer-{version}-")
            found[one.kind] = live["data"]
    return found


async def test_a_changed_configmap_is_a_new_version_and_stable_keeps_the_old_content(stage: Stage) -> None:
    async with stage.operator(config_s=QUICK_S):
        first = await wished(stage)
        await hold(stage, "ConfigMap", "features", names="age,income,zip")
        status = await stage.until(tries_another_than(first))
        assert status.candidate is not None
        second = status.candidate.hash
        assert await held(stage, first) == {"ConfigMap": {"names": "age,income"}, "Secret": {"password": WORD}}
        assert await held(stage, second) == {"ConfigMap": {"names": "age,income,zip"}, "Secret": {"password": WORD}}
        await hold(stage, "ConfigMap", "features", names="age,income")
        await stage.until(rests_on(first))  # A, B, A ends with nothing to do


async def test_a_changed_secret_is_a_new_version_and_is_told_to_nobody(stage: Stage) -> None:
    async with stage.operator(config_s=QUICK_S) as kube:
        first = await wished(stage)
        await hold(stage, "Secret", "db", password=OTHER_WORD)
        status = await stage.until(tries_another_than(first))
        assert status.candidate is not None
        assert (await held(stage, status.candidate.hash))["Secret"] == {"password": OTHER_WORD}
        for call in kube.calls:
            if call.resource != "secrets":
                assert WORD not in str(call.body)
                assert OTHER_WORD not in str(call.body)


async def test_an_optional_one_that_appears_is_a_new_version(stage: Stage) -> None:
    async with stage.operator(config_s=QUICK_S):
        first = await wished(stage)
        await hold(stage, "ConfigMap", "extra", more="1")
        status = await stage.until(tries_another_than(first))
        assert status.candidate is not None
        names = {one.name for one in references(await template(stage, first)) if one.optional}
        assert [await stage.user.get("ConfigMap", stage.namespace, name) for name in names] == [None]


async def test_live_configuration_is_neither_copied_nor_read(stage: Stage) -> None:
    live = [{"kind": "Secret", "name": "db"}]
    async with stage.operator(config_s=QUICK_S) as kube:
        first = await wished(stage, spec__liveConfig=live)
        assert "Secret" not in await held_names(stage, first)
        await hold(stage, "Secret", "db", password=OTHER_WORD)
        await hold(stage, "ConfigMap", "features", names="age")
        status = await stage.until(tries_another_than(first))  # the ConfigMap, read later than the Secret was changed
        assert status.candidate is not None
        assert not [call for call in kube.calls if call.resource == "secrets"]


async def held_names(stage: Stage, version: str) -> set[str]:
    """List the kinds of which a version has copies."""
    found = references(await template(stage, version))
    return {one.kind for one in found if one.name.startswith(f"scorer-{version}-")}


async def test_what_is_missing_is_waited_for_with_a_sentence(stage: Stage) -> None:
    def complains(status: ModelDeploymentStatus) -> bool:
        return any(c.type == "Accepted" and c.reason == "ConfigMissing" for c in status.conditions)

    async with stage.operator(config_s=QUICK_S):
        await hold(stage, "Secret", "db", password=WORD)
        await stage.deploy("1", spec__template=TEMPLATE)
        status = await stage.until(complains)
        said = next(c.message for c in status.conditions if c.type == "Accepted")
        assert f"ConfigMap {stage.namespace}/features doesn't exist" in said
        await hold(stage, "ConfigMap", "features", names="age")
        await stage.until(lambda status: status.phase is Phase.STABLE)


async def test_stables_deployment_comes_back_in_the_middle_of_a_trial_as_it_was(stage: Stage) -> None:
    async with stage.operator(config_s=QUICK_S):
        first = await wished(stage)
        before = await template(stage, first)
        await stage.deploy("2", spec__strategy__steps=LONG)
        await stage.until(tries_another_than(first))
        await stage.remove("Deployment", f"scorer-{first}")

        async def there() -> bool:
            return await stage.user.get("Deployment", stage.namespace, f"scorer-{first}") is not None

        await eventually(there, wanted=False)
        await eventually(there, wanted=True)
        assert await template(stage, first) == before
        assert (await held(stage, first))["ConfigMap"] == {"names": "age,income"}


async def test_what_a_version_was_goes_when_the_version_goes(stage: Stage) -> None:
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__keep={"versions": 0})
        await stage.until(rests_on(first))
        second = await stage.deploy("2", spec__strategy__keep={"versions": 0})
        await stage.until(rests_on(second))
        for kind in ("ControllerRevision", "PodDisruptionBudget", "Service", "Deployment"):
            await eventually(lambda kind=kind: stage.versions(kind), {second})  # type: ignore[misc] # a loop's name
