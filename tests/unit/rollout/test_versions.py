"""Identity of a version: the same words give the same hash for ever, other words another one."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.rollout.versions import version_hash

SPEC: dict[str, Any] = {
    "model": {"name": "fraud-scorer", "version": "7"},
    "port": 8080,
    "replicas": 3,
    "template": {
        "metadata": {"labels": {"team": "risk"}},
        "spec": {
            "containers": [
                {
                    "name": "model",
                    "image": "example/fraud@sha256:0",
                    "env": [{"name": "A", "value": "ü"}],
                    "resources": {"limits": {"cpu": "500m"}},
                }
            ]
        },
    },
}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
written = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def test_known_value() -> None:
    """An upgrade that changes this starts a trial of every model in every cluster."""
    assert version_hash(SPEC) == "lx4m5ws4vl"


def test_is_fit_for_a_name() -> None:
    assert re.fullmatch("[a-z0-9]{10}", version_hash(SPEC))


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(inner) for inner in value] if isinstance(value, list) else value


@settings(max_examples=50, deadline=None)
@given(written)
def test_order_of_keys_and_a_way_through_the_api_server_change_nothing(template: Any) -> None:
    spec = {"model": {"name": "m", "version": "1"}, "template": {"spec": template}, "port": 1}
    known = version_hash(spec)
    assert version_hash(shuffled(spec)) == known
    assert version_hash(json.loads(json.dumps(spec))) == known


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List every place in a document that holds something which can be changed."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inner for place in [(*here, key), *paths(one, (*here, key))]]


@pytest.mark.parametrize("path", [path for path in paths(SPEC) if path[0] != "replicas"], ids=str)
def test_every_change_is_another_version(path: tuple[Any, ...]) -> None:
    for change in ("drop", "replace", "add"):
        spec = copy.deepcopy(SPEC)
        place: Any = spec
        for key in path[:-1]:
            place = place[key]
        if change == "drop":
            del place[path[-1]]
        elif change == "replace":
            place[path[-1]] = "another"
        elif isinstance(place, dict):
            place[f"{path[-1]}-2"] = "new"
            if len(path) == 1:
                continue  # a field beside model, template and port is no part of a version
        else:
            place.append("new")
        assert version_hash(spec) != version_hash(SPEC), change


@pytest.mark.parametrize("key", ["replicas", "strategy", "paused", "slos", "traffic", "mode", "commands"])
def test_what_is_no_part_of_a_version_changes_nothing(key: str) -> None:
    assert version_hash(SPEC | {key: {"other": 1}}) == version_hash(SPEC)


def test_null_is_absent() -> None:
    spec = copy.deepcopy(SPEC)
    spec["template"]["spec"]["nodeSelector"] = None
    spec["template"]["spec"]["containers"][0]["command"] = None
    assert version_hash(spec) == version_hash(SPEC)


def test_kinds_of_values_are_told_apart() -> None:
    values: list[Any] = ["1", 1, 1.5, True, False, "", [], {}, [1], ["1"], {"1": 1}, [[1]], "true", 0]
    hashes = {version_hash({"template": {"x": value}}) for value in values}
    assert len(hashes) == len(values)


def test_no_two_of_a_hundred_thousand_versions_are_alike() -> None:
    hashes = {version_hash({"model": {"name": "m", "version": str(number)}}) for number in range(100_000)}
    assert len(hashes) == 100_000
