"""`seatrial sli` without a Prometheus: what it says of servers, and what it refuses before it asks."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from seatrial.cli.main import main

NOBODY = ("--prometheus", "http://127.0.0.1:1", "-n", "ml", "--rollout", "scorer")


def sli(*arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(main, ["sli", *arguments])
    return answer.exit_code, answer.output


def test_a_check_of_a_server_that_offers_nothing_says_what_to_use_instead() -> None:
    code, output = sli("check", *NOBODY, "--server", "envoy-gateway")
    assert code == 1
    assert "envoy-gateway/http-availability: envoy-gateway has no template 'http-availability'" in output
    assert "use those of the model" in output
    code, output = sli("check", *NOBODY, "--server", "envoy-gateway", "-o", "json")
    assert code == 1
    assert [found["problem"].partition(":")[0] for found in json.loads(output)] == [
        "envoy-gateway has no template 'http-availability'",
        "envoy-gateway has no template 'http-latency'",
    ]


@pytest.mark.parametrize("where", ["feature", "=amount", ""])
def test_a_label_without_a_value_is_refused(where: str) -> None:
    code, output = sli("check", *NOBODY, "--server", "ml-model", "--where", where)
    assert code == 2
    assert "write LABEL=VALUE, such as feature=amount" in output


@pytest.mark.parametrize("value", ["a=b", ""])
def test_a_value_may_be_anything(value: str) -> None:
    code, output = sli("check", *NOBODY, "--server", "ml-model", "--where", f"feature={value}")
    assert code == 2
    assert "nothing listens there" in output


@pytest.mark.parametrize("server", ["envoy", "ingress-nginx", "traefik", "istio-gateway"])
def test_showing_a_gateway_tells_what_becomes_of_grpc(server: str) -> None:
    code, output = sli("show", server)
    assert code == 0
    assert "gRPC" in output


def test_showing_the_endpoint_picker_says_what_it_does_not_see() -> None:
    code, output = sli("show", "llm-d-epp", "http-availability")
    assert code == 0
    assert "http-availability: not with llm-d-epp" in output
    assert "use the model server" in output
