"""Evolutions in Redis: records under compare-and-set, event streams, leases, limits, cancel flags (see `layout`).

Each change is one script, so it happens wholly or not at all, and a script that was sent twice changes nothing more:
clients may send again whatever they got no answer to. Times are the server's, in Unix seconds. Scripts touch keys of
several evolutions, so this needs one Redis (with replicas), not a Redis Cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import Conflict, NotFound, Overloaded
from shared.records.attempts import Attempt, LostAttempt, Summary, summary_of
from shared.records.evolution import TERMINAL, Accepted, Ended, Event, Failure, Record, TraceContext
from shared.store import layout, scripts
from shared.store.connection import Translated, connect_redis
from shared.store.layout import dumped, parsed
from shared.store.queue import QUEUE, message

# Redis does nothing else for a few milliseconds.
_SWEPT_AT_ONCE = 500
_RENEWED_AT_ONCE = 500


@dataclass(frozen=True)
class ActiveLimits:
    """Most evolutions that are queued or running at a time: in all, and of one API key."""

    active: int = 10_000
    active_per_key: int = 1_000


@dataclass(frozen=True)
class StoredEvent:
    """An event with its position in the evolution's stream."""

    id: str
    event: Event


@dataclass(frozen=True)
class Claim:
    """A record whose lease the caller now holds.

    `deaths`: earlier holders of this version that neither saved nor released it; `lost` are those that are known.
    """

    record: Record
    cancelled: bool
    deaths: int = 0
    lost: tuple[LostAttempt, ...] = ()


@dataclass(frozen=True)
class Lease:
    """Who performs the round that follows a version."""

    evolution_id: str
    version: int
    holder: str


class Store:
    """Access to evolutions. Records expire `ttl_s` seconds after they end.

    Every caller that blocks in `events` holds one of `max_connections`. Every method raises `Unavailable` where Redis
    is away.
    """

    def __init__(self, url: str, ttl_s: int, max_connections: int = 100) -> None:
        self._redis = connect_redis(url, max_connections)
        self._ttl_s = ttl_s
        self._create = self._redis.register_script(scripts.CREATE)
        self._save = self._redis.register_script(scripts.SAVE)
        self._claim = self._redis.register_script(scripts.CLAIM)
        self._renew = self._redis.register_script(scripts.RENEW)
        self._release = self._redis.register_script(scripts.RELEASE)
        self._cancel = self._redis.register_script(scripts.CANCEL)
        self._abandon = self._redis.register_script(scripts.ABANDON)
        self._stalled = self._redis.register_script(scripts.STALLED)
        self._translated = Translated()

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        async with self._translated:
            await self._redis.ping()

    async def create(self, record: Record, limits: ActiveLimits = ActiveLimits()) -> Record:
        """Stores a new record (version 0) with its first event, asks for its first round, and returns it.

        Where the record's idempotency key was used before for the same request, returns that evolution instead.

        Raises:
            Conflict: the idempotency key was used for another request.
            Overloaded: a limit is reached.
        """
        idempotency, key_id = record.idempotency, record.key_id
        async with self._translated:
            outcome, evolution_id = await self._create(
                keys=[*layout.record_keys(record)[:7], QUEUE],
                args=[
                    record.id,
                    dumped(layout.RECORD, record),
                    dumped(layout.EVENT, Accepted(record.request.method)),
                    limits.active,
                    limits.active_per_key if key_id else limits.active,
                    idempotency.fingerprint if idempotency else "",
                    dumped(layout.SUMMARY, summary_of(record)),
                    record.created_at,
                    self._ttl_s,
                    dumped(layout.TRACE, record.trace),
                    message(record.id, record.version),
                ],
            )
        match outcome:
            case "accepted":
                return record if evolution_id == record.id else await self.load(evolution_id)
            case "conflict":
                raise Conflict("this Idempotency-Key was used for another request", field="idempotency-key")
            case "key full":
                raise Overloaded(f"this key has {limits.active_per_key} evolutions queued or running: come back later")
        raise Overloaded(f"{limits.active} evolutions are queued or running: come back later")

    async def save(
        self,
        record: Record,
        events: Sequence[Event],
        holder: str = "",
        tokens: int = 0,
        attempt: Attempt | None = None,
        delay_s: float = 0.0,
    ) -> None:
        """Replaces version `record.version - 1`, appends what is new, releases `holder`'s lease, and asks for the round
        that follows, if any does, after `delay_s` seconds; in one step.

        `tokens` are charged to the record's API key.

        Raises:
            Conflict: the record is at another version.
        """
        expected = record.version - 1
        charged = tokens if record.key_id else 0
        ended = record.status in TERMINAL
        async with self._translated:
            written = await self._save(
                keys=[*layout.record_keys(record), QUEUE],
                args=[
                    expected,
                    record.version,
                    dumped(layout.RECORD, record),
                    record.id,
                    holder,
                    int(ended),
                    charged,
                    dumped(layout.SUMMARY, summary_of(record)),
                    self._ttl_s,
                    dumped(layout.ATTEMPT, attempt, sparse=True) if attempt else "",
                    "" if ended else message(record.id, record.version, delay_s),
                    *(dumped(layout.EVENT, event) for event in events),
                ],
            )
        if not written:
            raise Conflict(f"evolution {record.id} is not at version {expected} any more")

    async def load(self, evolution_id: str) -> Record:
        """The record.

        Raises:
            NotFound: there is none.
            Internal: it cannot be read.
        """
        async with self._translated:
            body = await self._redis.hget(layout.key(evolution_id), "body")
        if body is None:
            raise NotFound(f"no evolution {evolution_id}")
        return parsed(layout.RECORD, body, f"the record of evolution {evolution_id}")

    async def abandon(self, evolution_id: str, failure: Failure) -> None:
        """Ends an evolution whose record cannot be read: its followers see why, and it expires."""
        async with self._translated:
            await self._abandon(
                keys=[
                    layout.key(evolution_id),
                    layout.key(evolution_id, "events"),
                    layout.ACTIVE,
                    layout.key(evolution_id, "attempts"),
                    layout.CANCELLED,
                ],
                args=[evolution_id, dumped(layout.EVENT, Ended("failed", error=failure)), self._ttl_s],
            )

    async def events(self, evolution_id: str, after: str = "0", block_s: float = 0.0) -> list[StoredEvent]:
        """Events past position `after`, waiting up to `block_s` (under 5) seconds for one; empty where none came."""
        block = int(block_s * 1000) or None
        async with self._translated:
            reply = await self._redis.xread({layout.key(evolution_id, "events"): after}, block=block)
        entries = [entry for _, stream in reply or () for entry in stream]
        what = f"an event of evolution {evolution_id}"
        return [StoredEvent(position, parsed(layout.EVENT, fields.get("event"), what)) for position, fields in entries]

    async def attempts(self, evolution_id: str) -> list[Attempt]:
        """Everything that was saved of it, oldest first."""
        async with self._translated:
            entries = await self._redis.xrange(layout.key(evolution_id, "attempts"))
        what = f"an attempt of evolution {evolution_id}"
        return [parsed(layout.ATTEMPT, fields.get("attempt"), what) for _, fields in entries]

    async def listed(self, tenant: str | None, after: str | None, count: int) -> list[Summary]:
        """Up to `count` evolutions of a tenant (None: of all), those last accepted first, from past `after` on.

        Fewer may come although there are more, where some have expired; none come only at the end.

        Raises:
            NotFound: `after` is in no list.
        """
        name, first = layout.list_key(tenant), 0
        async with self._translated:
            if after is not None:
                rank = await self._redis.zrevrank(name, after)
                if rank is None:
                    raise NotFound(f"no evolution {after} to list from", field="after")
                first = rank + 1
            while ids := await self._redis.zrevrange(name, first, first + count - 1):
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for evolution_id in ids:
                        pipeline.hget(layout.key(evolution_id), "summary")
                    found = [body for body in await pipeline.execute() if body is not None]
                if found:
                    return [parsed(layout.SUMMARY, body, "a summary") for body in found]
                first += count
        return []

    async def claim(self, evolution_id: str, version: int, holder: str, ttl_s: float) -> Claim | None:
        """Takes the lease of an evolution at `version`; None where it is elsewhere, held by another, or gone.

        Raises:
            Internal: the record cannot be read.
        """
        async with self._translated:
            claimed = await self._claim(
                keys=[*_lease_keys(evolution_id), layout.CANCELLED],
                args=[version, holder, int(ttl_s * 1000), evolution_id],
            )
        if not claimed:
            return None
        record = parsed(layout.RECORD, claimed[0], f"the record of evolution {evolution_id}")
        return Claim(record, cancelled=bool(claimed[1]), deaths=int(claimed[2]), lost=layout.lost_attempts(claimed[3]))

    async def renew(self, leases: Sequence[Lease], ttl_s: float) -> list[bool]:
        """Prolongs leases; says of each whether it is still held."""
        found: list[bool] = []
        async with self._translated:
            for first in range(0, len(leases), _RENEWED_AT_ONCE):
                part = leases[first : first + _RENEWED_AT_ONCE]
                renewed = await self._renew(
                    keys=[name for lease in part for name in _lease_keys(lease.evolution_id)],
                    args=[int(ttl_s * 1000), *(text for lease in part for text in (lease.version, lease.holder))],
                )
                found += map(bool, renewed)
        return found

    async def release(self, evolution_id: str, holder: str) -> None:
        async with self._translated:
            await self._release(keys=[layout.key(evolution_id, "lease"), layout.key(evolution_id)], args=[holder])

    async def send(self, evolution_id: str, version: int) -> None:
        """Asks some worker to perform the round that follows this version."""
        async with self._translated:
            await self._redis.lpush(QUEUE, message(evolution_id, version))

    async def request_cancel(self, evolution_id: str) -> None:
        """Asks whoever holds the evolution to stop."""
        async with self._translated:
            await self._cancel(keys=[layout.ACTIVE, layout.CANCELLED], args=[evolution_id])

    async def cancelled(self) -> set[str]:
        """Ids of the evolutions that were asked to stop and have not."""
        async with self._translated:
            return set(await self._redis.smembers(layout.CANCELLED))

    async def stalled(self, idle_s: float) -> list[tuple[str, int, TraceContext | None]]:
        """Ids, versions and traces of unfinished evolutions not saved for `idle_s` seconds that nobody holds.

        Each is told again only after it has waited twice as long.
        """
        async with self._translated:
            told = iter(await self._stalled(keys=[layout.ACTIVE], args=[idle_s, _SWEPT_AT_ONCE, layout.PREFIX]))
        return [
            (
                evolution_id,
                int(version),
                parsed(layout.TRACE, trace or "null", f"the trace of evolution {evolution_id}"),
            )
            for evolution_id, version, trace in zip(told, told, told, strict=True)
        ]

    async def active(self) -> int:
        """How many evolutions are queued or running."""
        async with self._translated:
            return int(await self._redis.zcard(layout.ACTIVE))

    async def tokens_today(self, key_id: str) -> int:
        """Tokens charged to an API key since midnight UTC."""
        async with self._translated:
            return int(await self._redis.get(layout.used_key(key_id)) or 0)


def _lease_keys(evolution_id: str) -> list[str]:
    """As the scripts CLAIM and RENEW want them."""
    return [layout.key(evolution_id), layout.key(evolution_id, "lease")]
