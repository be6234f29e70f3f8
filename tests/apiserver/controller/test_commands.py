"""The plugin against the operator on a real API server: each verb is asked as people ask it, and does what it says."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from seatrial.api.status import Phase
from seatrial.cli.main import main
from seatrial.cli.plugin.reach import Exit
from tests.apiserver.conftest import ROOT, kubectl
from tests.apiserver.controller.stage import MODEL, on_trial, rests_on
from tests.apiserver.samples import changed

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from seatrial.api.status import ModelDeploymentStatus
    from tests.apiserver.conftest import ApiServer
    from tests.apiserver.controller.stage import Stage

pytestmark = pytest.mark.usefixtures("policy")

COLUMNS = ["NAME", "PHASE", "STEP", "WEIGHT", "STABLE", "CANDIDATE", "VERDICT", "BUDGET", "AGE"]
LONG = [{"weight": 10, "for": "1h"}, {"weight": 50, "for": "1h"}]
GATED: list[dict[str, Any]] = [
    {"weight": 10, "for": "0s"},
    {"gate": {"name": "review", "approvals": 2}},
    {"weight": 50, "for": "1h"},
]


class Terminal:
    """Runs the plugin as one person or another."""

    def __init__(self, stage: Stage, api_server: ApiServer) -> None:
        self._stage = stage
        self._api_server = api_server

    async def run(self, *words: str, person: str | None = None) -> Result:
        kubeconfig = self._api_server.kubeconfig_of(person) if person else self._api_server.kubeconfig
        where = ["-n", self._stage.namespace]
        environment = {"KUBECONFIG": str(kubeconfig), "COLUMNS": "200"}
        return await asyncio.to_thread(CliRunner().invoke, main, [*words, *where], env=environment)

    async def ask(self, verb: str, *options: str, person: str | None = None) -> tuple[int, str]:
        """Ask something of the model ``scorer``; return the exit code and what was said."""
        result = await self.run(verb, "scorer", *options, person=person)
        assert not result.exception or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output.strip()


@pytest.fixture
def terminal(stage: Stage, api_server: ApiServer) -> Terminal:
    for person, role in (("alice", "seatrial-commander"), ("bob", "seatrial-approver"), ("carol", "seatrial-view")):
        binding = ("rolebinding", person, f"--clusterrole={role}", f"--user={person}", "-n", stage.namespace)
        assert api_server.kubectl("create", *binding).returncode == 0
    return Terminal(stage, api_server)


async def begin(stage: Stage, steps: list[dict[str, Any]], **changes: Any) -> tuple[str, str]:
    """Let version 2 be on trial beside version 1; return both."""
    first = await stage.deploy("1", spec__strategy__steps=steps, **changes)
    await stage.until(rests_on(first))
    second = await stage.deploy("2", spec__strategy__steps=steps, **changes)
    await stage.until(on_trial(second))
    return first, second


def stands_at(step: str) -> Any:
    def holds(status: ModelDeploymentStatus) -> bool:
        return status.phase is Phase.TRIAL and status.step == step

    return holds


async def test_a_gate_opens_when_two_people_with_the_right_say_promote(stage: Stage, terminal: Terminal) -> None:
    async with stage.operator():
        await begin(stage, GATED)
        await stage.until(stands_at("2/3"))
        code, said = await terminal.ask("promote", person="alice")
        assert (code, "need the verb `approve`" in said) == (Exit.OTHERWISE, True)
        assert await terminal.ask("promote", person="bob") == (Exit.DONE, "Done: gate review waits for 1 more")
        code, said = await terminal.ask("promote", person="bob")
        assert (code, said) == (Exit.OTHERWISE, "Refused: bob has already said promote at gate review")
        assert await terminal.ask("promote") == (Exit.DONE, "Done: gate review is open")
        status = await stage.until(stands_at("3/3"))
        assert [(answer.by, answer.verified, answer.outcome) for answer in status.answers] == [
            ("admin", True, "Done"),
            ("bob", True, "Refused"),
            ("bob", True, "Done"),
        ]
        code, said = await terminal.ask("promote", "--gate", "review")
        assert (code, "gate review is not where the trial stands" in said) == (Exit.OTHERWISE, True)


async def test_promote_passes_a_step_and_full_all_that_are_left(stage: Stage, terminal: Terminal) -> None:
    async with stage.operator():
        _, second = await begin(stage, LONG)
        assert (await terminal.ask("promote"))[0] == Exit.DONE
        await stage.until(stands_at("2/2"))
        waits = asyncio.create_task(terminal.run("watch", "scorer", "--until", "settled", "--timeout", "20s"))
        await asyncio.sleep(0.5)
        assert (await terminal.ask("promote", "--full", "--reason", "seen enough"))[0] == Exit.DONE
        await stage.until(rests_on(second))
        watched = await waits
        assert (watched.exit_code, "settled: version 2" in watched.stderr) == (Exit.DONE, True)
        assert f"{stage.namespace}/scorer Trial 2/2, weight 50 %" in watched.stdout


async def test_a_pause_holds_the_steps_until_it_is_taken_back(stage: Stage, terminal: Terminal) -> None:
    steps = [{"weight": 10, "for": "0s"}, {"weight": 50, "for": "0s"}]
    async with stage.operator():
        first = await stage.deploy("1", spec__strategy__steps=steps)
        await stage.until(rests_on(first))
        assert (await terminal.ask("pause", "--reason", "a holiday", person="alice"))[0] == Exit.DONE
        assert (await terminal.ask("pause"))[1] == "Refused: pause: alice has paused it already"
        second = await stage.deploy("2", spec__strategy__steps=steps)
        await asyncio.sleep(1)
        assert (await stage.status()).phase in {Phase.STABLE, Phase.STARTING}
        described = await terminal.run("describe", "scorer")
        assert "paused by alice" in described.stdout
        assert "a holiday" in described.stdout
        assert (await terminal.ask("resume"))[0] == Exit.DONE
        await stage.until(rests_on(second))
        assert (await terminal.ask("resume"))[1] == "Refused: resume: nothing is paused"


async def test_abort_and_retry(stage: Stage, terminal: Terminal) -> None:
    async with stage.operator():
        first, second = await begin(stage, LONG)
        assert (await terminal.ask("abort", person="alice"))[0] == Exit.DONE
        await stage.until(rests_on(first, Phase.ROLLED_BACK))
        assert (await terminal.run("watch", "scorer", "--until", "rolled-back")).exit_code == Exit.DONE
        assert (await terminal.run("watch", "scorer", "--until", "promoted")).exit_code == Exit.OTHERWISE
        assert (await terminal.ask("abort"))[0] == Exit.OTHERWISE
        assert (await terminal.ask("retry"))[0] == Exit.DONE
        await stage.until(on_trial(second))
        assert (await terminal.ask("retry"))[1] == "Refused: retry: version 2 was not rolled back"


async def test_rollback_returns_to_the_version_before(stage: Stage, terminal: Terminal) -> None:
    kept: dict[str, Any] = {
        "spec__strategy__steps": [{"weight": 10, "for": "0s"}],
        "spec__strategy__keep": {"versions": 1, "for": "1h"},
    }
    async with stage.operator():
        first = await stage.deploy("1", **kept)
        await stage.until(rests_on(first))
        second = await stage.deploy("2", **kept)
        await stage.until(rests_on(second))
        code, said = await terminal.ask("rollback", "--to", "seven")
        known = f"Refused: rollback: seven is not there any more; to be returned to: 1 ({first})"
        assert (code, said) == (Exit.OTHERWISE, known)
        assert (await terminal.ask("rollback", "--reason", "complaints"))[0] == Exit.DONE
        await stage.until(lambda status: status.stable is not None and status.stable.hash == first)
        history = json.loads((await terminal.run("history", "scorer", "-o", "json")).stdout)
        assert history["history"][0]["outcome"] == "Returned"
        assert history["answers"][0]["reason"] == "complaints"


async def test_a_freeze_ends_by_itself(stage: Stage, terminal: Terminal) -> None:
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1", spec__strategy__steps=LONG)))
        assert (await terminal.ask("freeze", "--for", "3s"))[0] == Exit.DONE
        second = await stage.deploy("2", spec__strategy__steps=LONG)
        status = await stage.until(lambda status: any(c.reason == "Paused" for c in status.conditions))
        assert status.paused is not None
        await stage.until(on_trial(second))
        assert (await stage.status()).paused is None


async def test_an_override_needs_a_reason_an_end_and_the_right(stage: Stage, terminal: Terminal) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    async with stage.operator():
        await begin(stage, LONG)
        assert (await terminal.ask("override", "--reason", "known"))[0] == Exit.USAGE
        assert (await terminal.ask("override", "--until", end))[0] == Exit.USAGE
        asked = ("override", "--until", end, "--reason", "a known fault of the meter")
        assert (await terminal.ask(*asked, person="alice"))[0] == Exit.OTHERWISE
        assert (await terminal.ask(*asked, person="bob"))[0] == Exit.DONE
        status = await stage.until(lambda status: status.override is not None)
        assert status.override is not None
        assert (status.override.by, status.override.reason) == ("bob", "a known fault of the meter")


@pytest.mark.parametrize("verb", ["promote", "abort", "retry", "resume", "rollback"])
async def test_where_nothing_is_underway_a_verb_is_refused_with_a_sentence(
    stage: Stage, terminal: Terminal, verb: str
) -> None:
    async with stage.operator():
        await stage.until(rests_on(await stage.deploy("1")))
        code, said = await terminal.ask(verb)
        assert code == Exit.OTHERWISE
        assert said.startswith(f"Refused: {verb}: ")


@pytest.mark.parametrize("how", [[], ["--server-side", "--field-manager=git"]], ids=["client-side", "server-side"])
async def test_commands_stay_out_of_the_way_of_the_manifest(
    stage: Stage, terminal: Terminal, api_server: ApiServer, how: list[str]
) -> None:
    manifest = changed(MODEL, metadata__namespace=stage.namespace, spec__strategy__steps=LONG)
    applied = api_server.kubectl("apply", *how, "-f", "-", stdin=manifest)
    assert applied.returncode == 0, applied.stderr
    async with stage.operator():
        await stage.until(lambda status: status.phase is Phase.STABLE)
        assert (await terminal.ask("pause"))[0] == Exit.DONE
        assert (await terminal.ask("resume"))[0] == Exit.DONE
        live = api_server.get("modeldeployment", "scorer", "-n", stage.namespace, "--show-managed-fields")
        assert [command["verb"] for command in live["spec"]["commands"]] == ["resume"]  # what was answered is pruned
        owners = {entry["manager"] for entry in live["metadata"]["managedFields"] if "f:commands" in str(entry)}
        assert owners == {"kubectl-seatrial"}
        difference = api_server.kubectl("diff", *how, "-f", "-", stdin=manifest)
        assert (difference.returncode, difference.stdout, difference.stderr) == (0, "", "")
        again = api_server.kubectl("apply", *how, "-f", "-", stdin=manifest)
        assert (again.returncode, again.stderr) == (0, "")
        kept = api_server.get("modeldeployment", "scorer", "-n", stage.namespace)
        assert kept["spec"]["commands"] == live["spec"]["commands"]


async def test_two_people_who_ask_at_once_are_both_heard(stage: Stage, terminal: Terminal) -> None:
    await stage.deploy("1")
    asked = [terminal.ask("pause", "--wait", "1s") for _ in range(3)]
    assert [code for code, _ in await asyncio.gather(*asked)] == [Exit.TIMEOUT] * 3
    live = await stage.user.get("ModelDeployment", stage.namespace, "scorer")
    assert live is not None
    assert len(live["spec"]["commands"]) == 3
    async with stage.operator():
        status = await stage.until(lambda status: len(status.answers) == 3)
    assert sorted(answer.outcome for answer in status.answers) == ["Done", "Refused", "Refused"]


async def test_reading_verbs_show_the_same_in_each_form(stage: Stage, terminal: Terminal) -> None:
    async with stage.operator():
        _, second = await begin(stage, LONG)
        table = (await terminal.run("get", person="carol")).stdout.splitlines()
        assert table[0].split() == COLUMNS
        assert table[1].split()[:6] == ["scorer", "Trial", "1/2", "10", "1", "2"]
        (line,) = json.loads((await terminal.run("get", "-o", "json")).stdout)
        assert (line["name"], line["weight"], line["candidate"]) == ("scorer", 10, "2")
        document = yaml.safe_load((await terminal.run("describe", "scorer", "-o", "yaml")).stdout)
        assert document["status"]["candidate"]["hash"] == second
        everywhere = await asyncio.to_thread(CliRunner().invoke, main, ["get", "-A", "-o", "json"])
        assert stage.namespace in {entry["namespace"] for entry in json.loads(everywhere.stdout)}
        described = (await terminal.run("describe", "scorer")).stdout
        assert f"candidate   2   {second}   10 % of the requests" in described
        assert "slo/availability" in described


async def test_what_is_not_there_or_not_allowed_is_said_in_one_sentence(stage: Stage, terminal: Terminal) -> None:
    for words in (["get", "nobody"], ["watch", "nobody"], ["pause", "nobody"]):
        result = await terminal.run(*words)
        assert (result.exit_code, "There is no ModelDeployment nobody" in result.output) == (Exit.UNREACHABLE, True)
    await stage.deploy("1")
    code, said = await terminal.ask("pause", person="carol")
    assert (code, "forbidden" in said) == (Exit.OTHERWISE, True)
    result = await terminal.run("watch", "scorer", "--until", "promoted", "--timeout", "1s")
    assert (result.exit_code, "Not promoted within 1s" in result.output) == (Exit.TIMEOUT, True)
    assert (await terminal.run("get", "--context", "nowhere")).exit_code == Exit.UNREACHABLE


async def test_a_watch_ends_when_the_object_goes(stage: Stage, terminal: Terminal) -> None:
    await stage.deploy("1")
    waits = asyncio.create_task(terminal.run("watch", "scorer", "--until", "promoted", "--timeout", "20s"))
    await asyncio.sleep(1)
    await stage.remove("ModelDeployment", "scorer")
    watched = await waits
    assert (watched.exit_code, "was deleted" in watched.output) == (Exit.OTHERWISE, True)


def test_kubectl_finds_the_plugin_and_completes_names(
    stage: Stage, api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, start in (("kubectl-seatrial", "plugin"), ("kubectl_complete-seatrial", "complete")):
        script = tmp_path / name
        script.write_text(f"#!{sys.executable}\nfrom seatrial.cli.plugin.kubectl import {start}\n{start}()\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'operator'}")
    model = changed(MODEL, metadata__namespace=stage.namespace)
    assert api_server.kubectl("create", "-f", "-", stdin=model).returncode == 0
    shown = run("seatrial", "get", "-n", stage.namespace)
    assert shown.splitlines()[1].split()[:2] == ["scorer", "Pending"]
    completed = run("__complete", "seatrial", "describe", "-n", stage.namespace, "sc")
    assert completed.splitlines()[:2] == ["scorer", ":4"]


def run(*words: str) -> str:
    """Run the kubectl that is on PATH."""
    done = subprocess.run([*kubectl(), *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
