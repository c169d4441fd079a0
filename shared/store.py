"""Evolutions in Redis: records under compare-and-set, event streams, leases, limits, cancel flags.

Keys, all under `darwin:`
  evo:{id}                hash: version, body, saved_at, claims, of_key, of_idempotency; beside it :events (a
                          stream), :lease, :cancel
  active                  sorted set of unfinished ids by when the sweep may look at them again
  key:{key}:active        set of an API key's unfinished ids; key:{key}:used:{day} counts its tokens
  idempotency:{digest}    hash: id, fingerprint; lives as long as its record

Each change is one script, so it happens wholly or not at all, and a script that was sent twice changes nothing more:
clients may send again whatever they got no answer to. Times are the server's, in Unix seconds. Scripts touch keys of
several evolutions, so this needs one Redis (with replicas), not a Redis Cluster.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from shared.connection import Translated, connect_redis
from shared.errors import Conflict, Internal, NotFound, Overloaded
from shared.records import TERMINAL, Accepted, Ended, Event, Failure, Record

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_ACTIVE = "darwin:active"
_DAY_S = 86_400
_SWEPT_AT_ONCE = 500

_NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

# KEYS: record, events, active, key's active, idempotency. ARGV: id, body, event, most active, most active of the key,
# fingerprint ("" without an idempotency key). Returns what happened, and an id.
_CREATE = (
    _NOW
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return {'accepted', ARGV[1]} end
if ARGV[6] ~= '' then
  local known = redis.call('HMGET', KEYS[5], 'id', 'fingerprint')
  if known[1] then return {known[2] == ARGV[6] and 'accepted' or 'conflict', known[1]} end
end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[4]) then return {'full', ''} end
if redis.call('SCARD', KEYS[4]) >= tonumber(ARGV[5]) then return {'key full', ''} end
redis.call('HSET', KEYS[1], 'version', 0, 'body', ARGV[2], 'saved_at', now)
redis.call('HSET', KEYS[1], 'of_key', KEYS[4], 'of_idempotency', KEYS[5])
redis.call('XADD', KEYS[2], '*', 'event', ARGV[3])
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('SADD', KEYS[4], ARGV[1])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[5], 'id', ARGV[1], 'fingerprint', ARGV[6]) end
return {'accepted', ARGV[1]}
"""
)

# KEYS: record, events, active, key's active, idempotency, key's used, lease, cancel. ARGV: expected version, new
# version, body, id, holder ("" for none), ttl (0: unfinished), tokens, then one JSON event each.
# Returns 1, or 0 where the version differs.
_SAVE = (
    _NOW
    + """
local current = redis.call('HMGET', KEYS[1], 'version', 'body')
if current[1] ~= ARGV[1] then
  return current[1] == ARGV[2] and current[2] == ARGV[3] and 1 or 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'body', ARGV[3], 'saved_at', now, 'claims', 0)
for i = 8, #ARGV do redis.call('XADD', KEYS[2], '*', 'event', ARGV[i]) end
if tonumber(ARGV[7]) > 0 then
  redis.call('INCRBY', KEYS[6], ARGV[7])
  redis.call('EXPIRE', KEYS[6], 172800)
end
if ARGV[5] ~= '' and redis.call('GET', KEYS[7]) == ARGV[5] then redis.call('DEL', KEYS[7]) end
if tonumber(ARGV[6]) > 0 then
  redis.call('ZREM', KEYS[3], ARGV[4])
  redis.call('SREM', KEYS[4], ARGV[4])
  redis.call('DEL', KEYS[8])
  for _, key in ipairs({KEYS[1], KEYS[2], KEYS[5]}) do redis.call('EXPIRE', key, ARGV[6]) end
else
  redis.call('ZADD', KEYS[3], now, ARGV[4])
end
return 1
"""
)

# KEYS: record, lease, cancel. ARGV: version, holder, ttl in ms. Returns (body, whether a cancel was asked for, earlier
# claims of this version that were neither saved nor released), or nothing where the version is another or somebody
# else holds the lease.
_CLAIM = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return nil end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[2] then return nil end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
local claims = tonumber(redis.call('HGET', KEYS[1], 'claims') or 0)
if not holder then redis.call('HSET', KEYS[1], 'claims', claims + 1) else claims = claims - 1 end
return {redis.call('HGET', KEYS[1], 'body'), redis.call('EXISTS', KEYS[3]), claims}
"""

# As _CLAIM, without the body: 0 lost, 1 held, 2 held and a cancel was asked for. A lease that ran out while Redis was
# away, and that nobody took, is taken again.
_RENEW = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1 + redis.call('EXISTS', KEYS[3])
"""

# KEYS: lease, record. ARGV: holder.
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[2], 'claims', -1)
return redis.call('DEL', KEYS[1])
"""

# KEYS: active. ARGV: idle seconds, most ids, the prefix of record keys. Returns (id, version) pairs, flat.
# What is held is looked at again when its lease runs out; what is told, after as long as it has been waiting already,
# so that a long queue is not filled with copies of its messages.
_STALLED = (
    _NOW
    + """
local idle, told = tonumber(ARGV[1]), {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - idle, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  local key = ARGV[3] .. '{' .. id .. '}'
  local held = redis.call('PTTL', key .. ':lease')
  local kept = redis.call('HMGET', key, 'version', 'saved_at')
  if not kept[1] then
    redis.call('ZREM', KEYS[1], id)
  elseif held > 0 then
    redis.call('ZADD', KEYS[1], now - idle + held / 1000, id)
  else
    redis.call('ZADD', KEYS[1], now + math.max(0, now - kept[2] - idle), id)
    table.insert(told, id)
    table.insert(told, kept[1])
  end
end
return told
"""
)

_PREFIX = "darwin:evo:"


@dataclass(frozen=True)
class Limits:
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

    `deaths`: earlier holders of this version that neither saved nor released it.
    """

    record: Record
    cancelled: bool
    deaths: int = 0


class Store:
    """Access to evolutions. Records expire `ttl_s` seconds after they end.

    Every caller that blocks in `events` holds one of `max_connections`. Every method raises `Unavailable` where Redis
    is away.
    """

    def __init__(self, url: str, ttl_s: int, max_connections: int = 100) -> None:
        self._redis = connect_redis(url, max_connections)
        self._ttl_s = ttl_s
        self._create = self._redis.register_script(_CREATE)
        self._save = self._redis.register_script(_SAVE)
        self._claim = self._redis.register_script(_CLAIM)
        self._renew = self._redis.register_script(_RENEW)
        self._release = self._redis.register_script(_RELEASE)
        self._stalled = self._redis.register_script(_STALLED)
        self._translated = Translated()

    async def close(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        async with self._translated:
            await self._redis.ping()

    async def create(self, record: Record, limits: Limits = Limits()) -> Record:
        """Stores a new record (version 0) with its first event, and returns it.

        Where the record's idempotency key was used before for the same request, returns that evolution instead.

        Raises:
            Conflict: the idempotency key was used for another request.
            Overloaded: a limit is reached.
        """
        idempotency, key_id = record.idempotency, record.owner.key_id
        async with self._translated:
            outcome, evolution_id = await self._create(
                keys=[*_record_keys(record)[:5]],
                args=[
                    record.id,
                    _dump(record),
                    _dump_event(Accepted(record.request.method)),
                    limits.active,
                    limits.active_per_key if key_id else limits.active,
                    idempotency.fingerprint if idempotency else "",
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

    async def save(self, record: Record, events: Sequence[Event], holder: str = "", tokens: int = 0) -> None:
        """Replaces version `record.version - 1`, appends `events` and releases `holder`'s lease, in one step.

        `tokens` are charged to the record's API key.

        Raises:
            Conflict: the record is at another version.
        """
        expected = record.version - 1
        ttl = self._ttl_s if record.status in TERMINAL else 0
        charged = tokens if record.owner.key_id else 0
        async with self._translated:
            written = await self._save(
                keys=_record_keys(record),
                args=[
                    expected,
                    record.version,
                    _dump(record),
                    record.id,
                    holder,
                    ttl,
                    charged,
                    *map(_dump_event, events),
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
            body = await self._redis.hget(_key(evolution_id), "body")
        if body is None:
            raise NotFound(f"no evolution {evolution_id}")
        return _parsed(evolution_id, body)

    async def abandon(self, evolution_id: str, failure: Failure) -> None:
        """Ends an evolution whose record cannot be read: its followers see why, and it expires."""
        record, events = _key(evolution_id), _key(evolution_id, "events")
        async with self._translated, self._redis.pipeline(transaction=True) as pipeline:
            of_key, of_idempotency = await self._redis.hmget(record, "of_key", "of_idempotency")
            pipeline.zrem(_ACTIVE, evolution_id)
            pipeline.srem(of_key or "", evolution_id)
            pipeline.expire(of_idempotency or "", self._ttl_s)
            pipeline.xadd(events, {"event": _dump_event(Ended("failed", error=failure))})
            pipeline.expire(record, self._ttl_s)
            pipeline.expire(events, self._ttl_s)
            await pipeline.execute()

    async def events(self, evolution_id: str, after: str = "0", block_s: float = 0.0) -> list[StoredEvent]:
        """Events past position `after`, waiting up to `block_s` (under 5) seconds for one; empty where none came."""
        block = int(block_s * 1000) or None
        async with self._translated:
            reply = await self._redis.xread({_key(evolution_id, "events"): after}, block=block)
        entries = [entry for _, stream in reply or () for entry in stream]
        try:
            return [StoredEvent(position, _EVENT.validate_json(fields["event"])) for position, fields in entries]
        except (ValidationError, KeyError) as error:
            raise Internal(f"an event of evolution {evolution_id} cannot be read") from error

    async def claim(self, evolution_id: str, version: int, holder: str, ttl_s: float) -> Claim | None:
        """Takes the lease of an evolution at `version`; None where it is elsewhere, held by another, or gone.

        Raises:
            Internal: the record cannot be read.
        """
        async with self._translated:
            claimed = await self._claim(
                keys=[_key(evolution_id), _key(evolution_id, "lease"), _key(evolution_id, "cancel")],
                args=[version, holder, int(ttl_s * 1000)],
            )
        if not claimed:
            return None
        return Claim(_parsed(evolution_id, claimed[0]), cancelled=bool(claimed[1]), deaths=int(claimed[2]))

    async def renew(
        self, evolution_id: str, version: int, holder: str, ttl_s: float
    ) -> Literal["lost", "held", "cancelled"]:
        """Prolongs the lease; says whether it was lost, and whether a cancel was asked for."""
        async with self._translated:
            renewed: int = await self._renew(
                keys=[_key(evolution_id), _key(evolution_id, "lease"), _key(evolution_id, "cancel")],
                args=[version, holder, int(ttl_s * 1000)],
            )
        return ("lost", "held", "cancelled")[renewed]

    async def release(self, evolution_id: str, holder: str) -> None:
        async with self._translated:
            await self._release(keys=[_key(evolution_id, "lease"), _key(evolution_id)], args=[holder])

    async def request_cancel(self, evolution_id: str) -> None:
        """Asks whoever holds the evolution to stop."""
        async with self._translated:
            await self._redis.set(_key(evolution_id, "cancel"), "1", ex=self._ttl_s)

    async def cancel_requested(self, evolution_id: str) -> bool:
        async with self._translated:
            return bool(await self._redis.exists(_key(evolution_id, "cancel")))

    async def stalled(self, idle_s: float) -> list[tuple[str, int]]:
        """Ids and versions of unfinished evolutions not saved for `idle_s` seconds that nobody holds.

        Each is told again only after it has waited twice as long.
        """
        async with self._translated:
            told = await self._stalled(keys=[_ACTIVE], args=[idle_s, _SWEPT_AT_ONCE, _PREFIX])
        return [(evolution_id, int(version)) for evolution_id, version in zip(told[::2], told[1::2], strict=True)]

    async def unfinished(self) -> int:
        """How many evolutions are queued or running."""
        async with self._translated:
            return int(await self._redis.zcard(_ACTIVE))

    async def tokens_today(self, key_id: str) -> int:
        """Tokens charged to an API key since midnight UTC."""
        async with self._translated:
            return int(await self._redis.get(_used(key_id)) or 0)


def _parsed(evolution_id: str, body: str) -> Record:
    try:
        return _RECORD.validate_json(body)
    except ValidationError as error:
        raise Internal(f"the record of evolution {evolution_id} cannot be read") from error


def _dump(record: Record) -> str:
    return _RECORD.dump_json(record).decode()


def _dump_event(event: Event) -> str:
    return _EVENT.dump_json(event).decode()


def _key(evolution_id: str, part: str = "") -> str:
    return f"{_PREFIX}{{{evolution_id}}}" + (f":{part}" if part else "")


def _used(key_id: str) -> str:
    return f"darwin:key:{key_id}:used:{int(time.time() // _DAY_S)}"


def _record_keys(record: Record) -> list[str]:
    """As _SAVE wants them; _CREATE takes the first five."""
    key_id, idempotency = record.owner.key_id, record.idempotency
    return [
        _key(record.id),
        _key(record.id, "events"),
        _ACTIVE,
        f"darwin:key:{key_id}:active",
        f"darwin:idempotency:{idempotency.key if idempotency else ''}",
        _used(key_id),
        _key(record.id, "lease"),
        _key(record.id, "cancel"),
    ]
