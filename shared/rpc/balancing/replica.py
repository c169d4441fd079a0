"""One replica of a stage: its channel, and whether it serves, as its health service tells."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
import random
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

State = Literal["connecting", "serving", "not_serving", "away"]
Stub = TypeVar("Stub")

_CHECK_S = 1.0
_SERVING = health_pb2.HealthCheckResponse.SERVING
_REQUEST = health_pb2.HealthCheckRequest()


class Replica(Generic[Stub]):
    """`told` hears of each change of `state`, and what it was before. `calls` are under way.

    A watch on its health tells at once that it is ready, stops or is gone; where it freezes, keepalive does, in 18 s.
    """

    def __init__(self, channel: grpc.aio.Channel, stub: Callable[[Any], Stub], told: Callable[[State], None]) -> None:
        self.stub = stub(channel)
        self.state: State = "connecting"
        self.calls = 0
        self._channel = channel
        self._health = health_pb2_grpc.HealthStub(channel)
        self._told = told
        self._watching = asyncio.ensure_future(self._watch())

    @property
    def connected(self) -> bool:
        """What is known before the watch has heard of it."""
        return self._channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    async def answers(self) -> bool:
        """Asks once; not to answer within a second is not to serve."""
        try:
            answer = await self._health.Check(_REQUEST, timeout=_CHECK_S)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.UNIMPLEMENTED)
        return bool(answer.status == _SERVING)

    def leave(self) -> None:
        """Stops watching; calls under way go on."""
        self._watching.cancel()

    async def close(self) -> None:
        self.leave()
        await self._channel.close(None)

    async def _watch(self) -> None:
        while True:
            try:
                async for answer in self._health.Watch(_REQUEST, wait_for_ready=True):
                    self._become("serving" if answer.status == _SERVING else "not_serving")
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    await self._ask()
            self._become("away")
            await asyncio.sleep(random.uniform(0.1, 0.3))

    async def _ask(self) -> None:
        """For servers that let nobody watch: asks each second, until there is no answer."""
        while True:
            try:
                answer = await self._health.Check(_REQUEST, timeout=_CHECK_S)
                self._become("serving" if answer.status == _SERVING else "not_serving")
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    return
                self._become("serving")
            await asyncio.sleep(_CHECK_S)

    def _become(self, state: State) -> None:
        before, self.state = self.state, state
        if state != before:
            self._told(before)
