"""The simulator's client of the API server, against a real HTTP server that hangs up on idle connections."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from typing_extensions import override

from cluster.api_watch import Api

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_patch_is_sent_again_when_the_server_has_hung_up_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    came = []

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PATCH(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
            self.close_connection = True  # unsaid, as when an idle connection is closed

        @override
        def log_message(self, *_: object) -> None:
            """Keep the test's output readable."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    certificate, kubeconfig = tmp_path / "ca.crt", tmp_path / "kubeconfig"
    certificate.touch()
    address = f"127.0.0.1:{server.server_address[1]}"
    cluster = {"server": f"https://{address}", "certificate-authority": str(certificate)}
    kubeconfig.write_text(json.dumps({"clusters": [{"cluster": cluster}], "users": [{"user": {"token": "t"}}]}))
    monkeypatch.setattr("ssl.create_default_context", lambda **_: None)
    monkeypatch.setattr(Api, "_connect", lambda _: http.client.HTTPConnection(address, timeout=5))
    api = Api(kubeconfig)
    for number in range(3):
        api.patch("/status", {"number": number})
    server.shutdown()
    server.server_close()
    api.patch("/status", {"number": 3})
    assert came == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert "PATCH /status: " in capsys.readouterr().out
