"""A mutation that is lost on the way is asked of another replica, where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.orchestrator.adapters.mutation import GrpcMutator
from services.orchestrator.core.values import Mutate, Mutated
from shared.errors import Unavailable
from shared.pb import mutation_pb2 as pb
from shared.pb import mutation_pb2_grpc
from shared.pb.mutation_pb2_grpc import MutationServiceStub
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server
from tests.integration.processes import until

REQUEST = EvolutionRequest("darwin", (Message("user", "Hello"),), Sampling(8), Search(), seed=1)


class Flaky(mutation_pb2_grpc.MutationServiceServicer):
    """Fails the first call, after `mutants` of it."""

    def __init__(self, mutants: int) -> None:
        self.mutants = mutants
        self.calls = 0
        self.asked: list[tuple[int, list[str]]] = []

    async def Mutate(self, request: pb.MutateRequest, context: Any) -> AsyncIterator[pb.MutateEvent]:  # noqa: N802
        self.calls += 1
        self.asked.append((request.count, list(request.exclude)))
        mutant = pb.MutateEvent.Mutant(text="Hi", operator="rephrase", source=pb.MutateEvent.SOURCE_MODEL)
        for _ in range(self.mutants if self.calls == 1 else 2):
            yield pb.MutateEvent(mutant=mutant)
        if self.calls == 1:
            raise Unavailable("gone")


async def mutated(servicer: Flaky) -> list[Any]:
    server = Server([])
    server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, servicer)
    server.set_ready()
    try:
        async with Replicas("mutation", await server.start("127.0.0.1:0"), MutationServiceStub) as replicas:
            effect = Mutate(1, "Hello", 2, (), 1)
            return [outcome async for outcome in GrpcMutator(replicas).mutate(effect, REQUEST, 10)]
    finally:
        await server.stop(0)


@pytest.mark.parametrize("mutants", [0, 1])
async def test_lost_where_there_is_no_other_replica_it_fails(mutants: int) -> None:
    servicer = Flaky(mutants)
    with pytest.raises(Unavailable):
        await mutated(servicer)
    assert servicer.calls == 1


async def test_another_replica_is_asked_for_what_is_missing_and_nothing_twice() -> None:
    servicers, servers = [Flaky(mutants=1), Flaky(mutants=2)], [Server([]), Server([])]
    addresses = []
    for servicer, server in zip(servicers, servers, strict=True):
        server.register(mutation_pb2_grpc.add_MutationServiceServicer_to_server, servicer)
        addresses.append(await server.start("127.0.0.1:0"))
        server.set_ready()
    servicers[1].calls = 1  # its first call is not to fail

    def in_order(names: tuple[str, ...], *_: object) -> str:
        return min(names, key=addresses.index)

    async with Replicas("mutation", ",".join(addresses), MutationServiceStub, choose=in_order) as both:
        await until(lambda: len(both.members.serving) == 2, 20)
        outcomes = [outcome async for outcome in GrpcMutator(both).mutate(Mutate(1, "Hello", 2, (), 1), REQUEST, 10)]
    for server in servers:
        await server.stop(0)
    assert sum(isinstance(outcome, Mutated) for outcome in outcomes) == 2
    assert [servicer.asked for servicer in servicers] == [[(2, [])], [(1, ["Hi"])]]
