"""Calls the replicas of a stage as if they were one: chooses one for each call, and moves on from one that fails."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Generic, Self

import grpc

from shared.errors import DeadlineExceeded, Unavailable
from shared.rpc.balancing.choice import choose, ranked
from shared.rpc.balancing.members import Members
from shared.rpc.balancing.replica import Stub
from shared.rpc.balancing.targets import Resolve, resolve
from shared.rpc.balancing.tries import Tries
from shared.rpc.tls import PLAIN, Transport
from shared.telemetry.metrics import METER
from shared.telemetry.tracing import inject

log = logging.getLogger(__name__)

_PLACED = METER.create_counter(
    "darwin.replicas.calls",
    "{call}",
    "Calls by where they went: preferred by their key, overflow, least_loaded without a key, moved from another.",
)

Choose = Callable[[tuple[str, ...], Mapping[str, int], int, str], str]
"""As `choose`: takes addresses, their loads, the number of sequences to add and a key; returns the address to call."""
Begin = Callable[..., Any]
"""Starts a call at a stub, its first argument, with gRPC's options, its keyword arguments. It asks for the sequences
that have not come back yet."""


class Replicas(Generic[Stub]):
    """A stage's replicas. A call goes to the one that its key prefers, unless that has too much to do already.

    From a replica that dies, drains or is full the call moves on at once. Where none serves, it waits for one, within
    its deadline. Enter it as a context on the event loop that calls.

    Raises:
        grpc.RpcError: what the last replica that was tried answered.
        DeadlineExceeded: no replica served in time.
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
        """`target` is host:port, or several joined by commas. A host name may have an address for each replica.

        Raises:
            SettingsError: `target` is no address, or plain text would leave this machine.
        """
        self._stage, self._choose = stage, choose
        self.members = Members(stage, target, stub, transport, resolve)

    async def __aenter__(self) -> Self:
        self.members.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.members.close()

    async def wait_for_any(self, patience_s: float) -> None:
        """Waits until a replica serves; without a context around, looking for them begins with the first such wait.

        Raises:
            Unavailable: none served in so many seconds.
        """
        self.members.start()
        ends_at = asyncio.get_running_loop().time() + patience_s
        while not self.members.serving:
            try:
                await self.members.wait_for_change(ends_at)
            except DeadlineExceeded:
                raise Unavailable(f"no answer from {self._stage}: come back later") from None

    async def is_healthy(self) -> bool:
        """Whether any replica says that it serves, when it is asked now."""
        return await self.members.is_healthy()

    async def call(self, begin: Begin, weight: int, timeout_s: float, key: str = "") -> Any:
        """Makes a call that has one response, and returns it. The call counts as `weight` sequences."""

        def begin_single(stub: Stub, **options: Any) -> _Single:
            return _Single(begin(stub, **options))

        async with aclosing(self.stream(begin_single, lambda: weight, timeout_s, key)) as responses:
            return await anext(responses)

    async def stream(
        self, begin: Begin, missing: Callable[[], int], timeout_s: float, key: str = ""
    ) -> AsyncGenerator[Any, None]:
        """Makes a call that has a stream of responses, and yields them.

        `missing` says how many of the call's sequences have not come back; those that have are not asked for again.
        """
        tries = Tries(asyncio.get_running_loop().time() + timeout_s)
        while True:
            address, wait_for_ready = await self._place(key, missing(), tries)
            stub = self.members[address].stub
            call = begin(stub, timeout=tries.seconds_left, wait_for_ready=wait_for_ready, metadata=inject())
            try:
                async with aclosing(self._responses(address, call, missing)) as responses:
                    async for response in responses:
                        yield response
                return
            except grpc.RpcError as error:
                match tries.failed_at(address, error.code(), missing(), self.members.serving):
                    case "complete":
                        return
                    case "move_on":
                        log.info("%s at %s: %s; moving on with %d", self._stage, address, error.code().name, missing())
                    case "give_up":
                        raise

    async def _responses(self, address: str, call: Any, missing: Callable[[], int]) -> AsyncGenerator[Any, None]:
        """The responses of a call. Meanwhile its missing sequences count as its replica's load."""
        replica, loads, counted = self.members[address], self.members.loads, missing()
        replica.calls += 1
        loads[address] += counted
        try:
            async for response in call:
                yield response
                loads[address] += missing() - counted
                counted = missing()
        finally:
            call.cancel()
            replica.calls -= 1
            loads[address] -= counted

    async def _place(self, key: str, weight: int, tries: Tries) -> tuple[str, bool]:
        """The address for the next try, and whether the call waits there for a connection.

        It waits only at the first try, and where there is no other replica.
        """
        while not (names := tries.untried(self.members.serving)):
            await self.members.wait_for_change(tries.ends_at)
        address = self._choose(names, self.members.loads, weight, key)
        while len(names) > 1 and not self.members[address].connected:
            names = tuple(name for name in names if name != address)
            address = self._choose(names, self.members.loads, weight, key)
        if tries.any_failed:
            placement = "moved"
        elif key:
            placement = "preferred" if address == ranked(key, self.members.serving)[0] else "overflow"
        else:
            placement = "least_loaded"
        _PLACED.add(1, {"stage": self._stage, "placement": placement})
        return address, len(names) == 1 and not tries.any_failed


class _Single:
    """Lets a call that has one response be read as a stream of one."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.cancel = call.cancel

    async def __aiter__(self) -> AsyncGenerator[Any, None]:
        yield await self._call
