"""Gateways and workers of the version before the fair queue, as a store sees them: their scripts, less what they do for
lists and events. They know nothing of `darwin:waiting`, of shares and places, or of records in parts.
"""

from dataclasses import replace

from shared.records.evolution import TERMINAL, Record
from shared.records.spending import Spending
from shared.store import layout
from shared.store.budgets import BUDGETS
from shared.store.evolutions import Store
from shared.store.lua import Script
from shared.store.queue import message
from shared.store.redis_keys import RedisKeys

KEYS = RedisKeys()

_NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

_CREATE = Script(
    _NOW
    + BUDGETS
    + """
reserve(id, tonumber(tokens), 0, spent)
redis.call('HSET', record, 'version', 0, 'body', body, 'saved_at', now, 'of_key', api_key_active)
redis.call('ZADD', active, now, id)
redis.call('SADD', api_key_active, id)
redis.call('LPUSH', queue, message)
""",
    keys="record active reserved api_key_active queue *spent",
    args="id body message tokens",
)

_CLAIM = Script(
    """
if redis.call('HGET', record, 'version') ~= version then return nil end
if redis.call('GET', lease) then return nil end
redis.call('SET', lease, holder, 'PX', 60000)
redis.call('HINCRBY', record, 'claims', 1)
return redis.call('HGET', record, 'body')
""",
    keys="record lease",
    args="version holder",
)

_SAVE = Script(
    _NOW
    + BUDGETS
    + """
redis.call('HSET', record, 'version', version, 'body', body, 'saved_at', now, 'claims', 0)
if message ~= '' then redis.call('LPUSH', queue, message) end
charge(id, tonumber(tokens), 0, spent)
redis.call('DEL', lease)
if ended == '1' then
  redis.call('ZREM', active, id)
  redis.call('SREM', api_key_active, id)
  redis.call('SREM', cancelled, id)
  release(id)
else
  redis.call('ZADD', active, now, id)
end
""",
    keys="record lease active cancelled reserved api_key_active queue *spent",
    args="id version body tokens message ended",
)

_ABANDON = Script(
    BUDGETS
    + """
redis.call('ZREM', active, id)
redis.call('SREM', cancelled, id)
release(id)
redis.call('SREM', redis.call('HGET', record, 'of_key'), id)
""",
    keys="record active cancelled reserved",
    args="id",
)


def _keys(record: Record, *names: str) -> dict[str, str]:
    return {name: KEYS.of(record)[name] for name in names}


async def accept(store: Store, record: Record, estimate: Spending) -> None:
    """What its gateway does with a call."""
    await _CREATE(
        store._redis,
        **_keys(record, "record", "active", "reserved", "api_key_active"),
        queue=KEYS.queue,
        spent=KEYS.spent_by(record),
        id=record.id,
        body=layout.dumped_body(replace(record, whole=True)),
        message=message(record.id, 0),
        tokens=estimate.counted,
    )


async def perform(store: Store, evolution_id: str, version: int, spent: Spending, *, ends: bool) -> bool:
    """What its worker does with a message: it saves the next version, or abandons what it cannot read. Returns whether
    there was anything to do.
    """
    record_key, lease = KEYS.record(evolution_id), KEYS.lease(evolution_id)
    body = await _CLAIM(store._redis, record=record_key, lease=lease, version=version, holder="old")
    if body is None:
        return False
    if body.startswith('{"layout":2'):
        shared = {"active": KEYS.active, "cancelled": KEYS.cancelled, "reserved": KEYS.reserved}
        await _ABANDON(store._redis, record=record_key, **shared, id=evolution_id)
        return True
    record = layout.RECORD.validate_json(body)
    record = replace(record, version=version + 1, status="succeeded" if ends else "running", whole=True)
    await _SAVE(
        store._redis,
        **_keys(record, "record", "active", "reserved", "api_key_active"),
        lease=lease,
        cancelled=KEYS.cancelled,
        queue=KEYS.queue,
        spent=KEYS.spent_by(record),
        id=record.id,
        version=record.version,
        body=layout.dumped_body(record),
        tokens=spent.counted,
        message="" if record.status in TERMINAL else message(record.id, record.version),
        ended=int(ends),
    )
    return True
