"""Leases: who performs the round that follows a version, and which evolutions wait although nobody does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from shared.records.attempts import LostAttempt
from shared.records.evolution import Record, TraceContext
from shared.store import layout, lease_scripts, scripts
from shared.store.layout import StoredRecord, parsed
from shared.store.queue import message
from shared.store.shards import RedisClient, Shard

# A script holds up everybody else; with so many evolutions it takes a few milliseconds.
_RENEWED_AT_ONCE = 500
_SWEPT_AT_ONCE = 500

DUE_AT_ONCE = 100
"""Evolutions that `due` returns at most of those past their deadline, and again of those that were cancelled."""


@dataclass(frozen=True)
class Claim:
    """A record whose lease the caller now holds.

    `cancelled` says whether a cancel was asked for. `deaths` counts earlier holders of a lease on this version that
    neither saved nor released it, because their worker ended; `lost` are the attempts of those whose names are known.
    """

    record: Record
    cancelled: bool
    deaths: int = 0
    lost: tuple[LostAttempt, ...] = ()


@dataclass(frozen=True)
class Lease:
    """`holder`, and nobody else, performs the round that follows this version of an evolution."""

    evolution_id: str
    version: int
    holder: str


class WaitingEvolution(NamedTuple):
    """An unfinished evolution that waits for a worker, with the trace of the request that started it."""

    evolution_id: str
    version: int
    trace: TraceContext | None


class LeaseCommands(RedisClient):
    """The store's methods for those who perform rounds."""

    async def claim(self, evolution_id: str, version: int, holder: str, ttl_s: float) -> Claim | None:
        """Takes the lease on an evolution; None where it is at another version, held by another, or gone.

        Raises:
            UnknownSchema: another version of this program wrote the record; the caller has the lease nevertheless.
            Internal: the record cannot be read.
        """
        shard = self._shards.of(evolution_id)
        async with self._translated:
            claimed = await lease_scripts.CLAIM(
                shard.redis,
                record=shard.keys.record(evolution_id),
                state=shard.keys.state(evolution_id),
                lease=shard.keys.lease(evolution_id),
                active=shard.keys.active,
                cancelled=shard.keys.cancelled,
                queue=shard.keys.queue,
                waiting=shard.keys.waiting,
                id=evolution_id,
                version=version,
                holder=holder,
                ttl_ms=int(ttl_s * 1000),
            )
        if not claimed:
            return None
        stored, state, cancelled, deaths, claimants = claimed
        record = layout.parsed_record(evolution_id, StoredRecord(*stored), to_change=True)
        if not record.whole:
            record = replace(record, state=layout.saved_state(dict(zip(state[::2], state[1::2], strict=True))))
        return Claim(record, bool(cancelled), int(deaths), layout.lost_attempts(claimants))

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> list[bool]:
        """Prolongs leases to `ttl_s` seconds from now; returns for each whether it is still held.

        Those of a shard that is away count as held, unless all are.
        """
        lost: set[Lease] = set()

        async def renew_of(shard: Shard) -> None:
            mine = [lease for lease in leases if self._shards.of(lease.evolution_id) is shard]
            for first in range(0, len(mine), _RENEWED_AT_ONCE):
                part = mine[first : first + _RENEWED_AT_ONCE]
                held = await lease_scripts.RENEW(
                    shard.redis,
                    records=[shard.keys.record(lease.evolution_id) for lease in part],
                    leases=[shard.keys.lease(lease.evolution_id) for lease in part],
                    ttl_ms=int(ttl_s * 1000),
                    versions=[lease.version for lease in part],
                    holders=[lease.holder for lease in part],
                )
                lost.update(lease for lease, kept in zip(part, held, strict=True) if not kept)

        await self._shards.present(renew_of)
        return [lease not in lost for lease in leases]

    async def release(self, evolution_id: str, holder: str) -> None:
        """Gives up the lease on an evolution, where `holder` has it."""
        shard = self._shards.of(evolution_id)
        async with self._translated:
            await lease_scripts.RELEASE(
                shard.redis,
                record=shard.keys.record(evolution_id),
                lease=shard.keys.lease(evolution_id),
                active=shard.keys.active,
                waiting=shard.keys.waiting,
                id=evolution_id,
                holder=holder,
            )

    async def request_cancel(self, evolution_id: str) -> None:
        """Asks whoever performs the evolution to end it; where nobody does, any worker ends it within about a second,
        though all are busy. One that has ended stays as it is.
        """
        shard = self._shards.of(evolution_id)
        async with self._translated:
            await scripts.CANCEL(shard.redis, active=shard.keys.active, cancelled=shard.keys.cancelled, id=evolution_id)

    async def cancelled(self, evolution_ids: Sequence[str]) -> set[str]:
        """Those of the evolutions for which a cancel was asked and that have not ended yet, of the shards that answer.
        However many others there are makes no difference.
        """

        async def cancelled_of(shard: Shard) -> list[str]:
            mine = [evolution_id for evolution_id in evolution_ids if self._shards.of(evolution_id) is shard]
            asked = await shard.redis.smismember(shard.keys.cancelled, mine) if mine else []
            return [evolution_id for evolution_id, yes in zip(mine, asked, strict=True) if yes]

        return set(chain(*await self._shards.present(cancelled_of)))

    async def hand_back(self, evolution_id: str, holder: str, idle_s: float) -> float:
        """Gives up the lease on an evolution whose schema the holder does not know; returns for how many seconds no
        worker has known it. The sweep, which looks for what is idle for `idle_s`, soon offers it again.
        """
        shard = self._shards.of(evolution_id)
        async with self._translated:
            since = await lease_scripts.HAND_BACK(
                shard.redis,
                record=shard.keys.record(evolution_id),
                lease=shard.keys.lease(evolution_id),
                active=shard.keys.active,
                waiting=shard.keys.waiting,
                id=evolution_id,
                holder=holder,
                idle_s=idle_s,
            )
        return float(since)

    async def resend_stalled(self, idle_s: float) -> list[WaitingEvolution]:
        """Sends a message again for each evolution that waits for a worker although no message says so: nobody has held
        or saved it for `idle_s` seconds. Returns those evolutions.

        One that has been sent again is so next once its time since the save has doubled, at most 30 seconds later.
        """

        async def resend(shard: Shard) -> list[WaitingEvolution]:
            keys = shard.keys
            found = _waiting(
                await lease_scripts.STALLED(
                    shard.redis,
                    active=keys.active,
                    deadlines=keys.deadlines,
                    reserved=keys.reserved,
                    queue=keys.queue,
                    waiting=keys.waiting,
                    idle_s=idle_s,
                    most=_SWEPT_AT_ONCE,
                )
            )
            if not found:
                return []
            sent = await lease_scripts.RESEND(
                shard.redis,
                active=keys.active,
                queue=keys.queue,
                waiting=keys.waiting,
                records=[keys.record(waiting.evolution_id) for waiting in found],
                idle_s=idle_s,
                ids=[waiting.evolution_id for waiting in found],
                versions=[waiting.version for waiting in found],
                messages=[message(waiting.evolution_id, waiting.version) for waiting in found],
            )
            return [waiting for waiting, now in zip(found, sent, strict=True) if now]

        return [*chain(*await self._shards.present(resend))]

    async def dispatch(self) -> None:
        """Moves to the queue what it has room for of the evolutions that wait for their tenants' turns, and forgets a
        little of what need not be known any more.
        """
        await self._shards.present(
            lambda shard: lease_scripts.DISPATCH(
                shard.redis, active=shard.keys.active, queue=shard.keys.queue, waiting=shard.keys.waiting
            )
        )

    async def due(self, at: float) -> list[WaitingEvolution]:
        """Evolutions that nobody holds and that are to end, a part of each shard's where there are many: those whose
        deadline has passed at this time (Unix seconds), and those for which a cancel was asked.
        """
        found = await self._shards.present(
            lambda shard: lease_scripts.DUE(
                shard.redis,
                active=shard.keys.active,
                deadlines=shard.keys.deadlines,
                cancelled=shard.keys.cancelled,
                at=at,
                most=DUE_AT_ONCE,
            )
        )
        return list(dict.fromkeys(waiting for flat in found for waiting in _waiting(flat)))


def _waiting(flat: Sequence[str]) -> list[WaitingEvolution]:
    parts = iter(flat)
    return [
        WaitingEvolution(evolution_id, int(version), _trace(evolution_id, trace))
        for evolution_id, version, trace in zip(parts, parts, parts, strict=True)
    ]


def _trace(evolution_id: str, text: str) -> TraceContext | None:
    return parsed(layout.TRACE, text or "null", f"the trace of evolution {evolution_id}")
