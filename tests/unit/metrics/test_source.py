"""One look for all rollouts: what is asked, what is shared, and what stays right when things go wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from seatrial.metrics.source import Horizons, PrometheusSource
from seatrial.metrics.templates import servers
from seatrial.metrics.types import Checkpoint, Request, Sli
from tests.unit.metrics.tsdb import Clock, Tsdb

if TYPE_CHECKING:
    from collections.abc import Mapping

V1, V2 = "aaaaaaaaaa", "bbbbbbbbbb"
OWN = Sli("own", good='requests_total{code!~"5..",$selector}', total="requests_total{$selector}")
FAST = Sli("fast", good='seconds_bucket{le="0.25",$selector}', total="seconds_count{$selector}")
BEGAN_S = 1_000_000.0


class World:
    """A database, a source and a clock."""

    def __init__(self, look_s: float = 2.0) -> None:
        self.clock = Clock(BEGAN_S)
        self.tsdb = Tsdb(self.clock)
        self.source = PrometheusSource(self.tsdb, look_s, self.clock, Horizons(settle_s=10.0))
        self.tsdb.scrape({"job": "self"}, BEGAN_S - 20, [])

    def scrape(self, rollout: str, version: str, page: Mapping[str, float], *, pod: str = "p", **labels: str) -> None:
        """Scrape a pod now; the keys of the page are ``metric`` or ``metric label=value ...``."""
        series = [
            ({"__name__": name, **dict(pair.split("=", 1) for pair in pairs)}, value)
            for (name, *pairs), value in ((key.split(), value) for key, value in page.items())
        ]
        target = {
            "namespace": "ml",
            "rollout_name": rollout,
            "rollout_version": version,
            "pod": f"{rollout}-{version}-{pod}",
            "job": "pods",
            **labels,
        }
        self.tsdb.scrape(target, self.clock.now_s, series)


def request(rollout: str = "m", *slis: Sli, versions: tuple[str, ...] = (V1,), since: float = BEGAN_S) -> Request:
    wanted = slis or (OWN,)
    return Request(
        "ml", rollout, versions, wanted, {(v, s.name): Checkpoint(since, 0, 0) for v in versions for s in wanted}
    )


@pytest.fixture
def world() -> World:
    return World()


async def test_all_rollouts_share_the_queries_of_a_look(world: World) -> None:
    rollouts = [f"m{i}" for i in range(40)]
    for turn in range(1, 4):
        world.clock.now_s += 2
        for rollout in rollouts:
            world.scrape(rollout, V1, {"requests_total code=200": turn, "requests_total code=500": turn})
        world.tsdb.queries.clear()
        answers = await asyncio.gather(*(world.source.measure(request(rollout)) for rollout in rollouts))
        assert {(a.readings[V1, "own"].total, a.readings[V1, "own"].bad) for a in answers} == {(2 * turn, turn)}
        # The first rollout starts a look at once; the others come while it runs and are brought in by the next one.
        assert len(world.tsdb.queries) == (3 + 1 + 3 if turn == 1 else 1)


async def test_a_result_is_shared_while_it_is_young(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 1})
    await world.source.measure(request())
    world.tsdb.queries.clear()
    world.clock.now_s += 1.9
    world.scrape("m", V1, {"requests_total code=200": 5})
    assert (await world.source.measure(request())).readings[V1, "own"].total == 1
    assert world.tsdb.queries == []
    world.clock.now_s += 0.1
    assert (await world.source.measure(request())).readings[V1, "own"].total == 5
    assert len(world.tsdb.queries) == 1


async def test_a_look_that_takes_long_is_made_less_often(world: World) -> None:
    world.tsdb.takes_s = 0.3
    await world.source.measure(request())
    took_s = 0.9
    assert world.clock.now_s == pytest.approx(BEGAN_S + took_s)
    for elapsed_s, queries in ((3.5, 3), (3.7, 4)):
        world.clock.now_s = BEGAN_S + elapsed_s
        await world.source.measure(request())
        assert len(world.tsdb.queries) == queries


async def test_a_failed_look_is_shared_too_and_keeps_the_last_counts(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 3})
    await world.source.measure(request())
    world.clock.now_s += 2
    world.tsdb.away = "it is away"
    world.tsdb.queries.clear()
    first = await world.source.measure(request())
    second = await world.source.measure(request("other"))
    assert len(world.tsdb.queries) == 1
    assert first.unavailable == second.unavailable == "it is away"
    assert first.readings[V1, "own"].total == 3
    assert second.readings[V1, "own"].checkpoint == Checkpoint(BEGAN_S, 0, 0)
    world.tsdb.away = None
    world.clock.now_s += 2
    assert (await world.source.measure(request("other"))).unavailable is None


async def test_a_caller_that_gives_up_does_not_take_the_look_from_the_others(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 3})
    gone = asyncio.create_task(world.source.measure(request()))
    stays = asyncio.create_task(world.source.measure(request()))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).readings[V1, "own"].total == 3


async def test_rollouts_with_the_same_version_hash_are_kept_apart(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 3})
    world.scrape("n", V1, {"requests_total code=500": 7})
    world.scrape("m", V1, {"requests_total code=500": 100}, namespace="other")
    one, two = await asyncio.gather(world.source.measure(request("m")), world.source.measure(request("n")))
    assert (one.readings[V1, "own"].total, one.readings[V1, "own"].bad) == (3, 0)
    assert (two.readings[V1, "own"].total, two.readings[V1, "own"].bad) == (7, 7)


async def test_labels_of_a_version_without_pods_are_counted_on_from_checkpoints_that_follow(world: World) -> None:
    """Otherwise each operator that starts would read weeks of them again."""
    accuracy = Sli("accuracy", template="label-accuracy")
    joiner = {"namespace": "ml", "pod": "joiner", "job": "joiner"}
    told = {"__name__": "ml_model_labeled_predictions_total", "rollout_name": "m", "rollout_version": V1}
    for turn in range(1, 61):
        world.clock.now_s += 2
        page = [(told | {"result": "right"}, turn), (told | {"result": "wrong"}, 2 * turn)]
        world.tsdb.scrape(joiner, world.clock.now_s, page)
        reading = (await world.source.measure(request("m", accuracy))).readings[V1, "accuracy"]
        assert (reading.total, reading.bad) == (3 * turn, 2 * turn)
    assert world.clock.now_s - reading.checkpoint.at_s == pytest.approx(10, abs=2)
    world.source.forget("ml", "m")
    again = Request("ml", "m", (V1,), (accuracy,), {(V1, "accuracy"): reading.checkpoint})
    assert (await world.source.measure(again)).readings[V1, "accuracy"].total == 180


async def test_a_new_trial_of_the_same_version_counts_anew(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 30})
    assert (await world.source.measure(request())).readings[V1, "own"].total == 30
    world.clock.now_s += 100
    later = request(since=world.clock.now_s)
    assert (await world.source.measure(later)).readings[V1, "own"].total == 0
    world.clock.now_s += 5
    world.scrape("m", V1, {"requests_total code=200": 34})
    assert (await world.source.measure(later)).readings[V1, "own"].total == 4


async def test_a_checkpoint_that_was_handed_out_is_known_again(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 30})
    asked = request()
    for _ in range(20):
        world.clock.now_s += 3
        measured = await world.source.measure(asked)
        asked = Request("ml", "m", (V1,), (OWN,), {(V1, "own"): measured.readings[V1, "own"].checkpoint})
        world.tsdb.queries.clear()
    world.clock.now_s += 3
    assert (await world.source.measure(asked)).readings[V1, "own"].total == 30
    assert len(world.tsdb.queries) == 1


async def test_what_is_forgotten_is_not_asked_for(world: World) -> None:
    await world.source.measure(request("m"))
    await world.source.measure(request("n", versions=(V2,)))
    world.source.forget("ml", "m")
    world.clock.now_s += 2
    await world.source.measure(request("n", versions=(V2,)))
    assert V1 not in world.tsdb.queries[-1]
    world.clock.now_s += 601
    await world.source.measure(request("m"))
    assert all(V2 not in query for query in world.tsdb.queries[-3:])


async def test_only_targets_can_be_asked_for(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 30})
    measured = await world.source.measure(Request("ml", "m", (V1,), (), {}))
    assert measured.targets_up == {V1: 1}
    assert measured.readings == {}
    assert "requests_total" not in world.tsdb.queries[-1]


async def test_an_unusual_spelling_of_an_edge_is_learned(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"seconds_count": 10, "seconds_bucket le=0.2500": 7, "seconds_bucket le=+Inf": 10})
    measured = await world.source.measure(request("m", FAST))
    assert (measured.readings[V1, "fast"].total, measured.readings[V1, "fast"].bad) == (10, 3)
    world.clock.now_s += 2
    world.scrape("m", V1, {"seconds_count": 12, "seconds_bucket le=0.2500": 8, "seconds_bucket le=+Inf": 12})
    world.tsdb.queries.clear()
    measured = await world.source.measure(request("m", FAST))
    assert (measured.readings[V1, "fast"].total, measured.readings[V1, "fast"].bad) == (12, 4)
    assert len(world.tsdb.queries) == 1


async def test_requests_without_a_histogram_wait_for_it(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"seconds_count": 10, "requests_total code=200": 10})
    measured = await world.source.measure(request("m", FAST, OWN))
    assert measured.readings[V1, "fast"].problem == "requests are counted, but seconds_bucket has no series yet"
    assert measured.readings[V1, "fast"].total == 0
    assert measured.readings[V1, "own"].total == 10
    world.clock.now_s += 30
    world.scrape("m", V1, {"seconds_count": 12, "seconds_bucket le=0.25": 12, "requests_total code=200": 12})
    measured = await world.source.measure(request("m", FAST, OWN))
    assert measured.readings[V1, "fast"].problem is None
    assert (measured.readings[V1, "fast"].total, measured.readings[V1, "fast"].bad) == (12, 0)
    assert measured.readings[V1, "own"].total == 12


async def test_bad_answers_only_are_no_missing_edge(world: World) -> None:
    ok = Sli("ok", good='seconds_bucket{le="0.25",code="200",$selector}', total="seconds_count{$selector}")
    for count in (4, 6):
        world.clock.now_s += 2
        world.scrape("m", V1, {"seconds_count code=500": count, "seconds_bucket code=500 le=0.25": count})
        measured = await world.source.measure(request("m", ok))
        assert measured.readings[V1, "ok"].problem is None
        assert (measured.readings[V1, "ok"].total, measured.readings[V1, "ok"].bad) == (count, count)
    assert sum(query.startswith("group") for query in world.tsdb.queries) == 1


async def test_an_answer_that_is_too_large_is_asked_for_in_halves(world: World) -> None:
    world.tsdb.max_samples = 30
    for turn in range(1, 60):
        world.clock.now_s += 10
        world.scrape("m", V1, {"requests_total code=200": turn, "seconds_count": turn, "seconds_bucket le=0.25": turn})
    measured = await world.source.measure(request("m", OWN, FAST))
    assert measured.unavailable is None
    assert measured.readings[V1, "own"].total == 59
    assert (measured.readings[V1, "fast"].total, measured.readings[V1, "fast"].bad) == (59, 0)


async def test_a_metric_with_too_many_series_blinds_nobody_else(world: World) -> None:
    world.tsdb.max_samples = 100
    world.clock.now_s += 1
    world.scrape(
        "m", V1, {f"requests_total user={i}": 1 for i in range(200)} | {"seconds_count": 3, "seconds_bucket le=0.25": 3}
    )
    world.scrape("n", V2, {"requests_total code=200": 8})
    one = await world.source.measure(request("m", OWN, FAST))
    two = await world.source.measure(request("n", versions=(V2,)))
    assert one.unavailable is None
    assert one.readings[V1, "own"].problem == "requests_total has too many series: too much"
    assert one.readings[V1, "fast"].total == 3
    assert two.readings[V2, "own"].total == 8


async def test_a_pod_that_is_scraped_twice_is_told(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 8}, instance="10.0.0.1:80")
    world.scrape("m", V1, {"requests_total code=200": 8}, instance="10.0.0.1:80", job="again")
    assert (await world.source.measure(request())).readings[V1, "own"].problem == (
        f"pod m-{V1}-p is scraped twice, at 10.0.0.1:80 (job again) and 10.0.0.1:80 (job pods): "
        f"each of its requests would count twice"
    )


async def test_a_selector_of_good_that_is_no_part_of_total_is_told(world: World) -> None:
    wrong = Sli("wrong", good="answers_total{$selector}", total="requests_total{$selector}")
    for turn in range(1, 40):
        world.clock.now_s += 2
        world.scrape("m", V1, {"requests_total": turn, "answers_total": 2 * turn})
        measured = await world.source.measure(request("m", wrong))
        assert measured.readings[V1, "wrong"].bad == 0
    assert measured.readings[V1, "wrong"].problem == (
        "more requests are good than there are: by 39 of 39; "
        "what the selector good counts must be a part of what total counts"
    )


async def test_an_sli_that_can_not_be_counted_says_why_and_leaves_the_others_alone(world: World) -> None:
    world.clock.now_s += 1
    world.scrape("m", V1, {"requests_total code=200": 8})
    measured = await world.source.measure(request("m", Sli("x", template="http-latency", server="abacus"), OWN))
    assert measured.readings[V1, "x"].problem == (
        f"no server named 'abacus' is known; the known ones are {', '.join(servers())}"
    )
    assert measured.readings[V1, "own"].total == 8


async def test_a_query_that_is_refused_is_a_source_that_is_away(world: World) -> None:
    world.tsdb.refuses = "it refuses the query"
    assert (await world.source.measure(request())).unavailable == "it refuses the query"


async def test_each_pair_of_version_and_sli_needs_a_checkpoint() -> None:
    with pytest.raises(ValueError, match="no checkpoint to count from"):
        Request("ml", "m", (V1,), (OWN,), {})


async def test_pods_that_are_scraped_without_their_version_are_told_after_a_while(world: World) -> None:
    told = []
    for _ in range(4):
        world.clock.now_s += 5
        for pod in (f"m-{V1}-6f-x", f"m-{V1}-6f-y", f"other-{V1}-6f-z"):
            world.tsdb.scrape({"namespace": "ml", "pod": pod, "job": "pods"}, world.clock.now_s, [])
        told.append((await world.source.measure(request())).unlabelled)
    assert told == [{}, {}, {}, {V1: (f"m-{V1}-6f-x", f"m-{V1}-6f-y")}]
    world.clock.now_s += 5
    world.scrape("m", V1, {})
    assert (await world.source.measure(request())).unlabelled == {}


async def test_counts_of_a_gateway_are_as_fresh_as_the_gateways_own_samples(world: World) -> None:
    at_gateway = Sli("a", template="http-availability", server="envoy")
    world.clock.now_s += 5
    world.scrape("m", V1, {})
    assert (await world.source.measure(request("m", at_gateway))).readings[V1, "a"].last_sample_s is None
    world.clock.now_s += 5
    world.scrape("m", V1, {})
    target = {"namespace": "ml", "rollout_name": "m", "rollout_version": V1, "pod": "envoy-1", "job": "gateway"}
    page = [({"__name__": "envoy_cluster_upstream_rq", "envoy_response_code": "503"}, 4.0)]
    world.tsdb.scrape(target, world.clock.now_s, page)
    seen_s = world.clock.now_s
    reading = (await world.source.measure(request("m", at_gateway))).readings[V1, "a"]
    assert (reading.total, reading.bad, reading.last_sample_s) == (4, 4, seen_s)
    world.clock.now_s += 30
    world.scrape("m", V1, {})
    later = (await world.source.measure(request("m", at_gateway))).readings[V1, "a"]
    assert (later.total, later.last_sample_s) == (4, seen_s)
