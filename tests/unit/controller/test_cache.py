"""The cache, whose news come on two ways (watches and answers of calls) and in any order."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.controller.cache import Cache, Key

OWNER = Key("ml", "scorer")


def pod(version: int, *, uid: str = "1", owner: str = "scorer", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "ml",
            "name": "scorer-1",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": {"seatrial.dev/model": owner},
            "managedFields": [{"manager": "kubelet"}],
        },
        "spec": {"containers": []},
        "status": status,
    }


@pytest.fixture
def cache() -> Cache:
    return Cache()


def known(cache: Cache) -> list[str]:
    return [item["metadata"]["resourceVersion"] for item in cache.children("Pod", OWNER)]


@pytest.mark.parametrize("versions", [(9, 10), (10, 9)])
def test_the_newer_of_an_event_and_an_answer_stays_in_any_order(cache: Cache, versions: tuple[int, int]) -> None:
    for version in versions:
        cache.put("Pod", pod(version))
    assert known(cache) == ["10"]


def test_an_answer_that_comes_after_the_deletion_does_not_bring_the_object_back(cache: Cache) -> None:
    cache.put("Pod", pod(1))
    cache.drop("Pod", pod(3))
    cache.put("Pod", pod(2))
    cache.replace_children("Pod", OWNER, [pod(2)])
    assert known(cache) == []
    assert cache.get("Pod", "ml", "scorer-1") is None


def test_a_successor_of_the_same_name_outlives_the_late_news_of_the_deletion(cache: Cache) -> None:
    cache.put("Pod", pod(1, uid="old"))
    cache.put("Pod", pod(5, uid="new"))
    cache.drop("Pod", pod(3, uid="old"))
    assert known(cache) == ["5"]


def test_what_a_fresh_reading_lacks_is_gone_and_may_come_back(cache: Cache) -> None:
    cache.put("Pod", pod(1))
    cache.replace_children("Pod", OWNER, [])
    assert known(cache) == []
    cache.put("Pod", pod(2))
    assert known(cache) == ["2"]


def test_a_fresh_reading_of_one_object_replaces_or_removes_it(cache: Cache) -> None:
    cache.replace("Pod", "ml", "scorer-1", pod(1, uid="old", owner="other"))
    cache.replace("Pod", "ml", "scorer-1", pod(7, uid="new"))
    assert cache.children("Pod", Key("ml", "other")) == []
    assert known(cache) == ["7"]
    cache.replace("Pod", "ml", "scorer-1", None)
    assert cache.get("Pod", "ml", "scorer-1") is None


def test_only_what_is_read_is_kept(cache: Cache) -> None:
    cache.put("Pod", pod(1, containerStatuses=[], podIP="192.0.2.1", hostIP="192.0.2.9"))
    [kept] = cache.children("Pod", OWNER)
    assert kept["status"] == {"containerStatuses": [], "podIP": "192.0.2.1"}
    assert "spec" not in kept
    assert "managedFields" not in kept["metadata"]


def test_own_kinds_are_nobodys_children(cache: Cache) -> None:
    cache.put("ModelDeployment", pod(1))
    assert cache.children("ModelDeployment", OWNER) == []
    assert [item["metadata"]["resourceVersion"] for item in cache.all("ModelDeployment")] == ["1"]
