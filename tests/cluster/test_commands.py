"""The plugin as kubectl starts it, on the real cluster: a command is given, proven, carried out and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demo.kubectl import KubectlError, kubectl

if TYPE_CHECKING:
    from tests.cluster.ship import Ship

pytestmark = pytest.mark.cluster

GATED: list[dict[str, Any]] = [{"weight": 20, "for": "2s"}, {"gate": {"name": "review"}}, {"weight": 50, "for": "2s"}]


async def test_a_person_opens_a_gate_and_returns_to_the_version_before(ship: Ship) -> None:
    await ship.serve()
    in_namespace = ("--namespace", ship.namespace)
    async with ship.load() as load:
        await ship.apply(ship.manifest("2", steps=GATED, keep={"versions": 1, "for": "1h"}))
        await ship.until(lambda s: s.get("step") == "2/3")
        said = await kubectl("seatrial", "promote", "digits", "--reason", "looks good", *in_namespace)
        assert said.strip() == "Done: gate review is open"
        settled = ("--until", "settled", "--timeout", "60s")
        await kubectl("seatrial", "watch", "digits", *settled, *in_namespace, timeout_s=70.0)
        with pytest.raises(KubectlError, match="abort: nothing is on trial"):
            await kubectl("seatrial", "abort", "digits", *in_namespace)
        await kubectl("seatrial", "rollback", "digits", "--reason", "complaints", *in_namespace)
        status = await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "1")
        assert await ship.lost(load) == []
    assert [(a["verb"], a["outcome"], a["verified"]) for a in status["answers"]] == [
        ("rollback", "Done", True),
        ("abort", "Refused", True),
        ("promote", "Done", True),
    ]
