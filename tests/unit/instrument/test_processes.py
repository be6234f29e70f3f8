"""Several processes count, one page shows: with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from seatrial_instrument.cells import SharedCells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seatrial_instrument import Profile

HERE = Path(__file__).parent
PORT_LINE = "Listening at: http://127.0.0.1:"


def in_child(work: object) -> None:
    """Run something in a forked process and wait for its end."""
    child = os.fork()
    if child == 0:
        try:
            work()  # type: ignore[operator] # it is a function
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def test_processes_add_up_and_a_dead_one_leaves_its_file_to_the_next(tmp_path: Path) -> None:
    mine = SharedCells(tmp_path, "m", 3)
    mine.values += 1

    def other() -> None:
        mine.after_fork()
        mine.values[1] += 5

    for _ in range(3):
        in_child(other)
    assert mine.total().tolist() == [1, 16, 1]
    assert len(list(tmp_path.iterdir())) == 2


def test_other_layouts_and_unfinished_files_are_left_alone(tmp_path: Path) -> None:
    SharedCells(tmp_path, "other", 3).values[:] = 9
    (tmp_path / "m.7.cells").touch()
    cells = SharedCells(tmp_path, "m", 3)
    cells.values += 2
    assert cells.total().tolist() == [2, 2, 2]


def test_counts_of_many_processes_at_once_are_exact(tmp_path: Path) -> None:
    parent = SharedCells(tmp_path, "m", 1)
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            parent.after_fork()
            for _ in range(2000):
                parent.values += 1
            os._exit(0)
        children.append(child)
    seen = [parent.total()[0] for _ in range(200)]
    for child in children:
        os.waitpid(child, 0)
    assert seen == sorted(seen)
    assert parent.total()[0] == 12000


@pytest.fixture
def server(tmp_path: Path, reference: Profile) -> Iterator[str]:
    """Serve by gunicorn: two workers, forked after the instrument was made, each replaced after some requests."""
    reference.save(tmp_path / "profile.json")
    (tmp_path / "counts").mkdir()
    log = tmp_path / "gunicorn.log"
    command = [
        sys.executable, "-m", "gunicorn", "--workers", "2", "--preload", "--bind", "127.0.0.1:0", "--no-control-socket",
        "--max-requests", "40", "--chdir", str(HERE), "wsgi_app:app",
    ]  # fmt: skip
    environment = os.environ | {
        "PROFILE": str(tmp_path / "profile.json"),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with log.open("w") as stream:
        process = subprocess.Popen(command, stderr=stream, stdout=stream, env=environment)
    try:
        deadline_s = time.monotonic() + 60
        while PORT_LINE not in (text := log.read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < deadline_s, text
            time.sleep(0.05)
        yield "http://127.0.0.1:" + text.split(PORT_LINE)[1].split()[0]
    finally:
        process.terminate()
        process.wait(30)


def get(url: str, data: bytes | None = None) -> str:
    deadline_s = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, data, timeout=10) as answer:  # noqa: S310 # the server above
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):  # a worker that was just replaced
            assert time.monotonic() < deadline_s
            time.sleep(0.05)


def test_prefork_workers_that_come_and_go_show_one_page(server: str, tmp_path: Path) -> None:
    pids = set()
    for _ in range(200):
        pids.add(get(f"{server}/predict", b"{}"))
    assert len(pids) > 2
    deadline_s = time.monotonic() + 10
    while 'ml_model_requests_total{error_type="",model_name="fraud"} 200.0' not in (page := get(f"{server}/metrics")):
        assert time.monotonic() < deadline_s, page  # what one worker has just counted the others show a moment later
        time.sleep(0.05)
    assert 'ml_model_feature_observations_total{feature="age",model_name="fraud"} 400.0' in page
    assert 'ml_model_predictions_total{model_name="fraud",outcome="ok",reason=""} 400.0' in page
    assert 'ml_model_reference_feature_observations{feature="age",model_name="fraud"} 2000.0' in page
    assert len(list((tmp_path / "counts").glob("*.cells"))) <= 6
    assert np.isfinite(float(page.split("ml_model_request_duration_seconds_sum")[1].split()[1]))
