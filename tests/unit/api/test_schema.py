"""The CRDs: generated, structural, and the same as the files in crds/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from seatrial.api import schema
from seatrial.api.fields import ApiModel
from seatrial.api.status import DEPLOYMENT_STATUS
from seatrial.rollout import report

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
NOT_STRUCTURAL = {"$ref", "$defs", "title", "anyOf", "allOf", "oneOf", "not", "const", "prefixItems"}


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, part in node.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")


def openapi(kind: schema.Kind) -> dict[str, Any]:
    root: dict[str, Any] = schema.crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


KINDS = pytest.mark.parametrize("kind", schema.KINDS, ids=lambda kind: kind.kind)


def test_crds_folder_is_up_to_date() -> None:
    written = {path.name: path.read_text() for path in (ROOT / "crds").glob("model*.yaml")}
    assert written == schema.files(), "crds/ differs from the models: run `make crds`"


def test_files_are_yaml_of_the_crds() -> None:
    for kind in schema.KINDS:
        assert yaml.safe_load(schema.files()[f"{kind.plural}.yaml"]) == schema.crd(kind)


@KINDS
def test_every_node_is_structural(kind: schema.Kind) -> None:
    for path, node in nodes(openapi(kind), kind.kind):
        assert "type" in node, f"{path} has no type"
        assert not NOT_STRUCTURAL & node.keys(), f"{path} is not structural"
        assert node.get("default", 0) is not None, f"{path} defaults to null"


@KINDS
def test_every_field_explains_itself(kind: schema.Kind) -> None:
    for path, node in nodes(openapi(kind), kind.kind):
        if path.endswith((".metadata", "[]")):
            continue
        assert node.get("description", "").endswith((".", "}")), f"{path} has no sentence for kubectl explain"


@KINDS
def test_every_list_says_how_it_merges(kind: schema.Kind) -> None:
    for path, node in nodes(openapi(kind), kind.kind):
        if node["type"] == "array":
            assert node["x-kubernetes-list-type"] in {"atomic", "map"}, path


@KINDS
def test_the_status_has_no_defaults_and_no_rules(kind: schema.Kind) -> None:
    for path, node in nodes(openapi(kind)["properties"]["status"], "status"):
        assert not {"default", "x-kubernetes-validations"} & node.keys(), path


def test_the_template_is_kept_as_written() -> None:
    template = openapi(schema.KINDS[0])["properties"]["spec"]["properties"]["template"]
    for path, node in nodes(template, "template"):
        assert node["type"] == "array" or node["x-kubernetes-preserve-unknown-fields"], path
        assert "default" not in node, path


def test_columns_read_fields_that_exist() -> None:
    for kind in schema.KINDS:
        known = {path.removeprefix("root") for path, _ in nodes(openapi(kind), "root")}
        paths = {column.path for column in kind.columns} - {".metadata.creationTimestamp"}
        assert paths <= known


def test_a_union_of_two_types_is_refused() -> None:
    class Either(ApiModel):
        port: int | str

    with pytest.raises(ValueError, match="union of 2 types"):
        schema.structural(Either.model_json_schema(), {})


def test_a_status_has_room_for_every_condition_that_is_reported() -> None:
    source = (Path(report.__file__)).read_text(encoding="utf-8")
    kinds = set(re.findall(r'^ {8}"([A-Z]\w+)": |found\["([A-Z]\w+)"\]', source, re.MULTILINE))
    room = DEPLOYMENT_STATUS.json_schema()["properties"]["conditions"]["maxItems"]
    assert 9 <= len(kinds) <= room
