"""Follows which replicas a stage has: resolves its addresses again and again, and watches the health of each."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, Generic

from shared.errors import DeadlineExceeded
from shared.rpc.balancing.replica import Replica, ReplicaState, Stub
from shared.rpc.balancing.targets import Resolve, Target, parse
from shared.rpc.channel import connect
from shared.rpc.tls import Transport
from shared.telemetry.metrics import METER

log = logging.getLogger(__name__)

_REPLICAS = METER.create_up_down_counter("darwin.replicas", "{replica}", "Replicas that this process knows, by state.")
_RESOLVE_S = 1.0


class Members(Generic[Stub]):
    """`serving` holds the addresses that take calls, sorted; `loads` how many sequences this process has at each.

    A host name that cannot be resolved keeps the addresses that it had. An address that a host name no longer has gets
    no new calls, and its channel is closed once the calls under way have ended.
    """

    def __init__(
        self, stage: str, target: str, stub: Callable[[Any], Stub], transport: Transport, resolve: Resolve
    ) -> None:
        """Raises `SettingsError` where `target` is no address, or plain text would leave this machine."""
        self.serving: tuple[str, ...] = ()
        self.loads: defaultdict[str, int] = defaultdict(int)
        self._targets = parse(target)
        transport.channel_credentials(target)
        self._stage, self._stub, self._transport, self._resolve = stage, stub, transport, resolve
        self._resolved: dict[Target, list[str]] = {target: [target.host] for target in self._targets if target.fixed}
        self._unresolved: set[Target] = set()
        self._replicas: dict[str, Replica[Stub]] = {}
        self._leaving: list[Replica[Stub]] = []
        self._changed = asyncio.Event()
        self._following: asyncio.Future[None] | None = None

    def __getitem__(self, address: str) -> Replica[Stub]:
        return self._replicas[address]

    def start(self) -> None:
        """Begins to look for replicas; a second call changes nothing."""
        self._following = self._following or asyncio.ensure_future(self._follow())

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
        for address in list(self._replicas):
            self._leave(address)
        for replica in self._leaving:
            await replica.close()

    async def wait_for_change(self, ends_at: float) -> None:
        """Returns once other replicas serve than now.

        Raises:
            DeadlineExceeded: none did by `ends_at`, by the clock of the running loop.
        """
        try:
            async with asyncio.timeout_at(ends_at):
                await self._changed.wait()
        except TimeoutError:
            raise DeadlineExceeded(f"no replica of {self._stage} served in time") from None

    async def is_healthy(self) -> bool:
        """Whether any replica says that it serves, when it is asked now.

        `serving` is not enough: a replica that has frozen stays there until that is noticed.
        """
        asked = [self._replicas[address] for address in random.sample(self.serving, len(self.serving))]
        if not asked:
            return False
        return await asked[0].is_healthy() or any(await asyncio.gather(*(one.is_healthy() for one in asked[1:])))

    async def _follow(self) -> None:
        while True:
            try:
                await self._update()
            except Exception:
                log.exception("the replicas of %s could not be followed; they are looked for again", self._stage)
            if all(target.fixed for target in self._targets):
                return
            await asyncio.sleep(_RESOLVE_S)

    async def _update(self) -> None:
        for target in self._targets:
            if not target.fixed:
                await self._look_up(target)
        found = {target.at(ip): target for target, ips in self._resolved.items() for ip in ips}
        for address in self._replicas.keys() - found.keys():
            self._leave(address)
        for address in sorted(found.keys() - self._replicas.keys()):
            channel = connect(address, self._transport, found[address].authority)
            self._replicas[address] = Replica(channel, self._stub, partial(self._state_changed, address))
            self._count("connecting", 1)
        await self._forget_idle()

    async def _look_up(self, target: Target) -> None:
        try:
            self._resolved[target] = await self._resolve(target) or self._resolved.get(target, [])
            self._unresolved.discard(target)
        except OSError as error:
            if target not in self._unresolved:
                log.warning("%s cannot be resolved: %s", target.host, error)
            self._unresolved.add(target)

    def _state_changed(self, address: str, before: ReplicaState) -> None:
        now = self._replicas[address].state
        log.info("%s at %s: %s", self._stage, address, now)
        self._count(before, -1)
        self._count(now, 1)
        self._list_serving()

    def _leave(self, address: str) -> None:
        replica = self._replicas.pop(address)
        replica.leave()
        self._leaving.append(replica)
        self._count(replica.state, -1)
        self._list_serving()

    async def _forget_idle(self) -> None:
        for address in [at for at, load in self.loads.items() if not load and at not in self._replicas]:
            del self.loads[address]
        for replica in [replica for replica in self._leaving if not replica.calls]:
            self._leaving.remove(replica)
            await replica.close()

    def _list_serving(self) -> None:
        serving = tuple(sorted(at for at, replica in self._replicas.items() if replica.state == "serving"))
        if serving != self.serving:
            self.serving = serving
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    def _count(self, state: ReplicaState, change: int) -> None:
        _REPLICAS.add(change, {"stage": self._stage, "state": state})
