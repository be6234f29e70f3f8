"""What the commands say to people: errors, states, reports."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.diagnose import _routes, _targets, sick
from cluster.errors import ClusterError
from cluster.health import Health
from cluster.layout import CHECKOUT
from cluster.shell import run, tail


def _cluster(cache: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cluster", *words],
        cwd=CHECKOUT, env=os.environ | {"SEATRIAL_CACHE": str(cache)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_a_cluster_every_command_says_how_to_get_one(tmp_path: Path) -> None:
    for words in (["run", "--", "true"], ["diagnose"], ["image", "a/b:c", "."]):
        done = _cluster(tmp_path, *words)
        assert done.returncode == 1
        assert "make cluster" in done.stderr
        assert "Traceback" not in done.stderr


def test_status_of_nothing_is_a_failure_for_programs_too(tmp_path: Path) -> None:
    done = _cluster(tmp_path, "status", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["healthy"] is False


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    done = _cluster(tmp_path, "down")
    assert done.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_failing_program_shows_its_last_words() -> None:
    with pytest.raises(ClusterError, match=r"(?s)doing it: .*ended with 3:\n.*\nlast words\nTry this"):
        run(["sh", "-c", "seq 100; echo last words >&2; exit 3"], "doing it", hint="Try this")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ClusterError, match="the program no-such-program is not there"):
        run(["no-such-program"], "doing it")


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(ClusterError, match=r"(?s)no end within 0 s.*thinking"):
        run(["sh", "-c", "echo thinking >&2; sleep 60"], "doing it", timeout_s=0.3)


def test_a_tail_has_no_empty_lines() -> None:
    assert tail("a\n\nb\n\n", 1) == "b"


def _pod(**state: Any) -> dict[str, Any]:
    return {"status": {"phase": "Running", "containerStatuses": [{"name": "model", "restartCount": 0} | state]}}


def test_sick_pods_are_told_from_healthy_ones() -> None:
    assert sick(_pod(ready=True, state={"running": {}})) == []
    assert sick(_pod(ready=False, state={"terminated": {"reason": "Completed"}})) == []
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    assert sick(_pod(ready=False, restartCount=4, state=waiting)) == ["model: CrashLoopBackOff back-off, 4 restarts"]
    killed = _pod(ready=True, restartCount=1, state={"running": {}}, lastState={"terminated": {"reason": "OOMKilled"}})
    assert sick(killed) == ["model: OOMKilled, 1 restarts"]


def test_a_pod_that_finds_no_place_says_why() -> None:
    conditions = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]
    assert sick({"status": {"phase": "Pending", "conditions": conditions}}) == ["PodScheduled: 0/1 nodes are available"]


def test_routes_show_weights_and_what_the_gateway_refuses() -> None:
    route = {
        "metadata": {"namespace": "ml", "name": "m"},
        "spec": {"hostnames": ["m.example"], "rules": [{"backendRefs": [{"name": "a", "weight": 90}, {"name": "b"}]}]},
        "status": {"parents": [{"conditions": [{"type": "Accepted", "status": "False", "message": "no listener"}]}]},
    }
    assert _routes(json.dumps({"items": [route]})).splitlines() == [
        "ml/m m.example: a=90 b=1",
        "ml/m Accepted=False: no listener",
    ]
    assert _routes("the server could not be reached") == "the server could not be reached"


def test_targets_show_why_a_scrape_fails() -> None:
    target = {"health": "down", "scrapeUrl": "http://a/metrics", "labels": {"pod": "a"}, "lastError": "refused"}
    assert "down http://a/metrics {'pod': 'a'} refused" in _targets(json.dumps({"data": {"activeTargets": [target]}}))
    assert _targets("no answer") == "no answer"


def test_a_cluster_that_lacks_pods_or_its_api_is_not_healthy() -> None:
    assert Health("node", current=True, api=True).healthy
    assert not Health("node", current=True, api=False).healthy
    lacking = Health("node", current=False, api=True, waiting=("monitoring/prometheus",), checkout="/there")
    said = " ".join(lacking.sentences())
    assert not lacking.healthy
    assert "monitoring/prometheus lacks pods" in said
    assert "replaces it" in said
