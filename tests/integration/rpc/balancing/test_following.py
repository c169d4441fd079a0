"""The addresses behind a name change, and calls follow."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.errors import DeadlineExceeded
from shared.rpc.balancing import Replicas
from tests.integration.processes import until
from tests.integration.rpc.balancing.fleet import KEYS, Fleet, generated, home, keys_of, serving


async def test_a_replica_that_joins_gets_its_keys(fleet: Fleet) -> None:
    new = fleet.members[2]
    fleet.hosts = [member.ip for member in fleet.members[:2]]
    async with fleet.replicas() as replicas:
        await serving(replicas, 2)
        for key in KEYS:
            await generated(replicas, key)
        assert new.asked == []
        fleet.hosts = [member.ip for member in fleet.members]
        async with asyncio.timeout(20):
            while not new.asked:
                await generated(replicas, keys_of(fleet, new)[0])
        new.asked.clear()
        for key in KEYS:
            assert {one.text for one in await generated(replicas, key)} == {home(fleet, key).ip}
        assert len(new.asked) == len(keys_of(fleet, new)) > 0


async def test_an_address_that_vanished_gets_no_calls_and_ends_those_it_has(
    fleet: Fleet, replicas: Replicas[Any]
) -> None:
    old = fleet.members[0]
    old.go.clear()
    mine = keys_of(fleet, old)
    under_way = asyncio.ensure_future(generated(replicas, mine[0]))
    await until(lambda: old.running == 1, 20)
    fleet.hosts = [member.ip for member in fleet.members[1:]]
    await serving(replicas, 2)
    for key in mine:
        await generated(replicas, key)
    assert len(old.asked) == 1
    old.go.set()
    assert [one.text for one in await under_way] == [old.ip]
    await until(lambda: not replicas.members._leaving, 20)


@pytest.mark.parametrize("hosts", [OSError("no such host"), []], ids=["an error", "no address"])
async def test_a_name_that_resolves_no_longer_keeps_its_addresses(
    fleet: Fleet, replicas: Replicas[Any], hosts: Any
) -> None:
    fleet.hosts = hosts
    await asyncio.sleep(2.5)
    for key in KEYS[:10]:
        assert [one.text for one in await generated(replicas, key)] == [home(fleet, key).ip]


async def test_a_name_that_resolves_later_is_waited_for(fleet: Fleet) -> None:
    hosts, fleet.hosts = fleet.hosts, OSError("no such host")
    async with fleet.replicas() as replicas:
        with pytest.raises(DeadlineExceeded, match="generation"):
            await generated(replicas, timeout_s=0.3)
        waiting = asyncio.ensure_future(generated(replicas, KEYS[0]))
        await asyncio.sleep(1.2)
        assert not waiting.done()
        fleet.hosts = hosts
        assert len(await waiting) == 1
