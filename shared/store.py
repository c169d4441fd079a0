"""Evolutions in Redis: records under compare-and-set, event streams, leases, cancel flags.

Keys, all under `darwin:`: `evo:{id}` (hash: version, body), `evo:{id}:events` (stream), `evo:{id}:lease`,
`evo:{id}:cancel`, and `active` (sorted set of unfinished ids by the time of their last save).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from pydantic import TypeAdapter
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.errors import Conflict, NotFound, Unavailable
from shared.records import TERMINAL, Accepted, Event, Record

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_ACTIVE = "darwin:active"

# KEYS: record, events, active. ARGV: expected version ("" to create), new version, body, id, now, ttl (0: unfinished),
# then one JSON event each. Returns 1, or 0 where the version differs.
_SAVE = """
local current = redis.call('HGET', KEYS[1], 'version')
if (current or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'body', ARGV[3])
for i = 7, #ARGV do redis.call('XADD', KEYS[2], '*', 'event', ARGV[i]) end
if tonumber(ARGV[6]) > 0 then
  redis.call('ZREM', KEYS[3], ARGV[4])
  redis.call('EXPIRE', KEYS[1], ARGV[6])
  redis.call('EXPIRE', KEYS[2], ARGV[6])
else
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[4])
end
return 1
"""

# KEYS: lease. ARGV: owner, ttl in ms (0 releases). Returns 1 where the owner still holds it.
_RELEASE_OR_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) else redis.call('DEL', KEYS[1]) end
return 1
"""


@dataclass(frozen=True)
class StoredEvent:
    """An event with its position in the evolution's stream."""

    id: str
    event: Event


class _Translated:
    """Turns a lost Redis into `Unavailable`."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, RedisConnectionError | RedisTimeoutError):
            raise Unavailable("the evolution store (Redis) cannot be reached") from error


class Store:
    """Access to evolutions. Records expire `ttl_s` seconds after they end.

    Every caller that blocks in `events` holds one of `max_connections`.
    """

    def __init__(self, url: str, ttl_s: int, max_connections: int = 100) -> None:
        self._redis: Any = redis.asyncio.Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=5,
            socket_timeout=30,
            health_check_interval=15,
            max_connections=max_connections,
        )
        self._ttl_s = ttl_s
        self._save = self._redis.register_script(_SAVE)
        self._lease = self._redis.register_script(_RELEASE_OR_RENEW)
        self._translated = _Translated()

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        """Raises `Unavailable` where Redis does not answer."""
        async with self._translated:
            await self._redis.ping()

    async def create(self, record: Record) -> None:
        """Stores a new record (version 0) with its first event; `Conflict` where the id exists."""
        await self._write(record, "", (Accepted(record.request.method),))

    async def save(self, record: Record, events: Sequence[Event]) -> None:
        """Replaces version `record.version - 1`, and appends `events`, in one step; else `Conflict`."""
        await self._write(record, str(record.version - 1), events)

    async def _write(self, record: Record, expected: str, events: Sequence[Event]) -> None:
        ttl = self._ttl_s if record.status in TERMINAL else 0
        body = _RECORD.dump_json(record).decode()
        async with self._translated:
            written = await self._save(
                keys=[_key(record.id), _key(record.id, "events"), _ACTIVE],
                args=[expected, record.version, body, record.id, time.time(), ttl, *map(_dump_event, events)],
            )
        if not written:
            raise Conflict(f"evolution {record.id} is not at version {expected or 'none'} any more")

    async def load(self, evolution_id: str) -> Record:
        """The record; `NotFound` where there is none."""
        async with self._translated:
            body = await self._redis.hget(_key(evolution_id), "body")
        if body is None:
            raise NotFound(f"no evolution {evolution_id}")
        return _RECORD.validate_json(body)

    async def events(self, evolution_id: str, after: str = "0", block_s: float = 0.0) -> list[StoredEvent]:
        """Events past position `after`, waiting up to `block_s` seconds for one; empty where none came."""
        block = int(block_s * 1000) or None
        async with self._translated:
            reply = await self._redis.xread({_key(evolution_id, "events"): after}, block=block)
        entries = [entry for _, stream in reply or () for entry in stream]
        return [StoredEvent(position, _EVENT.validate_json(fields["event"])) for position, fields in entries]

    async def acquire(self, evolution_id: str, owner: str, ttl_s: float) -> bool:
        """Takes the evolution's lease; False where somebody holds it."""
        async with self._translated:
            return bool(await self._redis.set(_key(evolution_id, "lease"), owner, nx=True, px=int(ttl_s * 1000)))

    async def renew(self, evolution_id: str, owner: str, ttl_s: float) -> bool:
        """Prolongs the lease; False where it was lost."""
        async with self._translated:
            return bool(await self._lease(keys=[_key(evolution_id, "lease")], args=[owner, int(ttl_s * 1000)]))

    async def release(self, evolution_id: str, owner: str) -> None:
        async with self._translated:
            await self._lease(keys=[_key(evolution_id, "lease")], args=[owner, 0])

    async def request_cancel(self, evolution_id: str) -> None:
        """Asks whoever holds the evolution to stop; `cancel_requested` then answers True."""
        async with self._translated:
            await self._redis.set(_key(evolution_id, "cancel"), "1", ex=self._ttl_s)

    async def cancel_requested(self, evolution_id: str) -> bool:
        async with self._translated:
            return bool(await self._redis.exists(_key(evolution_id, "cancel")))

    async def stalled(self, idle_s: float) -> list[str]:
        """Ids of unfinished evolutions not saved for `idle_s` seconds that nobody holds.

        Each is told once per `idle_s`.
        """
        now = time.time()
        async with self._translated:
            ids = await self._redis.zrangebyscore(_ACTIVE, 0, now - idle_s)
            leases = await self._redis.mget([_key(i, "lease") for i in ids]) if ids else []
            stalled = [evolution_id for evolution_id, lease in zip(ids, leases, strict=True) if lease is None]
            if stalled:
                await self._redis.zadd(_ACTIVE, dict.fromkeys(stalled, now), xx=True)
        return stalled


def _key(evolution_id: str, part: str = "") -> str:
    return f"darwin:evo:{{{evolution_id}}}" + (f":{part}" if part else "")


def _dump_event(event: Event) -> str:
    return _EVENT.dump_json(event).decode()
