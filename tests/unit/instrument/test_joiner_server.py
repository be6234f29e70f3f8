"""A real joiner process, told by a real prediction log over HTTP."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from seatrial_instrument import Instrument, Kind, Options, Profile, Request, current
from seatrial_instrument.joiner_cli import main
from seatrial_instrument.prediction_log import PredictionLog
from seatrial_instrument.waiting import Told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "s3cret"  # noqa: S105 # of this test


def start(folder: Path, listen: str = "127.0.0.1:0") -> tuple[subprocess.Popen[str], str]:
    """Start a joiner that scores a prediction after a second; return it and its address."""
    command = [
        sys.executable, "-m", "seatrial_instrument.joiner_cli", "--model-name", "m", "--data", str(folder / "j.db"),
        "--maturity", "1s", "--keep", "1h", "--tolerance", "0.25", "--error-edges", "0.1,1", "--slice", "region=eu,us",
        "--listen", listen,
    ]  # fmt: skip
    environment = os.environ | {"SEATRIAL_JOINER_TOKEN": SECRET, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().split()[-1]
    return process, address


@pytest.fixture
def joiner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process, address = start(tmp_path)
    yield process, f"http://{address}"
    process.kill()
    process.wait(20)


def post(url: str, lines: list[object] | bytes, token: str = SECRET) -> tuple[int, str]:
    body = lines if isinstance(lines, bytes) else "\n".join(json.dumps(line) for line in lines).encode()
    request = urllib.request.Request(url, body, {"authorization": f"Bearer {token}"})  # noqa: S310 # the server above
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 # see above
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 # the server above
        return str(answer.read().decode())


def wait_for(line: str, url: str) -> None:
    deadline_s = time.monotonic() + 20
    while line not in (page := get(f"{url}/metrics")):
        assert time.monotonic() < deadline_s, page
        time.sleep(0.05)


def as_request(request: Request, work: Callable[[], None]) -> None:
    token = current.set(request)
    work()
    current.reset(token)


def labels(version: str, more: str = "") -> str:
    return f'{{model_name="m",{more}rollout_name="shop",rollout_version="{version}"}}'


def test_answers_labels_and_mirrors_come_together(
    joiner: tuple[subprocess.Popen[str], str], reference: Profile, tmp_path: Path
) -> None:
    process, url = joiner
    servers = []
    for version in ("v1", "v2"):
        log = PredictionLog(url, "shop", version, token=SECRET)
        servers.append(Instrument(reference, "m", Options(strict=True), registry=CollectorRegistry(), log=log))
    stable, candidate = servers
    scores = np.array([0.5, 0.8])
    as_request(Request("r1"), lambda: stable.observe(predictions=scores, confidence=[0.9, 0.2], slices={}))
    scores[:] = 0  # a server may use its arrays again
    as_request(Request("r1", Kind.SHADOW), lambda: candidate.observe(predictions=[0.6, 0.2]))
    as_request(Request("r2"), lambda: stable.observe(predictions=[0.5], failed=True))
    told = post(
        f"{url}/labels", [{"request_id": "r1", "row": 0, "actual": 0.5}, {"request_id": "r1", "row": 1, "actual": 0.1}]
    )
    assert told == (204, "")
    wait_for(f"ml_model_matured_predictions_total{labels('v1')} 2.0", url)
    page = get(f"{url}/metrics")
    for result in ("right", "wrong"):
        name = f'{{actual="",model_name="m",predicted="",result="{result}",rollout_name="shop",rollout_version="v1"}}'
        assert f"ml_model_labeled_predictions_total{name} 1.0" in page
    for result, count in (("within_tolerance", 1), ("different", 1), ("equal", 0)):
        whose = f'{{model_name="m",result="{result}",rollout_name="shop",rollout_version="v2"}}'
        wait_for(f"ml_model_shadow_comparisons_total{whose} {count}.0", url)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    again, address = start(tmp_path)
    assert f"ml_model_matured_predictions_total{labels('v1')} 2.0" in get(f"http://{address}/metrics")
    again.kill()
    again.wait(20)


def test_a_log_keeps_its_answers_until_the_joiner_is_back(
    joiner: tuple[subprocess.Popen[str], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process, url = joiner
    process.kill()
    process.wait(20)
    log = PredictionLog(url, "shop", "v1", token=SECRET, capacity=3)
    with caplog.at_level(logging.WARNING):
        for number in range(5):
            log.tell(Request(f"r{number}"), Told([float(number)]))
        deadline_s = time.monotonic() + 20
        while "can't be reached" not in caplog.text:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
    again, _ = start(tmp_path, url.removeprefix("http://"))
    wait_for(f"ml_model_matured_predictions_total{labels('v1')} 3.0", url)  # two were dropped: the oldest
    log.close()
    again.kill()
    again.wait(20)


def test_a_forked_server_tells_its_own_answers(joiner: tuple[subprocess.Popen[str], str]) -> None:
    _, url = joiner
    log = PredictionLog(url, "shop", "v1", token=SECRET)
    log.tell(Request("parent"), Told([1.0]))
    child = os.fork()
    if child == 0:
        log.tell(Request("child"), Told([np.int64(2)]))
        log.close()
        os._exit(0)
    os.waitpid(child, 0)
    log.close()
    wait_for(f"ml_model_matured_predictions_total{labels('v1')} 2.0", url)


@pytest.mark.parametrize(
    ("path", "lines", "status", "why"),
    [
        ("/predictions", b"x", 400, "JSON object"),
        ("/predictions", [[1]], 400, "JSON object"),
        ("/predictions", [{"request_id": "a", "rollout": "r", "version": "v"}], 400, "missing: ['predicted']"),
        ("/labels", [{"request_id": "a", "actual": None}], 400, "field actual of a label has a wrong type"),
        ("/labels", [{"request_id": "a", "actual": float("nan")}], 400, "field actual"),
        ("/labels", [{"request_id": "a", "actual": 1, "name": "Ms Miller"}], 400, "missing: ['name']"),
        (
            "/predictions",
            [{"request_id": "a", "rollout": "r", "version": "v", "predicted": 1, "slices": {"a": 1}}],
            400,
            "slices",
        ),
        (
            "/predictions",
            [{"request_id": "a", "rollout": "r\ud800", "version": "v", "predicted": 1}],
            400,
            "the field rollout of a prediction must be 1 to 253 printable characters",
        ),
        ("/labels", [{"request_id": "a", "actual": 10**400}], 400, "field actual of a label is no number that can be"),
        (
            "/labels",
            [{"request_id": "a", "actual": 1, "at_s": 10**30}],
            400,
            "more than a day in the future; give Unix",
        ),
        ("/labels", [{"request_id": "a", "actual": 1, "at_s": -(10**400)}], 400, "field at_s of a label is no number"),
        (
            "/predictions",
            [{"request_id": "a", "rollout": "r", "version": "v", "predicted": 1, "at_s": time.time() * 1000}],
            400,
            "more than a day in the future; give Unix time in seconds",
        ),
        ("/labels", b"[" * 100_000, 400, "JSON object"),
        ("/versions", [{"rollout": "r", "version": ""}], 400, "field version of a announcement"),
        ("/elsewhere", [], 404, "POST /predictions, /labels or /versions"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(
    joiner: tuple[subprocess.Popen[str], str], path: str, lines: list[object] | bytes, status: int, why: str
) -> None:
    code, text = post(joiner[1] + path, lines)
    assert code == status
    assert why in text
    assert "Miller" not in text


def test_right_lines_are_taken_and_wrong_ones_numbered(joiner: tuple[subprocess.Popen[str], str]) -> None:
    _, url = joiner
    good = {"request_id": "a", "rollout": "shop", "version": "v1", "predicted": 1}
    code, text = post(f"{url}/predictions", [good, {**good, "request_id": "b", "predicted": [1]}, {"request_id": "c"}])
    assert code == 400
    assert text.startswith("2 of 3 lines are refused, and the others taken: the field predicted")
    wait_for(f"ml_model_matured_predictions_total{labels('v1')} 1.0", url)
    assert 'ml_model_joiner_errors_total{model_name="m",reason="refused"} 2.0' in get(f"{url}/metrics")


def test_a_version_that_is_announced_has_series_before_it_answers(joiner: tuple[subprocess.Popen[str], str]) -> None:
    _, url = joiner
    page = get(f"{url}/metrics")
    assert 'ml_model_label_maturity_seconds{model_name="m"} 1.0' in page  # born at start, and no version's
    assert "v1" not in page
    assert post(f"{url}/versions", [{"rollout": "shop", "version": "v1"}]) == (204, "")
    assert f"ml_model_matured_predictions_total{labels('v1')} 0.0" in get(f"{url}/metrics")


def test_a_stranger_is_turned_away_and_a_flood_too(joiner: tuple[subprocess.Popen[str], str]) -> None:
    _, url = joiner
    assert post(f"{url}/labels", [{"request_id": "a", "actual": 1}], token="wrong")[0] == 401  # noqa: S106 # on purpose
    flood = urllib.request.Request(  # noqa: S310 # see above
        f"{url}/labels", b"", {"authorization": f"Bearer {SECRET}", "content-length": "99999999"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(flood, timeout=10)  # noqa: S310 # see above
    assert refused.value.code == 413
    refused.value.close()
    assert get(f"{url}/healthz") == "ok\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(f"{url}/")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--maturity", "10"], "'10' is no duration"),
        (["--maturity", "1d", "--keep", "1h"], "mature after 86400 s but are kept for 3600 s only"),
        (["--maturity", "1d", "--slice", "eu"], "write NAME=A,B"),
        (["--maturity", "1d", "--error-edges", "1,x"], "no list of numbers"),
        (["--maturity", "1d", "--error-edges", "1,1"], "error edges: edges must be finite and rise"),
        (["--maturity", "1d", "--classes", "a,a"], "classes: a, a would count as one"),
        (["--maturity", "1d", "--listen", "joiner"], "write HOST:PORT"),
        (["--maturity", "1d", "--data", "/proc/none/j.db"], "can't be used as the joiner's file"),
    ],
)
def test_wrong_arguments_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    try:
        code: object = main(["--model-name", "m", "--data", str(tmp_path / "j.db"), *arguments])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "rollout", "why"),
    [("joiner:9465", "shop", "no address of a joiner"), ("http://joiner:9465", "", "SEATRIAL_MODEL")],
)
def test_a_log_must_know_where_and_who(url: str, rollout: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        PredictionLog(url, rollout, "v1")


def test_a_share_of_requests_is_told(joiner: tuple[subprocess.Popen[str], str]) -> None:
    _, url = joiner
    log = PredictionLog(url, "shop", "v1", token=SECRET, ratio=0.25)
    for number in range(400):
        log.tell(Request(f"r{number}"), Told(["cat"]))
    log.close()
    time.sleep(2.5)
    told = float(get(f"{url}/metrics").split(f"ml_model_matured_predictions_total{labels('v1')} ")[1].split()[0])
    assert 70 <= told <= 130
