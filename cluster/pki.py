"""Certificates, keys and tokens of one cluster, made by openssl when it starts and gone when it ends."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cluster import config
from cluster.shell import run

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.layout import Layout

_DAYS = "30"
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]


def create(layout: Layout, host: str, api_port: int) -> None:
    """Write everything below ``layout.pki`` and the administrator's kubeconfig.

    Parameters
    ----------
    host, api_port
        Where the API server will listen.
    """
    pki = layout.pki
    pki.mkdir(mode=0o700, parents=True)
    _authority(pki)
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    addresses = [host, "10.96.0.1", "127.0.0.1"]
    alternatives = ",".join([f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses])
    _leaf(pki, "apiserver", "/CN=kube-apiserver", "serverAuth", f"subjectAltName={alternatives}")
    _leaf(pki, "apiserver-client", "/O=system:masters/CN=kube-apiserver-kubelet-client", "clientAuth")
    run(["openssl", "genrsa", "-out", pki / "service-accounts.key", "2048"], "making the service accounts' key")
    tokens = {role: secrets.token_hex(24) for role in config.USERS}
    (pki / "tokens.csv").write_text(config.token_file(tokens))
    for role, token in tokens.items():
        text = config.kubeconfig(f"https://{host}:{api_port}", pki / "ca.crt", token)
        path = layout.kubeconfig if role == "admin" else pki / f"{role}.kubeconfig"
        path.write_text(text)
        path.chmod(0o600)


def _authority(pki: Path) -> None:
    run(
        [
            "openssl", "req", "-x509", *_NEW_KEY, "-days", _DAYS, "-subj", "/CN=seatrial-cluster",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,digitalSignature",
            "-keyout", pki / "ca.key", "-out", pki / "ca.crt",
        ],
        "making the cluster's certificate authority",
    )  # fmt: skip


def _leaf(pki: Path, name: str, subject: str, usage: str, *extensions: str) -> None:
    more = [part for extension in extensions for part in ("-addext", extension)]
    run(
        [
            "openssl", "req", "-x509", *_NEW_KEY, "-days", _DAYS, "-subj", subject,
            "-CA", pki / "ca.crt", "-CAkey", pki / "ca.key",
            "-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"extendedKeyUsage={usage}", *more,
            "-keyout", pki / f"{name}.key", "-out", pki / f"{name}.crt",
        ],
        f"making the certificate of {name}",
    )  # fmt: skip
