"""Several servers of one stage in this process, each at a loopback address of its own, behind one host name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from cli.stack.ports import free_port
from services.orchestrator.adapters.generation import GrpcGenerator
from services.orchestrator.core.values import Generate, Generated
from shared.errors import DarwinError
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.balancing.choice import ranked
from shared.rpc.balancing.targets import Target
from shared.rpc.server import Server
from shared.rpc.tls import PLAIN, Transport
from shared.telemetry import tracing
from tests.integration.processes import until

NAME = "darwin.v1.GenerationService"
KEYS = [f"evo_{i:032x}" for i in range(60)]
REQUEST = EvolutionRequest("darwin", (Message("user", "Hello"),), Sampling(8), Search(), seed=1)


class Member(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]
    """Gives `first` results at once and the others once `go` is set; or fails with `error` after the first ones."""

    def __init__(self, ip: str, port: int, transport: Transport) -> None:
        self.ip = ip
        self.address = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        self.asked: list[list[str]] = []
        self.running = 0
        self.first = 0
        self.error: DarwinError | None = None
        self.go = asyncio.Event()
        self.go.set()
        self._transport = transport
        self.server = Server([NAME], transport)

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        self.asked.append([sequence.id for sequence in request.sequences])
        self.running += 1
        try:
            for index, sequence in enumerate((*request.sequences, None)):
                if index == self.first:
                    if self.error is not None:
                        raise self.error
                    await self.go.wait()
                if sequence is not None:
                    result = pb.GenerateResult(id=sequence.id, text=self.ip, finish_reason=pb.FINISH_REASON_STOP)
                    yield pb.GenerateResponse(results=[result])
        finally:
            self.running -= 1

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:  # noqa: N802
        return pb.GetModelResponse(model=self.ip)

    async def start(self) -> None:
        """Again, too, after `stop`."""
        self.server = Server([NAME], self._transport)
        self.server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, self)
        await self.server.start(self.address)
        self.server.set_ready()

    async def stop(self, grace_s: float = 0.0) -> None:
        await self.server.stop(grace_s)


class Fleet:
    """`hosts` is what the name resolves to; an exception there is what resolving ends by."""

    def __init__(self, count: int, transport: Transport = PLAIN) -> None:
        self.port = free_port()
        self.members = [Member(f"127.0.0.{number}", self.port, transport) for number in range(2, count + 2)]
        self.hosts: list[str] | OSError = [member.ip for member in self.members]
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Fleet:
        for member in self.members:
            await member.start()
            self._exit.push_async_callback(member.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit.aclose()

    async def resolve(self, target: Target) -> list[str]:
        if isinstance(self.hosts, OSError):
            raise self.hosts
        return list(self.hosts)

    def replicas(self, transport: Transport = PLAIN, name: str = "localhost") -> Replicas[Any]:
        stub = generation_pb2_grpc.GenerationServiceStub
        return Replicas("generation", f"{name}:{self.port}", stub, transport, self.resolve)

    def holding(self) -> list[Member]:
        """Those with calls under way."""
        return [member for member in self.members if member.running]

    @property
    def asked(self) -> list[int]:
        """Calls at each member."""
        return [len(member.asked) for member in self.members]


async def generated(replicas: Replicas[Any], key: str = "", states: int = 1, timeout_s: float = 10) -> list[Generated]:
    """What the orchestrator's adapter makes of a call for so many states, of the evolution `key`: the end of each, with
    all of its token ids."""
    effects = [Generate(1, 1, state, "Hello", (), 8, 0, 1) for state in range(states)]
    token_ids, ends = {state: tuple[int, ...]() for state in range(states)}, []
    with tracing.use_context(None, key):
        async for one in GrpcGenerator(replicas).generate(effects, REQUEST, timeout_s):
            token_ids[one.state] += one.token_ids
            if not one.partial:
                ends.append(replace(one, token_ids=token_ids[one.state]))
    return ends


async def serving(replicas: Replicas[Any], count: int) -> None:
    """Returns once so many serve."""
    await until(lambda: len(replicas.members.serving) == count, 20)


def home(fleet: Fleet, key: str) -> Member:
    """The member that the key prefers."""
    first = ranked(key, tuple(member.address for member in fleet.members))[0]
    return next(member for member in fleet.members if member.address == first)


def keys_of(fleet: Fleet, member: Member) -> list[str]:
    return [key for key in KEYS if home(fleet, key) is member]
