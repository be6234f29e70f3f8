import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.layout import CHECKOUT
from cluster.record import identify
from cluster.supervisor import answers


def _until(truth: Callable[[], bool], within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not truth():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@contextmanager
def _supervisor(folder: Path, components: list[dict[str, object]]) -> Iterator[subprocess.Popen[bytes]]:
    specification = folder / "components.json"
    specification.write_text(json.dumps({"components": components, "logs": str(folder), "namespace_address": ""}))
    command = [sys.executable, "-m", "cluster.supervisor", str(specification)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def _put_on_record(supervisor: subprocess.Popen[bytes]) -> None:
    assert supervisor.stdin is not None
    supervisor.stdin.write(b"go\n")
    supervisor.stdin.close()


def _writer(folder: Path, name: str, then: str = "sleep 60") -> dict[str, object]:
    return {"name": name, "command": ["sh", "-c", f"echo $$ >> {folder}/{name}.pids; {then}"], "serves": "", "env": {}}


def _pids(folder: Path, name: str) -> list[int]:
    file = folder / f"{name}.pids"
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def test_nothing_starts_before_it_is_on_record(tmp_path: Path) -> None:
    with _supervisor(tmp_path, [_writer(tmp_path, "one")]) as supervisor:
        supervisor.communicate()  # its input ends without a word
        assert supervisor.returncode != 0
    assert _pids(tmp_path, "one") == []


def test_what_ends_is_started_again_and_everything_ends_with_the_supervisor(tmp_path: Path) -> None:
    with _supervisor(
        tmp_path, [_writer(tmp_path, "steady", "exec sleep 60"), _writer(tmp_path, "short", "exit 3")]
    ) as it:
        _put_on_record(it)
        _until(lambda: len(_pids(tmp_path, "short")) >= 2)
        steady = _pids(tmp_path, "steady")
        assert len(steady) == 1
        it.send_signal(signal.SIGTERM)
        it.wait(15)
    assert identify(steady[0]) is None


def test_a_killed_supervisor_takes_its_components_along(tmp_path: Path) -> None:
    with _supervisor(tmp_path, [_writer(tmp_path, "steady", "exec sleep 60")]) as it:
        _put_on_record(it)
        _until(lambda: bool(_pids(tmp_path, "steady")))
        os.kill(it.pid, signal.SIGKILL)
        it.wait(5)
    _until(lambda: identify(_pids(tmp_path, "steady")[0]) is None)


def test_a_component_waits_for_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listen = f"s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); s.listen()"
    serve = f"import socket, time; time.sleep(0.5); {listen}; time.sleep(60)"
    first: dict[str, object] = {
        "name": "first", "command": [sys.executable, "-c", serve], "serves": str(path), "env": {},
    }  # fmt: skip
    second = _writer(tmp_path, "second", f"test -S {path} && echo after > {tmp_path}/order; exec sleep 60")
    with _supervisor(tmp_path, [first, second]) as it:
        _put_on_record(it)
        _until(lambda: bool(_pids(tmp_path, "second")))
        _until((tmp_path / "order").exists)
        it.terminate()
        it.wait(15)


def test_an_address_answers_when_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert answers(address)
    assert not answers(address)
    assert not answers("/there/is/no/socket")
    assert not answers(f"https://{address}/readyz")
