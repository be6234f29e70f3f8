"""A real kube-apiserver with a real etcd, as plain processes on loopback, with our CRDs in it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.kube.client import Kube
from seatrial.kube.policy import SETTLES_S
from tests.apiserver.samples import DEPLOYMENT, changed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[2]
BIN = Path(os.environ.get("SEATRIAL_CACHE", Path.home() / ".cache" / "seatrial")) / "bin"
INSTALL = ROOT / "manifests" / "install"
START_S = 60.0
PEOPLE = ("alice", "bob", "carol")
"""Users without any right of their own, for tests of what a role gives."""


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running API server and the administrator's way to it."""

    url: str
    kubeconfig: Path

    def kubeconfig_of(self, person: str) -> Path:
        """Find the way to it of one of ``PEOPLE``."""
        return self.kubeconfig.with_name(f"kubeconfig-{person}")

    def kubectl(
        self, *arguments: str, stdin: object = None, person: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as administrator or as one of ``PEOPLE``; a manifest is given on its standard input."""
        kubeconfig = self.kubeconfig_of(person) if person else self.kubeconfig
        return subprocess.run(
            [*kubectl(), "--kubeconfig", str(kubeconfig), *arguments],
            input=None if stdin is None else json.dumps(stdin),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def get(self, *arguments: str) -> dict[str, Any]:
        """Read an object."""
        answer = self.kubectl("get", "-o", "json", *arguments)
        assert answer.returncode == 0, answer.stderr
        found: dict[str, Any] = json.loads(answer.stdout)
        return found


def program(name: str) -> str:
    path = BIN / name
    if not path.exists():
        pytest.fail(f"{path} is missing: these tests need a real API server; `make cluster` builds it", pytrace=False)
    return str(path)


def kubectl() -> list[str]:
    found = shutil.which("kubectl")
    return [found] if found else [program("kubernetes"), "kubectl"]


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the length of a block and stop it in any case."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(server: ApiServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if server.kubectl("get", "--raw", "/readyz").returncode == 0:
            return
        time.sleep(0.2)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    pytest.fail(f"the API server was not ready within {START_S:.0f} s; the end of its log:\n{tail}", pytrace=False)


def wait_until_established(server: ApiServer, name: str) -> None:
    """Wait for a CRD; `kubectl wait` itself fails while the CRD has no conditions at all yet."""
    deadline = time.monotonic() + START_S
    while (waited := server.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=5s")).returncode:
        assert time.monotonic() < deadline, waited.stderr
        time.sleep(0.2)


def write_kubeconfig(path: Path, url: str, certificate: Path, token: str) -> None:
    cluster = {"server": url, "certificate-authority": str(certificate)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Start etcd and the API server once for all tests, and install the CRDs."""
    folder = tmp_path_factory.mktemp("apiserver")
    client, peer, port = free_ports(3)
    token = secrets.token_hex(16)
    tokens = {person: secrets.token_hex(16) for person in PEOPLE}
    people = "".join(f"{tokens[person]},{person},{person}\n" for person in PEOPLE)
    (folder / "tokens").write_text(f"{token},admin,admin,system:masters\n{people}")
    subprocess.run(["openssl", "genrsa", "-out", folder / "sa.key", "2048"], check=True, capture_output=True)
    etcd = [
        *(program("etcd"), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--log-level=error"),
        *(f"--listen-client-urls=http://127.0.0.1:{client}", f"--advertise-client-urls=http://127.0.0.1:{client}"),
        *(f"--listen-peer-urls=http://127.0.0.1:{peer}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]
    apiserver = [
        *(program("kubernetes"), "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}"),
        *("--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={folder / 'certificates'}"),
        # Nobody reads the address that it advertises; without one, it insists on a default route, which tests may lack.
        *("--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none"),
        *("--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC"),
        *(f"--token-auth-file={folder / 'tokens'}", "--service-account-issuer=https://kubernetes.default.svc"),
        *(f"--service-account-key-file={folder / 'sa.key'}", f"--service-account-signing-key-file={folder / 'sa.key'}"),
    ]
    server = ApiServer(f"https://127.0.0.1:{port}", folder / "kubeconfig")
    certificate = folder / "certificates" / "apiserver.crt"
    write_kubeconfig(server.kubeconfig, server.url, certificate, token)
    for person in PEOPLE:
        write_kubeconfig(server.kubeconfig_of(person), server.url, certificate, tokens[person])
    log = folder / "apiserver.log"
    with running(etcd, folder / "etcd.log"), running(apiserver, log) as process:
        wait_until_ready(server, process, log)
        for name in ("modeldeployments", "modelslos"):
            installed = server.kubectl("apply", "--server-side", "-f", str(ROOT / "crds" / f"{name}.yaml"))
            assert installed.returncode == 0, installed.stderr
            wait_until_established(server, f"{name}.seatrial.dev")
            server.get(f"{name}.seatrial.dev", "-A")  # kubectl sits out the seconds in which its storage is made
        yield server


@pytest.fixture
async def kube(api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kube]:
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig))
    async with Kube() as connection:
        yield connection


@pytest.fixture(scope="module")
def policy(api_server: ApiServer) -> Iterator[None]:
    """Install the people's roles and the admission policy, and wait until it is enforced; take it away afterwards."""
    for name in ("user-roles", "policy"):
        done = api_server.kubectl("apply", "-f", str(INSTALL / f"{name}.yaml"))
        assert done.returncode == 0, done.stderr
    forged = changed(DEPLOYMENT, spec__commands=[{"id": "probe", "verb": "pause", "by": "nobody"}])
    deadline = time.monotonic() + START_S
    while "is signed by" not in api_server.kubectl("create", "--dry-run=server", "-f", "-", stdin=forged).stderr:
        assert time.monotonic() < deadline, "the API server does not enforce the policy"
        time.sleep(0.2)
    time.sleep(SETTLES_S)  # until the operator trusts it
    yield
    assert api_server.kubectl("delete", "-f", str(INSTALL / "policy.yaml")).returncode == 0
