"""The replicas of a stage, to be called as one."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing
from typing import Any, Generic, Self

import grpc
from grpc import StatusCode

from shared.rpc.balancing.choice import choose, ranked
from shared.rpc.balancing.members import Members
from shared.rpc.balancing.replica import Stub
from shared.rpc.balancing.targets import Resolve, resolve
from shared.rpc.tls import PLAIN, Transport
from shared.telemetry.metrics import METER
from shared.telemetry.tracing import inject

log = logging.getLogger(__name__)

_PLACED = METER.create_counter(
    "darwin.replicas.calls",
    "{call}",
    "Calls by where they went: preferred by their key, overflow, least_loaded without a key, moved from another.",
)
# A server whose grace has passed cancels what is left of its calls.
_LOST = (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)
_FULL = StatusCode.RESOURCE_EXHAUSTED
_MAX_TRIED = 5

Choose = Callable[[tuple[str, ...], Mapping[str, int], int, str], str]
"""As `choose`: (addresses, their loads, sequences to add, key) → the address that takes them."""
Begin = Callable[..., Any]
"""Starts a call at a stub (its first argument) with gRPC's options (the others), for what has not come back yet."""


class Replicas(Generic[Stub]):
    """A call goes to the replica that its key prefers, or elsewhere where that holds too much already. From one that
    dies, drains or is full it moves on at once. Where none serves it waits for one, within its deadline.

    Errors are gRPC's, and `DeadlineExceeded` where none served in time. Enter it on the loop that calls.
    """

    def __init__(
        self,
        stage: str,
        target: str,
        stub: Callable[[Any], Stub],
        transport: Transport = PLAIN,
        resolve: Resolve = resolve,
        choose: Choose = choose,
    ) -> None:
        """`target`: host:port, where the host may have an address for each replica, or several joined by commas.

        Raises:
            SettingsError: it is no address, or plain text would leave this machine.
        """
        self._stage, self._choose = stage, choose
        self.members = Members(stage, target, stub, transport, resolve)

    async def __aenter__(self) -> Self:
        self.members.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.members.close()

    async def answer(self) -> bool:
        """Whether any replica serves, and says so when it is asked."""
        return await self.members.answer()

    async def call(self, begin: Begin, weight: int, timeout_s: float, key: str = "") -> Any:
        """The answer of a call with one, which holds `weight` sequences."""

        def started(stub: Stub, **options: Any) -> _Single:
            return _Single(begin(stub, **options))

        async with aclosing(self.stream(started, lambda: weight, timeout_s, key)) as answers:
            return await anext(answers)

    async def stream(
        self, begin: Begin, left: Callable[[], int], timeout_s: float, key: str = "", again: int = 0
    ) -> AsyncGenerator[Any, None]:
        """The messages of a call. `left` says how many of its sequences have not come back; what has is kept.

        Where nothing has come and there is no other replica, it is begun `again` up to so many times.
        """
        loop, tried, wanted = asyncio.get_running_loop(), dict[str, StatusCode](), left()
        ends_at = loop.time() + timeout_s
        while True:
            address, patient = await self._place(key, left(), tried, ends_at)
            options = {"timeout": max(0.0, ends_at - loop.time()), "wait_for_ready": patient, "metadata": inject()}
            call = begin(self.members[address].stub, **options)
            try:
                async with aclosing(self._held(address, call, left)) as messages:
                    async for message in messages:
                        yield message
                return
            except grpc.RpcError as error:
                tried[address] = error.code()
                if error.code() in _LOST and not left():
                    return
                if self._moves_on(tried, error.code()):
                    log.info("%s at %s: %s; moving on with %d", self._stage, address, error.code().name, left())
                elif again and error.code() in _LOST and left() == wanted:
                    again -= 1
                    tried.clear()
                    await asyncio.sleep(random.uniform(0.5, 1.5))
                else:
                    raise

    async def _held(self, address: str, call: Any, left: Callable[[], int]) -> AsyncGenerator[Any, None]:
        """The messages of a call, while what has not come back counts as its replica's load."""
        replica, loads, held = self.members[address], self.members.loads, left()
        replica.calls += 1
        loads[address] += held
        try:
            async for message in call:
                yield message
                loads[address] += left() - held
                held = left()
        finally:
            call.cancel()
            replica.calls -= 1
            loads[address] -= held

    async def _place(self, key: str, weight: int, tried: Collection[str], ends_at: float) -> tuple[str, bool]:
        """Where the call goes, and whether it waits there for a connection, for want of any other replica."""
        while not (names := self._untried(tried)):
            await self.members.change(ends_at)
        address = self._choose(names, self.members.loads, weight, key)
        while len(names) > 1 and not self.members[address].connected:
            names = tuple(name for name in names if name != address)
            address = self._choose(names, self.members.loads, weight, key)
        if tried:
            placement = "moved"
        elif key:
            placement = "preferred" if address == ranked(key, self.members.serving)[0] else "overflow"
        else:
            placement = "least_loaded"
        _PLACED.add(1, {"stage": self._stage, "placement": placement})
        return address, len(names) == 1 and not tried

    def _untried(self, tried: Collection[str]) -> tuple[str, ...]:
        serving = self.members.serving
        return tuple(name for name in serving if name not in tried) if tried else serving

    def _moves_on(self, tried: Mapping[str, StatusCode], code: StatusCode) -> bool:
        """Whether what ended with `code` is to be asked of another replica, and there is one."""
        if not self._untried(tried) or len(tried) >= _MAX_TRIED:
            return False
        return code in _LOST or (code is _FULL and list(tried.values()).count(_FULL) == 1)


class _Single:
    """A call with one answer, read as a stream of one."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.cancel = call.cancel

    async def __aiter__(self) -> AsyncGenerator[Any, None]:
        yield await self._call
