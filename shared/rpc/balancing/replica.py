"""One replica of a stage: its channel, and whether it serves, which its health service reports."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
import random
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ReplicaState = Literal["connecting", "serving", "not_serving", "away"]
Stub = TypeVar("Stub")

_CHECK_S = 1.0
_SERVING = health_pb2.HealthCheckResponse.SERVING
_REQUEST = health_pb2.HealthCheckRequest()


class Replica(Generic[Stub]):
    """`state` is whether the replica serves; `on_change` is called after each change, with the state before it.

    `calls` is the number of calls under way. A watch on the replica's health reports at once that it is ready, stops or
    is gone. That it is frozen is noticed by keepalive, within 18 s.
    """

    def __init__(
        self, channel: grpc.aio.Channel, stub: Callable[[Any], Stub], on_change: Callable[[ReplicaState], None]
    ) -> None:
        self.stub = stub(channel)
        self.state: ReplicaState = "connecting"
        self.calls = 0
        self._channel = channel
        self._health = health_pb2_grpc.HealthStub(channel)
        self._on_change = on_change
        self._watching = asyncio.ensure_future(self._watch())

    @property
    def connected(self) -> bool:
        """Whether the channel is connected. That is known before the watch has reported anything."""
        return self._channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    async def is_healthy(self) -> bool:
        """Asks the replica once. One that does not answer within a second counts as not serving."""
        try:
            answer = await self._health.Check(_REQUEST, timeout=_CHECK_S)
        except grpc.RpcError as error:
            return bool(error.code() is grpc.StatusCode.UNIMPLEMENTED)
        return bool(answer.status == _SERVING)

    def leave(self) -> None:
        """Stops watching the replica. Calls under way go on."""
        self._watching.cancel()

    async def close(self) -> None:
        self.leave()
        await self._channel.close(None)

    async def _watch(self) -> None:
        while True:
            try:
                async for answer in self._health.Watch(_REQUEST, wait_for_ready=True):
                    self._set_state("serving" if answer.status == _SERVING else "not_serving")
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    await self._poll()
            self._set_state("away")
            await asyncio.sleep(random.uniform(0.1, 0.3))

    async def _poll(self) -> None:
        """Asks a server that has no `Watch` for its health each second, until it does not answer."""
        while True:
            try:
                answer = await self._health.Check(_REQUEST, timeout=_CHECK_S)
                self._set_state("serving" if answer.status == _SERVING else "not_serving")
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    return
                self._set_state("serving")
            await asyncio.sleep(_CHECK_S)

    def _set_state(self, state: ReplicaState) -> None:
        before, self.state = self.state, state
        if state != before:
            self._on_change(before)
