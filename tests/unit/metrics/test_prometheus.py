"""The client against real HTTP servers: each way to fail has its own sentence, and no sentence holds a secret."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from typing_extensions import override

from seatrial.metrics.connection import ConnectionFolder, FixedConnection
from seatrial.metrics.errors import BadQuery, TooLarge, Unavailable
from seatrial.metrics.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERIES = {"metric": {"__name__": "up"}, "value": [100.5, "1"]}
SUCCESS = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [SERIES]}}).encode()
PARTIAL = SUCCESS[:-1] + b',"warnings":["a store is away"]}'


class _Quiet(ThreadingHTTPServer):
    """Says nothing of handshakes that fail on purpose."""

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        pass


class Server:
    """An HTTP server that answers as told and remembers what it was asked."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.status = 200
        self.body = SUCCESS
        self.headers: dict[str, str] = {}
        self.pause_s = 0.0
        self.hang_up = False
        self.asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(length).decode())
                server.asked.append((self.path, form, dict(self.headers)))
                if server.hang_up:
                    self.close_connection = True
                    return
                self.send_response(server.status)
                for name, value in {"Content-Length": str(len(server.body)), **server.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for start in range(0, len(server.body), 1000):
                        self.wfile.write(server.body[start : start + 1000])
                        time.sleep(server.pause_s)
                except OSError:
                    self.close_connection = True

            @override
            def log_message(self, *_: object) -> None:
                """Keep the test's output readable."""

        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if tls:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.place = f"http{'s' if tls else ''}://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


def client_of(place: str, **options: Any) -> Prometheus:
    return Prometheus(FixedConnection(place), **{"timeout_s": 2.0, **options})


async def failure(client: Prometheus) -> Exception:
    with pytest.raises((Unavailable, BadQuery)) as failed:
        await client.query("up", 100)
    client.close()
    return failed.value


async def test_a_query_goes_in_the_body_with_its_time(server: Server) -> None:
    client = client_of(f"{server.place}/prefix/")
    assert await client.query('up{a="b"}', 100.12345) == [SERIES]
    path, form, _ = server.asked[0]
    assert path == "/prefix/api/v1/query"
    assert form == {"query": ['up{a="b"}'], "time": ["100.123"]}
    client.close()


async def test_a_range_is_asked_for_in_whole_seconds(server: Server) -> None:
    client = client_of(server.place)
    await client.query_range("up", 3600, 7200, 600)
    path, form, _ = server.asked[0]
    assert path == "/api/v1/query_range"
    assert form == {"query": ["up"], "start": ["3600"], "end": ["7200"], "step": ["600"]}
    client.close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, b'{"error": "parse error"}', BadQuery, "refuses the query: parse error"),
        (422, b'{"error": "bad regex"}', BadQuery, "refuses the query: bad regex"),
        (422, b"<html>", BadQuery, "refuses the query: it doesn't say why"),
        (422, b'{"error": "query processing would load too many samples"}', TooLarge, "won't read so many samples"),
        (413, b"", TooLarge, "finds the query too long (HTTP 413)"),
        (401, b"", Unavailable, "refuses our credentials (HTTP 401)"),
        (403, b"", Unavailable, "refuses our credentials (HTTP 403)"),
        (404, b"", Unavailable, "is a path missing in its URL? (HTTP 404)"),
        (429, b"", Unavailable, "is asked too often (HTTP 429)"),
        (302, b"", Unavailable, "redirects (HTTP 302)"),
        (500, b"", Unavailable, "fails (HTTP 500)"),
        (503, b"", Unavailable, "fails (HTTP 503)"),
        (200, b"<html>", Unavailable, "gives answers that are not Prometheus's"),
        (200, b'{"status": "success"}', Unavailable, "gives answers that are not Prometheus's"),
        (200, PARTIAL, Unavailable, "answers only in part"),
    ],
)
async def test_answers_that_are_none(
    server: Server, status: int, body: bytes, kind: type[Exception], text: str
) -> None:
    server.status, server.body = status, body
    error = await failure(client_of(server.place))
    assert type(error) is kind
    assert text in str(error)
    assert server.place in str(error)
    assert len(server.asked) == 1, "nothing is retried"


async def test_a_redirect_carries_no_credentials_away(server: Server) -> None:
    other = Server()
    server.status, server.headers = 307, {"Location": f"{other.place}/api/v1/query"}
    await failure(client_of(server.place))
    other.stop()
    assert other.asked == []


async def test_nothing_listens(server: Server) -> None:
    server.stop()
    error = await failure(client_of(server.place))
    assert str(error) == f"Prometheus at {server.place} can't be reached: nothing listens there"


async def test_a_name_that_is_not_known() -> None:
    error = await failure(client_of("http://nowhere.invalid:9090"))
    assert str(error) == "Prometheus at http://nowhere.invalid:9090 can't be reached: its name is not known"


async def test_a_server_that_hangs_up(server: Server) -> None:
    server.hang_up = True
    assert str(await failure(client_of(server.place))).endswith("can't be reached: it hung up")


async def test_a_server_that_drips_is_given_up_at_the_deadline(server: Server) -> None:
    server.body, server.pause_s = b" " * 100_000, 0.05
    began_s = time.monotonic()
    error = await failure(client_of(server.place, timeout_s=0.5))
    assert time.monotonic() - began_s < 10  # the whole answer takes hours
    assert str(error) == f"Prometheus at {server.place} does not answer within 0.5 s"


async def test_an_answer_that_is_too_large_is_not_read(server: Server) -> None:
    server.body = gzip.compress(b" " * (64 << 20))
    server.headers = {"Content-Encoding": "gzip"}
    error = await failure(client_of(server.place, max_bytes=1 << 20))
    assert isinstance(error, TooLarge)
    assert str(error) == f"Prometheus at {server.place} answers with more than 1 MiB"


async def test_many_queries_share_few_connections(server: Server) -> None:
    server.pause_s = 0.02
    client = client_of(server.place, workers=2)
    await asyncio.gather(*(client.query("up", at) for at in range(10)))
    assert len(server.asked) == 10
    client.close()


async def test_credentials_are_sent_and_rotated_and_never_shown(server: Server, tmp_path: Path) -> None:
    for name, text in {"url": server.place, "username": "u", "password": "hunter2", "headers": "X-Org: t"}.items():
        (tmp_path / name).write_text(text)
    client = Prometheus(ConnectionFolder(tmp_path), timeout_s=2)
    await client.query("up", 1)
    assert server.asked[0][2]["Authorization"] == "Basic dTpodW50ZXIy"
    assert server.asked[0][2]["X-Org"] == "t"
    (tmp_path / "username").unlink()
    (tmp_path / "password").unlink()
    (tmp_path / "token").write_text("hunter3")
    await client.query("up", 1)
    assert server.asked[1][2]["Authorization"] == "Bearer hunter3"
    server.status = 401
    assert "hunter" not in str(await failure(client))


async def test_a_folder_that_can_not_be_used_is_a_source_that_is_away(tmp_path: Path) -> None:
    error = await failure(Prometheus(ConnectionFolder(tmp_path), timeout_s=2))
    assert str(error).startswith("Prometheus can't be reached: the folder")


async def test_a_password_in_the_url_is_never_shown(server: Server) -> None:
    server.stop()
    error = await failure(client_of(server.place.replace("//", "//user:hunter2@")))
    assert "hunter2" not in str(error)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1 that is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "tls.key", "-out", "tls.crt"]
    subprocess.run([*command.split(), *files], cwd=folder, check=True, capture_output=True, timeout=30)
    return folder


async def test_tls_with_a_private_authority_and_a_client_certificate(certificates: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "tls.crt", certificates / "tls.key")
    context.load_verify_locations(certificates / "tls.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    server = Server(context)
    (tmp_path / "url").write_text(server.place)
    client = Prometheus(ConnectionFolder(tmp_path), timeout_s=2)
    with pytest.raises(Unavailable, match="the TLS handshake failed"):
        await client.query("up", 1)
    (tmp_path / "ca.crt").write_bytes((certificates / "tls.crt").read_bytes())
    with pytest.raises(Unavailable):
        await client.query("up", 1)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes((certificates / name).read_bytes())
    assert await client.query("up", 1) == [SERIES]
    (tmp_path / "ca.crt").write_text("nonsense")
    with pytest.raises(Unavailable):
        await client.query("up", 1)
    client.close()
    server.stop()
