"""How a replica is reached, and how its health is known: TLS by name, IPv6, servers whose health says less."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.certs import write
from shared.errors import DeadlineExceeded
from shared.pb import generation_pb2_grpc
from shared.process.settings import SettingsError
from shared.rpc.balancing import Replicas
from shared.rpc.tls import Transport
from tests.integration.processes import until
from tests.integration.rpc.balancing.fleet import Fleet, Member, generated, serving
from tests.integration.test_tls import variables

NAME = "generation.darwin.svc"
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_certificates_are_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    write(tmp_path)
    server = Transport.over(variables(tmp_path, "generation"))
    client = Transport.over(variables(tmp_path, "orchestrator"))
    async with Fleet(2, server) as fleet:
        async with fleet.replicas(client, NAME) as replicas:
            await serving(replicas, 2)
            assert {one.text for key in map(str, range(40)) for one in await generated(replicas, key)} == set(
                fleet.hosts
            )  # type: ignore[arg-type]
        async with fleet.replicas(client, "reward.darwin.svc") as strangers:
            with pytest.raises(DeadlineExceeded):
                await generated(strangers, timeout_s=2)


def test_plain_text_to_other_machines_is_refused_at_once() -> None:
    for target in (f"{NAME}:50051", "127.0.0.1:1,10.0.0.1:1"):
        with pytest.raises(SettingsError, match="in plain text would leave this machine"):
            Replicas("generation", target, generation_pb2_grpc.GenerationServiceStub)


async def test_ipv6() -> None:
    async with Fleet(1) as fleet:
        member = Member("::1", fleet.port, Transport())
        await member.start()
        fleet.hosts = ["::1", "127.0.0.2"]
        async with fleet.replicas() as replicas:
            await serving(replicas, 2)
            assert replicas.members.serving == (f"127.0.0.2:{fleet.port}", f"[::1]:{fleet.port}")
            await fleet.members[0].stop()
            assert [one.text for one in await generated(replicas)] == ["::1"]
        await member.stop()


async def test_several_addresses_joined_by_commas() -> None:
    async with Fleet(3) as fleet:
        target = ",".join(member.address for member in fleet.members)
        async with Replicas("generation", target, generation_pb2_grpc.GenerationServiceStub) as replicas:
            await serving(replicas, 3)
            answered = {one.text for key in map(str, range(100)) for one in await generated(replicas, key)}
            assert answered == set(fleet.hosts)  # type: ignore[arg-type]


class Unwatched(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Answers when asked, and lets nobody watch."""

    def __init__(self) -> None:
        self.status = health_pb2.HealthCheckResponse.SERVING

    async def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:  # noqa: N802
        return health_pb2.HealthCheckResponse(status=self.status)


@pytest.mark.parametrize("health", [None, Unwatched()], ids=["no health service", "nobody may watch"])
async def test_a_server_whose_health_cannot_be_watched(health: Unwatched | None) -> None:
    server, member = grpc.aio.server(), Member("127.0.0.1", 0, Transport())
    generation_pb2_grpc.add_GenerationServiceServicer_to_server(member, server)
    if health is not None:
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with Replicas("generation", address, generation_pb2_grpc.GenerationServiceStub) as replicas:
        assert len(await generated(replicas)) == 1
        assert await replicas.is_healthy()
        if health is not None:
            health.status = NOT_SERVING
            await until(lambda: not replicas.members.serving, 20)
            health.status = health_pb2.HealthCheckResponse.SERVING
            await serving(replicas, 1)
        await server.stop(0)
        await until(lambda: not replicas.members.serving, 20)
        assert not await replicas.is_healthy()


async def test_a_stage_answers_while_one_replica_does() -> None:
    async with Fleet(2) as fleet, fleet.replicas() as replicas:
        assert not await replicas.is_healthy()
        await serving(replicas, 2)
        for member in fleet.members:
            assert await replicas.is_healthy()
            await asyncio.wait_for(member.stop(60), 20)
        await serving(replicas, 0)
        assert not await replicas.is_healthy()
