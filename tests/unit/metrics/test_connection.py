"""The mounted Secret: what its files mean, that they are read again, and that no text shows them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from seatrial.metrics.connection import Connection, ConnectionFolder, Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://prometheus:9090"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def test_all_files_together(tmp_path: Path) -> None:
    write(tmp_path, {"url": f"{URL}/prefix\n", "ca.crt": "ca", "tls.crt": "c", "tls.key": "k", "token": "t0ken\n"})
    write(tmp_path, {"headers": "X-Scope-OrgID: tenant\n\nX-Other:  two words \n"})
    connection = ConnectionFolder(tmp_path).current()
    assert connection == Connection(
        url=f"{URL}/prefix",
        ca=tmp_path / "ca.crt",
        client=(tmp_path / "tls.crt", tmp_path / "tls.key"),
        headers=(("X-Scope-OrgID", "tenant"), ("X-Other", "two words"), ("Authorization", "Bearer t0ken")),
    )
    assert connection.place == f"{URL}/prefix"


def test_a_user_and_a_password(tmp_path: Path) -> None:
    write(tmp_path, {"url": URL, "username": "u", "password": "p"})
    assert ConnectionFolder(tmp_path).current().basic == ("u", "p")


def test_the_settings_url_is_used_without_a_file_and_without_a_folder(tmp_path: Path) -> None:
    assert ConnectionFolder(tmp_path, URL).current().url == URL
    assert ConnectionFolder(tmp_path / "absent", URL).current().url == URL


def test_the_same_connection_comes_back_until_a_file_changes(tmp_path: Path) -> None:
    write(tmp_path, {"url": URL, "token": "one"})
    folder = ConnectionFolder(tmp_path)
    first = folder.current()
    assert folder.current() is first
    write(tmp_path, {"token": "two"})
    os.utime(tmp_path / "token", (1, 1))
    assert folder.current().headers == (("Authorization", "Bearer two"),)
    (tmp_path / "token").unlink()
    assert folder.current().headers == ()


def test_a_rotation_by_the_kubelet_is_seen(tmp_path: Path) -> None:
    # A mounted Secret: each file is a link through ..data, which is swapped; times may stay the same.
    for name, token in (("..one", "one"), ("..two", "two")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, {"url": URL, "token": token})
        for file in ("url", "token"):
            os.utime(tmp_path / name / file, (1, 1))
    (tmp_path / "..data").symlink_to("..one")
    for file in ("url", "token"):
        (tmp_path / file).symlink_to(f"..data/{file}")
    folder = ConnectionFolder(tmp_path)
    assert folder.current().headers == (("Authorization", "Bearer one"),)
    (tmp_path / "swap").symlink_to("..two")
    (tmp_path / "swap").replace(tmp_path / "..data")
    assert folder.current().headers == (("Authorization", "Bearer two"),)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "holds no file named url"),
        ({"url": "prometheus:9090"}, "must look like http://"),
        ({"url": "http://prometheus:9o90"}, "must look like http://"),
        ({"url": "ftp://prometheus"}, "must look like http://"),
        ({"url": URL, "username": "u"}, "username and password"),
        ({"url": URL, "username": "u", "password": "p", "token": "t"}, "a token and a username"),
        ({"url": URL, "tls.crt": "c"}, "tls.crt and tls.key"),
        ({"url": URL, "headers": "X-Ok: 1\nsecretvalue"}, "line 2 of the file headers"),
        ({"url": URL, "token": "secretvalue\nX-Evil: 1"}, "the file token"),
    ],
)
def test_what_can_not_be_used_is_told_without_showing_it(tmp_path: Path, files: dict[str, str], why: str) -> None:
    write(tmp_path, files)
    with pytest.raises(Misconfigured, match=why) as refused:
        ConnectionFolder(tmp_path).current()
    assert "secretvalue" not in str(refused.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"url": URL})
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="can't be read as text"):
        ConnectionFolder(tmp_path).current()


def test_nothing_that_may_be_secret_is_shown() -> None:
    connection = Connection(
        url="https://user:hunter2@prometheus/x?key=hunter2",
        basic=("user", "hunter2"),
        headers=(("Authorization", "Bearer hunter2"),),
    )
    assert "hunter2" not in repr(connection)
    assert connection.place == "https://prometheus/x"
