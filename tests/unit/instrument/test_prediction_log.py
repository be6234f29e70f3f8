"""What is told to a joiner: everything that can be told, whatever comes with it, until the very end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from seatrial_instrument import Instrument, Profile, Request, current
from seatrial_instrument.prediction_log import PredictionLog
from seatrial_instrument.waiting import Told

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


class FakeJoiner(ThreadingHTTPServer):
    """Keeps the lines that it is told, and answers what a test wants."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lines: list[dict[str, Any]] = []
        self.versions: list[dict[str, str]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: FakeJoiner

    def do_POST(self) -> None:
        lines = [json.loads(line) for line in self.rfile.read(int(self.headers["content-length"])).splitlines()]
        code, body = 204, b""
        if self.path == "/versions":
            self.server.versions += lines
        else:
            code, body = self.server.answers.pop(0) if self.server.answers else (204, b"")
            self.server.lines += lines if code == 204 else []
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # type: ignore[explicit-override] # noqa: A002 # new in 3.12
        """Say nothing."""


@pytest.fixture
def joiner() -> Iterator[FakeJoiner]:
    made = FakeJoiner()
    yield made
    made.shutdown()
    made.server_close()


class NAType:
    """As pandas' NA: to compare it gives no truth."""

    def __eq__(self, other: object) -> bool:  # type: ignore[explicit-override] # new in 3.12
        raise TypeError

    __ne__ = __eq__
    __hash__ = object.__hash__


@pytest.mark.parametrize(
    ("odd", "more"),
    [
        (np.zeros((3, 2)), {}),
        (np.array([1.0, 2.0]), {"confidence": [0.5]}),
        ([["1", "0"]], {}),
        ([{"score": 1}], {}),
        ([1.0, 2.0], {"failed": [True]}),
        ([1.0], {"slices": {"region": ["eu", "us"]}}),
        ([10**5000], {}),
    ],
)
def test_an_odd_answer_costs_no_other(
    joiner: FakeJoiner, caplog: pytest.LogCaptureFixture, odd: Any, more: dict[str, Any]
) -> None:
    log = PredictionLog(joiner.url, "shop", "v1")
    for number in range(3):
        log.tell(Request(f"before{number}"), Told([1.0]))
    log.tell(Request("odd"), Told(odd, **more))
    log.tell(Request("after"), Told([1.0]))
    log.close()
    assert [line["request_id"] for line in joiner.lines] == ["before0", "before1", "before2", "after"]
    assert (log.untold(), log.untold()) == (1, 0)
    assert "an answer could not be told" in caplog.text
    assert "score" not in caplog.text


def test_what_is_no_number_is_an_error_and_what_numpy_has_is_pythons_own(joiner: FakeJoiner) -> None:
    log = PredictionLog(joiner.url, "shop", "v1")
    log.tell(Request("a"), Told([1.0, NAType(), None, float("nan"), float("inf"), np.int64(2), True]))
    log.tell(Request("b"), Told(["x"], confidence=[float("nan")]))
    log.close()
    assert [line["predicted"] for line in joiner.lines] == [1.0, None, None, None, None, 2, True, "x"]
    assert joiner.lines[-1]["confidence"] is None
    assert log.untold() == 0


def test_what_the_joiner_refuses_is_counted_and_the_rest_is_not_sent_again(
    joiner: FakeJoiner, caplog: pytest.LogCaptureFixture
) -> None:
    joiner.answers = [(400, b"2 of 5 lines are refused, and the others taken: Ms Miller")]
    log = PredictionLog(joiner.url, "shop", "v1")
    instrument = Instrument(Profile(1, ("x",), ()), "m", registry=(registry := CollectorRegistry()), log=log)
    token = current.set(Request("a"))
    instrument.observe(predictions=[1.0] * 5)
    current.reset(token)
    instrument.close()
    assert registry.get_sample_value("ml_model_instrument_errors_total", {"model_name": "m"}) == 2
    assert "the joiner has refused 2 of 5 answers" in caplog.text
    assert "Miller" not in caplog.text
    assert joiner.lines == []


@pytest.mark.parametrize("code", [401, 429, 500, 503])
def test_a_joiner_that_is_not_itself_is_asked_again(joiner: FakeJoiner, code: int) -> None:
    joiner.answers = [(code, b"")]
    log = PredictionLog(joiner.url, "shop", "v1")
    log.tell(Request("a"), Told([1.0]))
    deadline_s = time.monotonic() + 20
    while not joiner.lines:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    log.close()
    assert len(joiner.lines) == 1
    assert log.untold() == 0


def test_many_rows_are_sent_in_parts(joiner: FakeJoiner) -> None:
    joiner.answers = [(413, b"")]  # the first part
    log = PredictionLog(joiner.url, "shop", "v1")
    for number in range(4):
        log.tell(Request(f"r{number}"), Told(np.ones(600)))
    log.close()
    assert {line["request_id"] for line in joiner.lines} == {"r2", "r3"}
    assert log.untold() == 1200


def test_a_version_is_announced_before_its_first_answer(joiner: FakeJoiner) -> None:
    log = PredictionLog(joiner.url, "shop", "v1")
    deadline_s = time.monotonic() + 20
    while not joiner.versions:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert joiner.versions == [{"rollout": "shop", "version": "v1"}]
    log.close()


def test_the_end_waits_for_no_joiner_that_is_away(joiner: FakeJoiner, caplog: pytest.LogCaptureFixture) -> None:
    joiner.shutdown()  # it listens, and never answers
    log = PredictionLog(joiner.url, "shop", "v1")
    log.tell(Request("a"), Told([1.0]))
    began_s = time.monotonic()
    log.close(within_s=0.5)
    assert time.monotonic() - began_s < 2
    assert "1 answers could not be told" in caplog.text


def environment(joiner: FakeJoiner) -> dict[str, str]:
    return os.environ | {"JOINER": joiner.url, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)])}


def test_a_process_that_ends_tells_what_waits(joiner: FakeJoiner) -> None:
    program = (
        "from told_app import instrument, log\n"
        "from seatrial_instrument import Request, current\n"
        "for number in range(50):\n"
        "    current.set(Request(str(number)))\n"
        "    instrument.observe(predictions=['1'])\n"
    )
    subprocess.run([sys.executable, "-c", program], env=environment(joiner), check=True, timeout=60)
    assert len(joiner.lines) == 50


@pytest.mark.parametrize(
    "server",
    [
        ("uvicorn", "told_app:asgi", "--port", "{port}"),
        ("uvicorn", "told_app:asgi", "--workers", "2", "--port", "{port}"),
        ("gunicorn", "told_app:wsgi", "--no-control-socket", "--bind", "127.0.0.1:{port}"),
        ("gunicorn", "told_app:wsgi", "--preload", "--no-control-socket", "--bind", "127.0.0.1:{port}"),
    ],
    ids=["uvicorn", "uvicorn with workers", "gunicorn", "gunicorn after a fork"],
)
def test_a_server_that_is_told_to_end_tells_what_waits(
    joiner: FakeJoiner, server: tuple[str, ...], unused_tcp_port: int, tmp_path: Path
) -> None:
    command = [part.replace("{port}", str(unused_tcp_port)) for part in server]
    with (tmp_path / "log").open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment(joiner), stdout=stream, stderr=stream
        )
    url = f"http://127.0.0.1:{unused_tcp_port}/"
    told = 0
    try:
        deadline_s = time.monotonic() + 60
        while told < 20:
            assert time.monotonic() < deadline_s, (tmp_path / "log").read_text()
            try:
                with urllib.request.urlopen(url, b"{}", timeout=10):
                    told += 1
            except OSError:
                time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    finally:
        process.kill()
        process.wait(30)
    assert len(joiner.lines) == told, (tmp_path / "log").read_text()
