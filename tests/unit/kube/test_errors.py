"""What a caller is to do next follows from the answer alone."""

from __future__ import annotations

import json

import pytest

from seatrial.kube.errors import Conflict, Gone, KubeError, Refused, Unavailable, from_answer


def status(message: str, **details: object) -> bytes:
    return json.dumps({"kind": "Status", "status": "Failure", "message": message, "details": details}).encode()


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (400, status("admission webhook denied the request"), Refused),
        (401, status("Unauthorized"), Unavailable),
        (403, status("cannot patch resource"), Refused),
        (403, status("is being terminated", causes=[{"reason": "NamespaceTerminating"}]), Gone),
        (404, status('services "a" not found'), Gone),
        (404, b"404 page not found\n", Refused),
        (408, status("timeout"), Unavailable),
        (409, status("the object has been modified"), Conflict),
        (410, status("too old resource version"), Unavailable),
        (413, b"request entity too large", Refused),
        (422, status("spec.replicas: Invalid value: -1"), Refused),
        (429, b"Too many requests, please try again later.\n", Unavailable),
        (500, status("etcdserver: leader changed"), Unavailable),
        (500, status("failed to create typed patch object (ml/a): .spec.x: field not declared in schema"), Refused),
        (502, b"<html>Bad Gateway</html>", Unavailable),
        (503, b"", Unavailable),
        (504, status("Timeout: request did not complete"), Unavailable),
    ],
)
def test_each_answer_becomes_the_error_that_names_the_reaction(
    code: int, body: bytes, expected: type[KubeError]
) -> None:
    assert type(from_answer("apply Service ml/a", code, body)) is expected


def test_the_sentence_says_what_was_tried_and_what_the_server_said() -> None:
    error = from_answer("apply Service ml/a", 422, status("spec.ports[0].port: Invalid value: 0"))
    assert error.sentence == "Can't apply Service ml/a: spec.ports[0].port: Invalid value: 0"
    assert str(error) == error.sentence


def test_an_unknown_kind_is_told_from_a_missing_object() -> None:
    assert "install its CRDs" in from_answer("apply HTTPRoute ml/a", 404, b"404 page not found\n").sentence


def test_an_answer_without_words_still_makes_a_sentence() -> None:
    assert from_answer("read Pod ml/a", 503, b"").sentence == "Can't read Pod ml/a: HTTP status 503"


def test_a_page_long_message_is_cut() -> None:
    sentence = from_answer("apply Deployment ml/a", 422, status("x" * 5000)).sentence
    assert len(sentence) < 700
    assert sentence.endswith("…")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"\xff\xfe"])
def test_no_body_breaks_the_reading_of_an_error(body: bytes) -> None:
    assert isinstance(from_answer("read Pod ml/a", 500, body), Unavailable)
