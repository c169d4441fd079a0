"""Calls as both ends count them, on a real server of this process."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest

from shared import errors
from shared.errors import NotFound
from shared.pb import generation_pb2 as pb
from shared.rpc.interceptor import CallLimits
from shared.rpc.metrics import calling
from tests.metrics import Measured
from tests.unit.shared.rpc.test_server import Running

GENERATE, GET_MODEL = "darwin.v1.GenerationService/Generate", "darwin.v1.GenerationService/GetModel"
SERVED, MADE = "rpc.server.call.duration", "rpc.client.call.duration"


async def outcome(call: Any) -> None:
    try:
        async for _ in call:
            pass
    except (grpc.RpcError, asyncio.CancelledError):
        pass


def of(measured: Measured, name: str, method: str, status: str) -> float:
    return measured.of(f"{name}.count", rpc__method=method, rpc__response__status_code=status, rpc__system__name="grpc")


async def test_served_calls_are_counted_by_method_and_status() -> None:
    with Measured() as measured:
        async with Running(CallLimits()) as running:
            await running.stub.GetModel(pb.GetModelRequest())
            running.servicer.go.set()
            await outcome(running.stub.Generate(pb.GenerateRequest()))
            running.servicer.error = NotFound("nothing")
            await outcome(running.stub.Generate(pb.GenerateRequest()))
    assert of(measured, SERVED, GET_MODEL, "OK") == of(measured, SERVED, GENERATE, "OK") == 1
    assert of(measured, SERVED, GENERATE, "NOT_FOUND") == 1
    assert measured.of(f"{SERVED}.count", error__type="NOT_FOUND") == 1
    assert measured.of(f"{SERVED}.count") == 3


async def test_a_call_in_flight_counts_until_it_is_cancelled() -> None:
    async with Running(CallLimits()) as running:
        with Measured() as measured:
            call = running.stub.Generate(pb.GenerateRequest())
            await call.read()
        assert measured.of("darwin.rpc.server.active", rpc__method=GENERATE) == 1
        with Measured() as measured:
            call.cancel()
            await asyncio.wait_for(running.servicer.ended.wait(), 20)
            await asyncio.sleep(0.1)
        assert measured.of("darwin.rpc.server.active", rpc__method=GENERATE) == -1
        assert of(measured, SERVED, GENERATE, "CANCELLED") == 1


async def test_health_checks_do_not_count() -> None:
    with Measured() as measured:
        async with Running(CallLimits()) as running:
            from grpc_health.v1 import health_pb2

            await running.health.Check(health_pb2.HealthCheckRequest())
    assert measured.of(f"{SERVED}.count") == 0


@pytest.mark.parametrize("error", errors.leaves())
def test_calls_made_have_the_status_of_their_error(error: type[errors.DarwinError]) -> None:
    with Measured() as measured, pytest.raises(error), calling("GenerationService/Generate"):
        raise error("why")
    assert of(measured, MADE, GENERATE, error.grpc_status) == 1


def test_calls_made_are_timed() -> None:
    with Measured() as measured, calling("RewardService/Score"):
        time.sleep(0.02)
    assert 0.02 <= measured.of(MADE, rpc__method="darwin.v1.RewardService/Score") < 1
    assert of(measured, MADE, "darwin.v1.RewardService/Score", "OK") == 1


async def test_a_stream_that_is_left_counts_as_cancelled() -> None:
    async def stream() -> Any:
        with calling("GenerationService/Generate"):
            yield 1
            yield 2

    items = stream()
    with Measured() as measured:
        await anext(items)
        await items.aclose()
    assert of(measured, MADE, GENERATE, "CANCELLED") == 1
