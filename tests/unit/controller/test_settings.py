"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from seatrial.settings import Settings, from_environment


def test_an_empty_environment_gives_the_defaults() -> None:
    assert from_environment({}) == Settings()


def test_each_setting_is_read_from_its_variable() -> None:
    found = from_environment(
        {"SEATRIAL_LOOK_S": "2", "SEATRIAL_PROMETHEUS_DIR": "/run/secret", "SEATRIAL_NAMESPACES": "ml,ads"}
    )
    assert found == Settings(look_s=2.0, prometheus_dir=Path("/run/secret"), namespaces="ml,ads")


def test_the_pod_tells_who_and_where_it_is_unless_a_setting_does() -> None:
    pod = {"POD_NAME": "seatrial-0", "POD_NAMESPACE": "ops"}
    assert (from_environment(pod).pod_name, from_environment(pod).pod_namespace) == ("seatrial-0", "ops")
    assert from_environment({**pod, "SEATRIAL_POD_NAME": "me"}).pod_name == "me"


def test_what_kubernetes_writes_for_a_service_of_our_name_is_left_alone() -> None:
    links = {"SEATRIAL_PORT": "tcp://10.0.0.1:80", "SEATRIAL_SERVICE_HOST": "10.0.0.1"}
    assert from_environment(links) == Settings()


@pytest.mark.parametrize(("name", "value"), [("LOOK_S", "0"), ("LOOK_S", "often"), ("HTTP_PORT", "70000")])
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        from_environment({f"SEATRIAL_{name}": value})
