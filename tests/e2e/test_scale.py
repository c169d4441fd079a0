"""The scale bench on a small fleet: nothing fails, and a round costs Redis what it must."""

import asyncio

from bench.scale.fleet import HOST, Fleet, running
from bench.scale.measuring import ideal, idle, measure
from bench.scale.shape import EvolutionShape


def test_an_evolution_takes_one_message_and_a_round_one_script() -> None:
    fleet, shape = Fleet(replicas=3, latency="0.001,0,0", concurrency=64), EvolutionShape(rounds=4, period=10)
    best = ideal(fleet, 12, shape)
    with running(fleet) as (_, counting):

        async def measured() -> None:
            quiet = await idle(counting)
            point = await measure(counting, fleet, 12, shape, best, 4.0, quiet)
            assert point.failed == 0
            assert 0 < point.rounds <= best
            assert point.cpu_ms[HOST] > 0
            a_round = point.commands
            # Saved by a script; each evolution, of four rounds, is accepted and claimed by one more, and taken once.
            assert 0.1 < a_round["brpop"] < 0.4
            assert 1.1 < a_round["evalsha"] < 2.0
            # Sent by the scripts of the store; the broker keeps no books of its own.
            assert 0.1 < a_round["lpush"] < 0.4
            assert a_round.get("multi", 0) < 0.1
            # Within the scripts: who is active, waits and is listed, and what tenants are served.
            assert a_round["zadd"] < 6

        asyncio.run(measured())
