import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.record import Process, Record, alive, end, identify, read_record, record_from_json, start_time

RECORD = Record("node", "k", Process(7, 11, "boot"), "http://g:1", "http://p:2", "somewhere", {"more": "x"})


def test_a_record_survives_being_written_and_read() -> None:
    assert record_from_json(RECORD.to_json()) == RECORD
    assert record_from_json(replace(RECORD, process=None).to_json()).process is None


def test_what_a_newer_version_adds_to_a_record_does_not_hide_the_process_that_must_be_ended() -> None:
    text = RECORD.to_json().replace('"level"', '"invented": 1, "level"')
    assert record_from_json(text).process == RECORD.process


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"level": "node"}'])
def test_what_is_no_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)
    assert read_record(tmp_path / "record.json") is None
    assert read_record(tmp_path / "missing.json") is None


def test_a_command_with_brackets_and_spaces_does_not_shift_the_start_time() -> None:
    fields = " ".join(str(number) for number in range(3, 53))
    assert start_time(f"12 (a) b) (c) {fields}") == 22


def test_this_process_is_itself_and_no_other() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert alive(me)
    assert not alive(replace(me, started=me.started - 1))
    assert not alive(replace(me, boot="another"))


def test_a_recycled_number_is_never_killed() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        known = identify(other.pid)
        assert known is not None
        end(replace(known, started=known.started - 1), grace_s=0)
        assert other.poll() is None
        end(known, grace_s=5)
        assert other.wait(5) < 0


def test_one_that_ignores_the_request_is_killed() -> None:
    stubborn = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]
    with subprocess.Popen(stubborn, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        known = identify(process.pid)
        assert known is not None
        end(known, grace_s=0.3)
        assert process.wait(5) == -9


def test_a_process_that_waits_to_be_reaped_counts_as_gone() -> None:
    with subprocess.Popen(["true"]) as process:
        for _ in range(200):
            if identify(process.pid) is None:
                break
            subprocess.run(["sleep", "0.02"], check=True)
        assert identify(process.pid) is None
