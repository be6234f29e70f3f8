"""Configuration files of the components, as text (pure)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NODE_NAME = "seatrial"
NODE_ADDRESS = "10.245.0.1"  # on the loopback device, but no loopback address: Endpoints and kubelet refuse those
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
DNS_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
PAUSE_IMAGE = "seatrial/cluster-pause:local"
MAX_PODS = 250

GATEWAY_NODE_PORT = 30080  # the same in cluster/manifests/gateway.yaml
PROMETHEUS_NODE_PORT = 30090  # the same in cluster/manifests/prometheus.yaml


@dataclass(frozen=True, slots=True)
class User:
    """Somebody whom the API server knows by a bearer token."""

    name: str
    groups: tuple[str, ...] = ()


USERS = {
    "admin": User("seatrial-admin", ("system:masters",)),
    "kube-controller-manager": User("system:kube-controller-manager"),
    "kube-scheduler": User("system:kube-scheduler"),
    "kubelet": User(f"system:node:{NODE_NAME}", ("system:nodes",)),
    "kube-proxy": User("system:kube-proxy"),
    "kwok": User("seatrial-kwok", ("system:masters",)),
    "simulator": User("seatrial-simulator", ("system:masters",)),
    "prometheus": User("seatrial-prometheus", ("system:masters",)),
}


def token_file(tokens: Mapping[str, str]) -> str:
    """Return the API server's token file: one line ``token,user,uid,"group,…"`` for each role in `tokens`."""
    lines = []
    for role, token in tokens.items():
        user = USERS[role]
        groups = ",".join(user.groups)
        lines.append(f'{token},{user.name},{role},"{groups}"\n')
    return "".join(lines)


def kubeconfig(server: str, ca_file: Path, token: str) -> str:
    """Return a kubeconfig for the API server at `server` (a URL)."""
    name = "seatrial"
    return yaml.safe_dump({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": str(ca_file)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    })  # fmt: skip


def audit_policy() -> str:
    """Return the audit policy: who called what, once per call, without bodies (they may hold secrets)."""
    return yaml.safe_dump({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    })  # fmt: skip


def kubelet_config(state: Path, ca_file: Path, cgroup_root: str) -> str:
    """Return the kubelet's configuration; everything that it writes goes below `state`."""
    return yaml.safe_dump({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": str(ca_file)}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup_root,
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": CLUSTER_DOMAIN,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,  # images come from no registry: one that is collected is gone
        "maxPods": MAX_PODS,
        "podLogsDir": str(state / "pod-logs"),
        "resolvConf": "",  # there is no way out of this network
        "syncFrequency": "10s",
        "volumePluginDir": str(state / "kubelet" / "volume-plugins"),
    })  # fmt: skip


def containerd_config(state: Path, cni_bin: Path, snapshotter: str) -> str:
    """Return containerd's configuration (TOML)."""
    return f"""\
version = 3
root = {json.dumps(str(state / "containerd"))}
state = "/run/containerd"

[grpc]
address = "/run/containerd/containerd.sock"

[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
max_container_log_line_size = 16384

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = [{json.dumps(str(cni_bin))}]
conf_dir = {json.dumps(str(state / "config" / "cni"))}

[plugins.'io.containerd.cri.v1.images']
snapshotter = {json.dumps(snapshotter)}

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = {json.dumps(PAUSE_IMAGE)}
"""


def cni_config() -> str:
    """Return the pod network: a routed pair of devices for each pod, which needs no bridge filter in the kernel."""
    return json.dumps(
        {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "ptp",
                    "ipam": {
                        "type": "host-local",
                        "dataDir": "/run/cni-ipam",
                        "ranges": [[{"subnet": POD_RANGE}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        },
        indent=1,
    )
