import json
import tomllib
from pathlib import Path

import yaml

from cluster import config
from cluster.components import Component, Ports, control_plane, node
from cluster.controlplane import _prometheus_config
from cluster.kind import kind_config
from cluster.layout import SOURCES, Layout, layout_from
from cluster.own_images import ENVOY_TAG

STATE = Path("/cache/cluster")
LAYOUT = Layout(Path("/cache"))


def _command(parts: list[Component], name: str) -> list[str]:
    return next(part.command for part in parts if part.name == name)


def test_every_component_is_somebody_of_its_own() -> None:
    lines = config.token_file({role: f"secret-{role}" for role in config.USERS}).splitlines()
    assert 'secret-kubelet,system:node:seatrial,kubelet,"system:nodes"' in lines
    assert len({line.split(",")[1] for line in lines}) == len(config.USERS)


def test_the_kubeconfig_names_server_authority_and_token() -> None:
    known = yaml.safe_load(config.kubeconfig("https://10.0.0.1:6443", Path("/pki/ca.crt"), "t0ken"))
    assert known["clusters"][0]["cluster"] == {
        "server": "https://10.0.0.1:6443",
        "certificate-authority": "/pki/ca.crt",
    }
    assert known["users"][0]["user"] == {"token": "t0ken"}
    assert known["contexts"][0]["name"] == known["current-context"]


def test_the_audit_log_has_one_line_for_each_call_and_no_bodies() -> None:
    policy = yaml.safe_load(config.audit_policy())
    assert policy["rules"] == [{"level": "Metadata"}]
    assert policy["omitStages"] == ["RequestReceived"]


def test_the_kubelet_keeps_to_its_own_group_and_folders() -> None:
    known = yaml.safe_load(config.kubelet_config(STATE, STATE / "pki" / "ca.crt", "/seatrial-1"))
    assert known["cgroupRoot"] == "/seatrial-1"
    assert known["podLogsDir"].startswith(str(STATE))
    assert known["volumePluginDir"].startswith(str(STATE))
    assert known["authentication"]["anonymous"] == {"enabled": False}
    assert not config.NODE_ADDRESS.startswith("127.")


def test_containerd_reads_what_we_write_even_with_odd_folder_names() -> None:
    state = Path('/odd "folder"/cluster')
    known = tomllib.loads(config.containerd_config(state, Path("/usr/lib/cni"), "native"))
    assert known["root"] == str(state / "containerd")
    runtime = known["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is True
    assert runtime["cni"]["conf_dir"] == str(state / "config" / "cni")
    images = known["plugins"]["io.containerd.cri.v1.images"]
    assert images["pinned_images"]["sandbox"] == config.PAUSE_IMAGE
    assert images["snapshotter"] == "native"


def test_pods_get_addresses_of_the_pod_range() -> None:
    plugin = json.loads(config.cni_config())["plugins"][0]
    assert plugin["ipam"]["ranges"] == [[{"subnet": config.POD_RANGE}]]


def test_everything_listens_in_the_clusters_own_network_only() -> None:
    parts = control_plane(LAYOUT, Ports("10.245.0.1")) + node(LAYOUT, "/run/containerd/containerd.sock")
    flags = [flag for part in parts for flag in part.command[1:] if "address" in flag or "listen" in flag]
    addresses = [flag for flag in flags if "InternalIP" not in flag]
    assert addresses
    assert all("10.245.0.1" in flag for flag in addresses)


def test_the_api_server_comes_before_those_who_need_its_roles() -> None:
    parts = control_plane(LAYOUT, Ports("127.0.0.1", api=1234))
    assert [part.name for part in parts] == ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    assert parts[1].serves == "https://127.0.0.1:1234/readyz"


def test_an_api_server_on_loopback_publishes_no_endpoint_because_endpoints_refuse_loopback() -> None:
    flag = "--endpoint-reconciler-type=none"
    assert flag in _command(control_plane(LAYOUT, Ports("127.0.0.1")), "kube-apiserver")
    assert flag not in _command(control_plane(LAYOUT, Ports("10.245.0.1")), "kube-apiserver")


def test_manifests_use_our_images_ports_and_addresses() -> None:
    documents = [
        document for path in (SOURCES / "manifests").glob("*.yaml") for document in yaml.safe_load_all(path.read_text())
    ]
    services = {
        document["metadata"]["name"]: document["spec"] for document in documents if document["kind"] == "Service"
    }
    assert services["kube-dns"]["clusterIP"] == config.DNS_ADDRESS
    assert services["envoy"]["ports"][0]["nodePort"] == config.GATEWAY_NODE_PORT
    assert services["prometheus"]["ports"][0]["nodePort"] == config.PROMETHEUS_NODE_PORT
    pods = [document["spec"]["template"]["spec"] for document in documents if document["kind"] == "Deployment"]
    images = {one["image"] for pod in pods for one in pod["containers"] + pod.get("initContainers", [])}
    assert images == {ENVOY_TAG, *(f"seatrial/cluster-{name}:local" for name in ("coredns", "contour", "prometheus"))}


def test_prometheus_scrapes_at_the_same_pace_on_every_level() -> None:
    manifest = yaml.safe_load_all((SOURCES / "manifests" / "prometheus.yaml").read_text())
    data = next(document["data"] for document in manifest if document["kind"] == "ConfigMap")
    in_pods, plain = yaml.safe_load(data["prometheus.yml"]), yaml.safe_load(_prometheus_config("127.0.0.1:9"))
    assert in_pods["global"] == plain["global"]
    assert in_pods["scrape_configs"][0]["job_name"] == plain["scrape_configs"][0]["job_name"]
    assert plain["scrape_configs"][0]["honor_labels"] is True


def test_kind_gets_the_audit_log_and_both_ports_on_loopback() -> None:
    known = yaml.safe_load(kind_config(Path("/cache/config"), Path("/cache/audit")))["nodes"][0]
    assert {port["hostPort"] for port in known["extraPortMappings"]} == {30080, 30090}
    assert {port["listenAddress"] for port in known["extraPortMappings"]} == {"127.0.0.1"}
    patch = json.loads(known["kubeadmConfigPatches"][0])["apiServer"]
    mounted = {volume["mountPath"] for volume in patch["extraVolumes"]}
    files = {argument["value"] for argument in patch["extraArgs"]}
    assert all(any(file.startswith(path) for path in mounted) for file in files)


def test_the_cache_is_where_the_environment_says(tmp_path: Path) -> None:
    assert layout_from({"SEATRIAL_CACHE": str(tmp_path)}).state == tmp_path.resolve() / "cluster"
    assert layout_from({}).cache == Path.home().resolve() / ".cache" / "seatrial"
