"""The processes of a level: command lines and the order they start in (pure)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from cluster import config

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.layout import Layout


@dataclass(frozen=True, slots=True)
class Component:
    """One process that the supervisor keeps running.

    Parameters
    ----------
    name
        Its name; also of its log file.
    command
        Program (absolute path) and arguments.
    serves
        What must answer before the next component starts: see `cluster.supervisor.answers`; empty: nothing.
    env
        Environment variables besides the supervisor's own.
    """

    name: str
    command: list[str]
    serves: str = ""
    env: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return the form in which the supervisor reads it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the control plane listens.

    Parameters
    ----------
    host
        Address of all of them.
    """

    host: str
    api: int = 6443
    etcd: int = 2379
    etcd_peer: int = 2380
    controllers: int = 10257
    scheduler: int = 10259


def control_plane(layout: Layout, ports: Ports) -> list[Component]:
    """Return etcd, API server, controllers and scheduler."""
    etcd, peer = f"http://{ports.host}:{ports.etcd}", f"http://{ports.host}:{ports.etcd_peer}"
    pki, state = layout.pki, layout.state
    return [
        Component(
            "etcd",
            [
                str(layout.bin / "etcd"),
                f"--name={config.NODE_NAME}",
                f"--data-dir={state / 'etcd'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster={config.NODE_NAME}={peer}",
                "--unsafe-no-fsync",  # a cluster that may be thrown away needs no disk that survives a power cut
                "--quota-backend-bytes=8589934592",
                "--log-level=warn",
            ],
            serves=f"{ports.host}:{ports.etcd}",
        ),
        Component(
            "kube-apiserver",
            [
                str(layout.bin / "kube-apiserver"),
                f"--etcd-servers={etcd}",
                f"--bind-address={ports.host}",
                f"--advertise-address={ports.host}",
                f"--secure-port={ports.api}",
                f"--service-cluster-ip-range={config.SERVICE_RANGE}",
                "--authorization-mode=Node,RBAC",
                "--kubelet-preferred-address-types=InternalIP",  # node names are in no name service
                f"--kubelet-client-certificate={pki / 'apiserver-client.crt'}",
                f"--kubelet-client-key={pki / 'apiserver-client.key'}",
                f"--tls-cert-file={pki / 'apiserver.crt'}",
                f"--tls-private-key-file={pki / 'apiserver.key'}",
                f"--client-ca-file={pki / 'ca.crt'}",
                f"--requestheader-client-ca-file={pki / 'ca.crt'}",
                "--requestheader-allowed-names=front-proxy",
                f"--token-auth-file={pki / 'tokens.csv'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={pki / 'service-accounts.key'}",
                f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
                "--endpoint-reconciler-type=none" if ports.host.startswith("127.") else "--allow-privileged=true",
                f"--audit-policy-file={layout.config / 'audit-policy.yaml'}",
                f"--audit-log-path={layout.audit_log}",
                "--audit-log-maxsize=4096",
                "--profiling=false",
            ],
            serves=f"https://{ports.host}:{ports.api}/readyz",  # before that, the roles of the others aren't there yet
        ),
        Component(
            "kube-controller-manager",
            [
                str(layout.bin / "kube-controller-manager"),
                f"--bind-address={ports.host}",
                f"--secure-port={ports.controllers}",
                *_client(layout, "kube-controller-manager"),
                "--use-service-account-credentials=true",
                f"--service-account-private-key-file={pki / 'service-accounts.key'}",
                f"--root-ca-file={pki / 'ca.crt'}",
                f"--flex-volume-plugin-dir={state / 'volume-plugins'}",
                "--leader-elect=false",
                "--concurrent-deployment-syncs=20",
                "--concurrent-replicaset-syncs=20",
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
            ],
        ),
        Component(
            "kube-scheduler",
            [
                str(layout.bin / "kube-scheduler"),
                f"--bind-address={ports.host}",
                f"--secure-port={ports.scheduler}",
                *_client(layout, "kube-scheduler"),
                "--leader-elect=false",
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
            ],
        ),
    ]


def node(layout: Layout, containerd_socket: str) -> list[Component]:
    """Return what makes a node: containerd, kubelet and kube-proxy."""
    return [
        Component(
            "containerd",
            [str(layout.bin / "containerd"), f"--config={layout.config / 'containerd.toml'}", "--log-level=warn"],
            serves=containerd_socket,
        ),
        Component(
            "kubelet",
            [
                str(layout.bin / "kubelet"),
                f"--config={layout.config / 'kubelet.yaml'}",
                f"--kubeconfig={layout.pki / 'kubelet.kubeconfig'}",
                f"--root-dir={layout.state / 'kubelet'}",
                f"--hostname-override={config.NODE_NAME}",
                f"--node-ip={config.NODE_ADDRESS}",
            ],
        ),
        Component(
            "kube-proxy",
            [
                str(layout.bin / "kube-proxy"),
                f"--kubeconfig={layout.pki / 'kube-proxy.kubeconfig'}",
                f"--hostname-override={config.NODE_NAME}",
                f"--cluster-cidr={config.POD_RANGE}",
                "--proxy-mode=iptables",
                "--conntrack-max-per-core=0",
                f"--healthz-bind-address={config.NODE_ADDRESS}:10256",
                f"--metrics-bind-address={config.NODE_ADDRESS}:10249",
                "--iptables-min-sync-period=100ms",
            ],
        ),
    ]


def _client(layout: Layout, role: str) -> list[str]:
    """Return the flags by which a component and its own metrics page authenticate against the API server."""
    own: Path = layout.pki / f"{role}.kubeconfig"
    return [f"--{flag}={own}" for flag in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")]
