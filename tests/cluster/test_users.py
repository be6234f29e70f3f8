"""Who gets the candidate: groups of an experiment by header and by cookie, and users who stay with their version."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.ship import condition
from tests.cluster.test_strategies import command, whoami

if TYPE_CHECKING:
    from tests.cluster.ship import Raw, Ship

pytestmark = pytest.mark.cluster

USERS = 40
WAITS: Raw = {"weight": 50, "for": "10m"}


def experiment(**match: str) -> dict[str, Any]:
    return {"experiment": {"match": match, "objective": "digits/availability", "margin": 20, "cap": "4m"}}


async def versions(ship: Ship, count: int = 10, **headers: str) -> set[str]:
    """Ask some times, and name the versions that answered."""
    return {version for version, _ in await asyncio.gather(*(ship.ask(**headers) for _ in range(count)))}


async def test_an_experiment_leads_its_group_to_the_candidate_until_the_comparison_is_decided(ship: Ship) -> None:
    await ship.serve()
    beta, cookie = {"x-group": "beta"}, {"Cookie": "a=1; group=b; z=2"}
    steps = [experiment(header="x-group", value="beta"), experiment(cookie="group", value="b")]
    async with ship.load(30) as load:
        await ship.apply(ship.manifest("2", steps=steps))
        await ship.until(lambda s: s.get("step") == "1/2" and bool(s["trial"].get("stepSince")))
        await asyncio.sleep(1)  # from the gateway's word to its proxy
        assert await versions(ship, 10, **beta) == {"2"}
        assert await versions(ship) == await versions(ship, 10, **{"x-group": "betamax"}) == {"1"}
        assert await versions(ship, 10, **cookie) == {"1"}
        async with ship.load(20, headers=beta) as group:  # before it comes there is too little to compare
            await ship.until(lambda s: s.get("step") == "2/2" and bool(s["trial"].get("stepSince")))
            assert await ship.lost(group) == []
        await asyncio.sleep(1)
        assert await versions(ship, 10, **cookie) == {"2"}
        assert await versions(ship) == await versions(ship, 10, **beta) == {"1"}
        assert set(load.window().versions()) == {"1"}, "only requests of the group have moved"
        async with ship.load(20, headers=cookie) as group:
            status = await ship.until(lambda s: s["phase"] == "Stable" and s["stable"]["label"] == "2")
            assert await ship.lost(group) == []
        assert await ship.lost(load) == []
    assert status["history"][0]["outcome"] == "Promoted"


async def test_users_stay_with_their_version_are_dealt_anew_and_come_back_when_it_is_rolled_back(ship: Ship) -> None:
    await ship.serve()
    sticky = {"cookie": "seat", "maxAge": "10m"}
    async with ship.load(20) as load:
        await ship.apply(ship.manifest("2", steps=[WAITS, WAITS | {"weight": 60}], sticky=sticky))
        status = await ship.until(lambda s: s["phase"] == "Trial" and bool(s["trial"].get("stepSince")))
        assert condition(status, "TrafficInSync")["status"] == "True"
        await asyncio.sleep(1)
        first = await users(ship, status)
        assert (await command(ship, 1, "promote", by=await whoami()))["outcome"] == "Done"
        status = await ship.until(lambda s: s.get("step") == "2/2" and bool(s["trial"].get("stepSince")))
        await asyncio.sleep(1)
        moved = {version: await versions(ship, 30, Cookie=cookie) for version, cookie in first.items()}
        assert moved == {"1": {"1", "2"}, "2": {"1", "2"}}, "a step deals all users anew"
        second = await users(ship, status)
        assert set(second.values()).isdisjoint(first.values())
        assert (await command(ship, 2, "abort", by=await whoami()))["outcome"] == "Done"
        await ship.until(lambda s: s["phase"] == "RolledBack")
        await asyncio.sleep(1)
        for cookie in (*first.values(), *second.values()):
            assert await versions(ship, 20, Cookie=cookie) == {"1"}, "a rollback moves its users back"
        assert (await ship.ask())[1] == "", "nobody is bound to a version outside a trial"
        assert await ship.lost(load) == []


async def users(ship: Ship, status: Raw) -> dict[str, str]:
    """Let users come without a cookie, see that all stay where they were dealt, and keep a cookie of each version."""
    known = {}
    dealt = await asyncio.gather(*(ship.ask() for _ in range(USERS)))
    for version, cookie in dealt:
        stays = status["candidate" if version == "2" else "stable"]["hash"]
        assert re.fullmatch(rf"seat={stays}-\w+; Path=/; Max-Age=600; HttpOnly; SameSite=Lax", cookie)
        known[version] = cookie.split(";")[0]
        assert await versions(ship, 3, Cookie=f"a=b; {known[version]}") == {version}
    assert set(known) == {"1", "2"}
    return known
