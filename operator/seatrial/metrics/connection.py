"""Where Prometheus is and what it wants to see of us: a URL, or a mounted Secret that is read again when it changes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*([\t\x20-\x7e]*)")

Fingerprint = tuple[tuple[str, int, int], ...]


class Misconfigured(ValueError):  # noqa: N818 (the name says it)
    """The folder or the URL can't be used; the text says what is wrong and names no secret."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one Prometheus. Only ``place`` may be shown: everything else can hold secrets.

    Attributes
    ----------
    url
        Base URL, such as ``https://prometheus.monitoring:9090/prometheus``.
    ca
        File of certificate authorities to trust instead of the system's.
    client
        Files of a client certificate and its key.
    basic
        User name and password.
    headers
        Sent with every request; a bearer token is one of them.
    """

    url: str = field(repr=False)
    ca: Path | None = None
    client: tuple[Path, Path] | None = None
    basic: tuple[str, str] | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            port_is_sound = parts.port is None or parts.port > 0
        except ValueError:
            port_is_sound = False
        if not port_is_sound or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Misconfigured("the URL of Prometheus must look like http://prometheus.monitoring:9090")

    @property
    def place(self) -> str:
        """The URL without user, password and query, for people to read."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class Connections(Protocol):
    """Where the current connection comes from."""

    def current(self) -> Connection:
        """Return the connection to use now: the same object until something changes."""
        ...


class FixedConnection:
    """A connection that never changes: a plain URL from the operator's settings."""

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)

    def current(self) -> Connection:
        """Return the connection."""
        return self._connection


class ConnectionFolder:
    """A connection from the files of a mounted Secret, read again when they change: rotation needs no restart.

    Files: ``url``, ``ca.crt``, ``tls.crt`` and ``tls.key``, ``token``, ``username`` and ``password``, ``headers`` (one
    ``Name: value`` per line). All but ``url`` may be absent.

    Parameters
    ----------
    folder
        Where the Secret is mounted.
    url
        Used when the folder holds no ``url``, or is not there at all.
    """

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self._folder = folder
        self._url = url
        self._seen: Fingerprint | None = None
        self._connection: Connection | None = None

    def current(self) -> Connection:
        """Return the connection that the files describe now.

        Raises
        ------
        Misconfigured
            When they describe none.
        """
        seen = self._fingerprint()
        if self._connection is None or seen != self._seen:
            self._connection = self._read()
            self._seen = seen
        return self._connection

    def _fingerprint(self) -> Fingerprint:
        if not self._folder.exists() and self._url is not None:
            return ()
        # The kubelet swaps the link ..data; the files behind it keep their names, and may keep their times.
        try:
            entries = [self._folder, *sorted(self._folder.iterdir())]
            states = [(entry.name, entry.stat()) for entry in entries]
        except OSError as error:
            raise Misconfigured(f"the folder {self._folder} can't be read: {error.strerror}") from None
        return tuple((name, state.st_mtime_ns, state.st_ino) for name, state in states)

    def _read(self) -> Connection:
        url = self._text("url") or self._url
        if url is None:
            raise Misconfigured(f"the folder {self._folder} holds no file named url, and no URL is set otherwise")
        return Connection(
            url=url,
            ca=self._file("ca.crt"),
            client=self._pair("tls.crt", "tls.key"),
            basic=self._login(),
            headers=self._headers(),
        )

    def _headers(self) -> tuple[tuple[str, str], ...]:
        headers: list[tuple[str, str]] = []
        for number, line in enumerate((self._text("headers") or "").splitlines(), start=1):
            header = _HEADER.fullmatch(line.strip())
            if line.strip() and header is None:
                raise Misconfigured(f"line {number} of the file headers in {self._folder} isn't like Name: value")
            if header:
                headers.append((header.group(1), header.group(2)))
        token = self._text("token")
        if token:
            if not token.isprintable() or " " in token or not token.isascii():
                raise Misconfigured(f"the file token in {self._folder} must hold a bearer token and nothing else")
            headers.append(("Authorization", f"Bearer {token}"))
        return tuple(headers)

    def _login(self) -> tuple[str, str] | None:
        user, password = self._text("username"), self._text("password")
        if (user is None) != (password is None):
            raise Misconfigured(f"username and password in {self._folder} belong together, and one is missing")
        if user is not None and self._text("token") is not None:
            raise Misconfigured(f"{self._folder} holds a token and a username: give one of them")
        return (user, password) if user is not None and password is not None else None

    def _pair(self, certificate: str, key: str) -> tuple[Path, Path] | None:
        first, second = self._file(certificate), self._file(key)
        if (first is None) != (second is None):
            raise Misconfigured(f"{certificate} and {key} in {self._folder} belong together, and one is missing")
        return (first, second) if first is not None and second is not None else None

    def _file(self, name: str) -> Path | None:
        path = self._folder / name
        return path if path.is_file() else None

    def _text(self, name: str) -> str | None:
        path = self._file(name)
        if path is None:
            return None
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise Misconfigured(f"the file {path} can't be read as text") from None
