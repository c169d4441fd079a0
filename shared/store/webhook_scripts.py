"""The scripts of webhooks, in Lua. One that is sent twice changes nothing more (see `webhooks` for the keys)."""

from shared.store.lua import Script

# Returns 0 where the tenant has so many endpoints already.
CREATE = Script(
    """
if redis.call('SISMEMBER', own, id) == 1 then return 1 end
if redis.call('SCARD', own) >= tonumber(most) then return 0 end
redis.call('HSET', endpoints, id, body)
redis.call('SADD', own, id)
return 1
""",
    keys="endpoints own",
    args="id body most",
)

DELETE = Script(
    """
redis.call('SREM', own, id)
return redis.call('HDEL', endpoints, id)
""",
    keys="endpoints own",
    args="id",
)

# Returns 1 where the endpoint is replaced now or was by an earlier sending, 0 where it is another one by now, or gone.
REPLACE = Script(
    """
local current = redis.call('HGET', endpoints, id)
if current == before then redis.call('HSET', endpoints, id, after) end
return (current == before or current == after) and 1 or 0
""",
    keys="endpoints",
    args="id before after",
)

COLLECT = Script(
    """
if not redis.call('LPOS', notices, notice) then redis.call('LPUSH', notices, notice) end
redis.call('LTRIM', notices, 0, 99999)
""",
    keys="notices",
    args="notice",
)

SPREAD = Script(
    """
if redis.call('LREM', notices, -1, notice) == 0 then return 0 end
for i, id in ipairs(ids) do
  redis.call('SET', deliveries[i], bodies[i], 'EX', kept_s)
  redis.call('ZADD', due, now, id)
end
return 1
""",
    keys="notices due *deliveries",
    args="notice now kept_s *ids *bodies",
)

# Returns the JSON and the failed attempts of each delivery, one after another in one flat list.
CLAIM = Script(
    """
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)) do
  local body = redis.call('GET', prefix .. id)
  if body then
    redis.call('ZADD', due, now + lease_s, id)
    table.insert(found, body)
    table.insert(found, redis.call('GET', prefix .. id .. ':attempts') or '0')
  else
    redis.call('ZREM', due, id)
  end
end
return found
""",
    keys="due",
    args="now most lease_s prefix",
)

DONE = Script(
    """
redis.call('ZREM', due, id)
return redis.call('DEL', delivery, delivery .. ':attempts')
""",
    keys="due delivery",
    args="id",
)

RETRY = Script(
    """
if redis.call('EXISTS', delivery) == 0 then return 0 end
redis.call('SET', delivery .. ':attempts', attempts, 'EX', kept_s)
redis.call('ZADD', due, 'XX', at, id)
return 1
""",
    keys="due delivery",
    args="id at attempts kept_s",
)
