"""Real gRPC servers come, drain, die and return, and calls go where they can be answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from services.mutation.language_model import GenerationClient, RewritePrompt
from shared.errors import InvalidRequest, Overloaded, Unavailable
from shared.records.evolution import Message
from shared.rpc.balancing import Replicas
from shared.telemetry import tracing
from tests.integration.processes import until
from tests.integration.rpc.balancing.fleet import KEYS, Fleet, generated, home, keys_of, serving
from tests.metrics import Measured, measured


async def test_an_evolution_keeps_its_replica_and_evolutions_spread(fleet: Fleet, replicas: Replicas[Any]) -> None:
    with Measured() as counts:
        for key in KEYS:
            texts = {one.text for _ in range(3) for one in await generated(replicas, key, 2)}
            assert texts == {home(fleet, key).ip}
    assert min(fleet.asked) > 0.15 * sum(fleet.asked)
    assert counts.of("darwin.replicas.calls", stage="generation", placement="preferred") == 180


async def test_rewrites_for_an_evolution_keep_its_replica(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for key in KEYS[:20]:
        with tracing.use_context(None, key):
            prompt = RewritePrompt((Message("user", "Hello"),), 8, None)
            texts = [one.text async for one in GenerationClient(replicas, 0.3).rewrite([prompt, prompt], 5)]
        assert texts == [home(fleet, key).ip] * 2


async def test_too_much_for_one_replica_overflows(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for member in fleet.members:
        member.go.clear()
    with Measured() as counts:
        calls = [asyncio.ensure_future(generated(replicas, KEYS[0])) for _ in range(30)]
        await until(lambda: sum(member.running for member in fleet.members) == 30, 20)
        held = sorted(member.running for member in fleet.members)
        assert home(fleet, KEYS[0]).running == held[-1] == 13  # ceil(1.25 · 30 / 3)
        assert sum(held) == 30
    assert counts.of("darwin.replicas.calls", placement="overflow") == 17
    for member in fleet.members:
        member.go.set()
    await asyncio.gather(*calls)
    assert set(replicas.members.loads.values()) == {0}


async def test_without_a_key_the_least_loaded_takes_the_call(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for member in fleet.members:
        member.go.clear()
    calls = []
    for states in (4, 2, 1):
        calls.append(asyncio.ensure_future(generated(replicas, states=states)))
        await until(lambda: sum(member.running for member in fleet.members) == len(calls), 20)
    assert fleet.asked == [1, 1, 1]
    smallest = next(member for member in fleet.members if member.asked == [["0"]])
    calls.append(asyncio.ensure_future(generated(replicas)))
    await until(lambda: smallest.running == 2, 20)
    for member in fleet.members:
        member.go.set()
    await asyncio.gather(*calls)


async def test_results_that_came_back_are_no_load_any_more(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for member in fleet.members:
        member.first = 3
        member.go.clear()
    call = asyncio.ensure_future(generated(replicas, KEYS[0], 5))
    await until(lambda: replicas.members.loads[home(fleet, KEYS[0]).address] == 2, 20)
    home(fleet, KEYS[0]).go.set()
    await call
    assert replicas.members.loads[home(fleet, KEYS[0]).address] == 0


async def test_draining_fails_no_call_and_new_ones_go_elsewhere(fleet: Fleet, replicas: Replicas[Any]) -> None:
    old = fleet.members[0]
    old.go.clear()
    mine = keys_of(fleet, old)
    under_way = asyncio.ensure_future(generated(replicas, mine[0], 5))
    await until(lambda: old.running == 1, 20)
    stopping = asyncio.ensure_future(old.stop(10))
    results = await asyncio.gather(*(generated(replicas, key, 2) for key in mine))
    assert all(len(result) == 2 and result[0].text != old.ip for result in results)
    assert len(old.asked) == 1
    old.go.set()
    assert [one.text for one in await under_way] == [old.ip] * 5
    await asyncio.wait_for(stopping, 20)


async def test_what_a_drain_cuts_off_moves_on(fleet: Fleet, replicas: Replicas[Any]) -> None:
    old = home(fleet, KEYS[0])
    old.go.clear()
    under_way = asyncio.ensure_future(generated(replicas, KEYS[0], 3))
    await until(lambda: old.running == 1, 20)
    await old.stop(0.2)
    assert len(await asyncio.wait_for(under_way, 20)) == 3


async def test_from_a_replica_that_dies_only_what_is_missing_moves_on(fleet: Fleet, replicas: Replicas[Any]) -> None:
    old = home(fleet, KEYS[0])
    old.first = 2
    old.go.clear()
    with Measured() as counts:
        under_way = asyncio.ensure_future(generated(replicas, KEYS[0], 5))
        await until(lambda: replicas.members.loads[old.address] == 3, 20)
        await old.stop()
        results = await under_way
    assert [one.state for one in results] == [0, 1, 2, 3, 4]
    assert [one.text for one in results[:2]] == [old.ip] * 2
    second = next(member for member in fleet.members if member.ip == results[2].text)
    assert second is not old
    assert second.asked == [["2", "3", "4"]]
    assert counts.of("darwin.replicas.calls", placement="moved") == 1
    assert counts.of("rpc.client.call.duration.count", rpc__method="darwin.v1.GenerationService/Generate") == 1
    assert counts.of("rpc.client.call.duration.count", rpc__response__status_code="UNAVAILABLE") == 0


async def test_a_call_that_breaks_once_everything_has_come_is_over(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for member in fleet.members:
        member.first, member.error = 2, Unavailable("gone")
    assert len(await generated(replicas, KEYS[0], 2)) == 2
    assert sum(fleet.asked) == 1


async def test_one_whose_connection_is_gone_is_passed_over_before_its_watch_has_heard(
    fleet: Fleet, replicas: Replicas[Any]
) -> None:
    old, everyone = home(fleet, KEYS[0]), replicas.members.serving
    await old.stop()
    await serving(replicas, 2)
    replicas.members.serving = everyone
    with Measured() as counts:
        assert [one.text for one in await generated(replicas, KEYS[0])] != [old.ip]
    assert counts.of("darwin.replicas.calls", placement="moved") == 0
    assert counts.of("darwin.replicas.calls", placement="overflow") == 1


async def test_the_only_one_is_waited_for_where_its_connection_is_gone_before_its_watch_has_heard() -> None:
    async with Fleet(1) as fleet, fleet.replicas() as replicas:
        await serving(replicas, 1)
        only = replicas.members.serving
        await fleet.members[0].stop()
        await serving(replicas, 0)
        replicas.members.serving = only
        waiting = asyncio.ensure_future(generated(replicas, KEYS[0]))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await fleet.members[0].start()
        assert len(await waiting) == 1


async def test_all_gone_are_waited_for(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for member in fleet.members:
        await member.stop()
    await serving(replicas, 0)
    waiting = asyncio.ensure_future(generated(replicas, KEYS[0]))
    await asyncio.sleep(1)
    assert not waiting.done()
    await fleet.members[1].start()
    assert [one.text for one in await waiting] == [fleet.members[1].ip]


async def test_a_call_that_every_replica_fails_fails_as_one_would(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for member in fleet.members:
        member.error = Unavailable("away")
    with pytest.raises(Unavailable):
        await generated(replicas, KEYS[0], 2)
    assert fleet.asked == [1, 1, 1]


async def test_a_full_replica_passes_a_call_on_once(fleet: Fleet, replicas: Replicas[Any]) -> None:
    home(fleet, KEYS[0]).error = Overloaded("full")
    assert len(await generated(replicas, KEYS[0])) == 1
    for member in fleet.members:
        member.error, member.asked = Overloaded("full"), []
    with pytest.raises(Overloaded):
        await generated(replicas, KEYS[0])
    assert Counter(fleet.asked) == {1: 2, 0: 1}


async def test_what_is_refused_for_good_is_asked_once(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for member in fleet.members:
        member.error = InvalidRequest("no")
    with pytest.raises(InvalidRequest):
        await generated(replicas, KEYS[0])
    assert sum(fleet.asked) == 1


async def test_leaving_a_call_early_cancels_it(fleet: Fleet, replicas: Replicas[Any]) -> None:
    for member in fleet.members:
        member.go.clear()
    call = asyncio.ensure_future(generated(replicas, KEYS[0]))
    await until(lambda: len(fleet.holding()) == 1, 20)
    call.cancel()
    await until(lambda: not fleet.holding(), 20)
    assert replicas.members.loads[home(fleet, KEYS[0]).address] == 0


async def test_replicas_are_counted_by_state(fleet: Fleet) -> None:
    def counted(state: str) -> float:
        return measured().get(("darwin.replicas", (("stage", "generation"), ("state", state))), 0.0)

    before = {state: counted(state) for state in ("connecting", "serving", "not_serving", "away")}
    async with fleet.replicas() as replicas:
        await serving(replicas, 3)
        assert counted("serving") - before["serving"] == 3
        await fleet.members[0].stop()
        await until(lambda: counted("away") - before["away"] == 1, 20)
        assert counted("serving") - before["serving"] == 2
    assert {state: counted(state) for state in before} == before
