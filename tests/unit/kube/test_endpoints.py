"""Ready endpoints by version."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.kube.endpoints import ready_endpoints

A, B = "bbbbbbbbbb", "cccccccccc"


def part(version: str | None, endpoints: str = "", family: str = "IPv4") -> dict[str, Any]:
    """Make a slice; each letter is an endpoint: r is ready, n is not, and - says nothing about it."""
    labels = {"seatrial.dev/version": version} if version else {}
    told: dict[str, dict[str, bool]] = {"r": {"ready": True}, "n": {"ready": False}, "-": {}}
    conditions = [{"conditions": told[letter]} for letter in endpoints]
    return {"metadata": {"labels": labels}, "addressType": family, "endpoints": conditions}


@pytest.mark.parametrize(
    ("slices", "counts"),
    [
        ([], {}),
        ([part(A)], {A: 0}),
        ([part(A, "rn-")], {A: 2}),
        ([part(A, "r"), part(A, "rr"), part(B, "n")], {A: 3, B: 0}),
        ([part(A, "rr"), part(A, "rr", "IPv6")], {A: 2}),
        ([part(None, "r")], {}),
        ([{**part(A), "endpoints": None}], {A: 0}),
    ],
)
def test_ready_endpoints_are_counted_by_version(slices: list[dict[str, Any]], counts: dict[str, int]) -> None:
    assert ready_endpoints(slices) == counts
