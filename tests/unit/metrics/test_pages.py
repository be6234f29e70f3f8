"""Every template against a metrics page of its server: it counts the right series, and only these.

The first line of a page says where it is from: of a server that really ran, or written from documents.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from seatrial.api.fields import parse_threshold
from seatrial.api.templates import MEANINGS
from seatrial.metrics.counting import counting
from seatrial.metrics.selector import parse
from seatrial.metrics.templates import servers
from seatrial.metrics.types import Sli

PAGES = Path(__file__).parent / "pages"

# (server, template, threshold or labels of where, all events, bad ones)
COUNTS = [
    ("bentoml", "http-availability", "", 14, 3),
    ("bentoml", "http-latency", "250ms", 11, 2),
    ("envoy", "http-availability", "", 20, 8),
    ("envoy", "http-latency", "250ms", 18, 1),
    ("ingress-nginx", "http-availability", "", 101, 3),
    ("ingress-nginx", "http-latency", "250ms", 98, 7),
    ("istio", "http-availability", "", 111, 7),
    ("istio", "http-latency", "25ms", 104, 52),
    ("istio-gateway", "http-availability", "", 117, 12),
    ("istio-gateway", "http-latency", "25ms", 104, 52),
    ("knative", "http-availability", "", 103, 4),
    ("knative", "http-latency", "250ms", 99, 7),
    ("knative-1.18", "http-availability", "", 100, 3),
    ("knative-1.18", "http-latency", "250ms", 97, 7),
    ("kserve", "http-latency", "250ms", 9, 1),
    ("llm-d-epp", "http-latency", "2s", 97, 17),
    ("llm-d-epp", "time-to-first-token", "500ms", 97, 17),
    ("llm-d-epp", "inter-token-latency", "50ms", 4905, 5),
    ("ml-model", "http-availability", "", 100, 6),
    ("ml-model", "http-latency", "250ms", 100, 10),
    ("ml-model", "feature-missing", "", 200, 4),
    ("ml-model", "feature-missing", "feature=country", 100, 0),
    ("ml-model", "feature-out-of-range", "", 200, 7),
    ("ml-model", "feature-out-of-range", "feature=amount", 100, 2),
    ("ml-model", "feature-freshness", "5m", 100, 5),
    ("ml-model", "prediction-outcome", "", 100, 10),
    ("ml-model", "slice-outcome", "slice_name=region,slice=eu", 60, 3),
    ("ml-model", "slice-outcome", "slice_name=tenant,slice=eu", 100, 10),
    ("ml-model", "slice-accuracy", "slice_name=region,slice=eu", 60, 3),
    ("ml-model", "slice-accuracy", "slice_name=region,slice=__other__", 40, 7),
    ("ml-model", "check", "check=safety", 100, 5),
    ("ml-model", "check", "check=feedback", 10, 3),
    ("ml-model", "shadow-agreement", "", 100, 10),
    ("ml-model", "label-accuracy", "", 100, 10),
    ("ml-model", "label-absolute-error", "1", 100, 10),
    # 20 inferences of which 6 failed, one of a named version, one malformed, one of an unknown model; no probes.
    ("mlserver", "http-availability", "", 23, 6),
    ("mlserver", "http-latency", "5ms", 17, 12),
    ("mlserver", "http-latency", "10s", 17, 0),
    ("ray-serve", "http-availability", "", 10, 2),
    ("ray-serve", "http-latency", "200ms", 8, 1),
    ("seldon", "http-availability", "", 100, 8),
    ("sglang", "http-availability", "", 97, 4),
    ("sglang", "http-latency", "2s", 95, 15),
    ("sglang", "time-to-first-token", "400ms", 95, 25),
    ("sglang", "inter-token-latency", "40ms", 4905, 5),
    # 3 of the 5 that were aborted ran already, and are among the finished too.
    ("sglang", "generation-aborts", "", 103, 5),
    ("tf-serving", "http-availability", "", 150, 6),
    ("tf-serving", "http-latency", "708.235ms", 140, 14),
    ("tgi", "http-availability", "", 101, 5),
    ("tgi", "http-latency", "332.525673ms", 88, 46),
    ("tgi", "generation-aborts", "", 96, 3),
    ("torchserve", "http-availability", "", 186, 4),
    ("traefik", "http-availability", "", 100, 2),
    ("traefik", "http-latency", "300ms", 98, 7),
    ("triton", "http-availability", "model=scorer", 11, 2),
    # Of these 10 the model answered 2 with an error.
    ("triton", "http-availability", "model=told", 10, 0),
    ("triton", "time-to-first-token", "500ms", 90, 5),
    ("vllm", "http-availability", "", 95, 2),
    ("vllm", "http-latency", "2s", 97, 57),
    ("vllm", "time-to-first-token", "500ms", 97, 27),
    ("vllm", "inter-token-latency", "50ms", 4903, 103),
    ("vllm", "time-per-output-token", "50ms", 97, 2),
    ("vllm", "generation-errors", "", 92, 2),
    ("vllm", "generation-aborts", "", 97, 5),
]


def samples(server: str) -> list[tuple[dict[str, str], float]]:
    # The parser gives each counter OpenMetrics' suffix _total, which Prometheus does not.
    text = (PAGES / f"{server}.txt").read_text().replace(" counter\n", " untyped\n")
    families = text_string_to_metric_families(text)
    return [({"__name__": s.name, **s.labels}, s.value) for family in families for s in family.samples]


@pytest.mark.parametrize(("server", "template", "given", "total", "bad"), COUNTS)
def test_a_template_counts_what_its_server_has_served(
    server: str, template: str, given: str, total: int, bad: int
) -> None:
    named = [text.partition("=") for text in given.split(",") if "=" in text]
    threshold = parse_threshold(given) if given and not named else None
    how = counting(Sli("x", template, server, threshold, where=tuple((label, value) for label, _, value in named)))
    found = [(how.weights(labels), count) for labels, count in samples(server)]
    assert sum(weights.total * count for weights, count in found if weights) == total
    assert sum(weights.bad * count for weights, count in found if weights) == bad


def test_every_template_of_every_server_is_counted_here() -> None:
    offered = {(name, template) for name, server in servers().items() for template in server.offered}
    assert {(server, template) for server, template, *_ in COUNTS} == offered


@pytest.mark.parametrize("name", sorted(servers()))
def test_a_page_says_where_it_is_from(name: str) -> None:
    origin = (PAGES / f"{name}.txt").read_text().partition("\n")[0]
    assert origin.startswith(
        "# Origin: ran" if servers()[name].verified.startswith("ran") else "# Origin: written from"
    )


@pytest.mark.parametrize("name", [name for name, server in servers().items() if server.tokens])
def test_tokens_are_counted_too(name: str) -> None:
    for text in servers()[name].tokens.values():
        assert any(parse(text).accepts(labels) and count > 0 for labels, count in samples(name)), text


def test_the_guide_names_every_server_and_every_template() -> None:
    guide = (PAGES.parents[3] / "docs" / "guide" / "sli.md").read_text()
    assert [name for name in (*servers(), *MEANINGS) if f"`{name}`" not in guide] == []
