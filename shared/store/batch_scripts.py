"""The scripts of batches, in Lua. One that is sent twice changes nothing more (see `batches` for the keys)."""

from shared.store.lua import Script
from shared.store.redis_keys import RedisKeys

# Adds lines to a file of the batch, which begins with the first of them; its bytes count as its tenant's.
_WRITE = """
local function write(texts)
  if redis.call('EXISTS', file) == 0 then
    redis.call('HSET', file, 'tenant', tenant, 'bytes', 0)
    redis.call('HINCRBY', usage, 'n:' .. tenant, 1)
    redis.call('ZADD', expiry, until_at, file_id)
  end
  for _, text in ipairs(texts) do redis.call('RPUSH', lines, text) end
  redis.call('HINCRBY', file, 'bytes', size)
  redis.call('HINCRBY', usage, 'b:' .. tenant, size)
  redis.call('HINCRBY', usage, '*', size)
end
"""

# Returns 0 where the tenant has too many open batches. Beyond `most_kept`, its oldest ended ones are forgotten.
CREATE = Script(
    """
if redis.call('EXISTS', batch) == 1 then return 1 end
local listed, opened = redis.call('ZRANGE', tenant_list, 0, -1), 0
for _, other in ipairs(listed) do
  if redis.call('ZSCORE', open, other) then opened = opened + 1 end
end
if opened >= tonumber(most_open) then return 0 end
for i = 1, #listed - tonumber(most_kept) + 1 do
  if not redis.call('ZSCORE', open, listed[i]) then
    redis.call('ZREM', tenant_list, listed[i])
    redis.call('UNLINK', batches .. listed[i])
  end
end
redis.call('HSET', batch, 'body', body, 'status', 'validating')
redis.call('ZADD', open, created_at, id)
redis.call('ZADD', tenant_list, created_at, id)
redis.call('SADD', users, id)
return 1
""",
    keys="batch open tenant_list users",
    args="id body created_at most_open most_kept batches",
)

TAKE = Script(
    """
local present = redis.call('GET', lease)
if present and present ~= holder then return 0 end
redis.call('SET', lease, holder, 'PX', ttl_ms)
return 1
""",
    keys="lease",
    args="holder ttl_ms",
)

RELEASE = Script(
    "if redis.call('GET', lease) == holder then return redis.call('DEL', lease) end return 0",
    keys="lease",
    args="holder",
)

# Returns the numbers of the lines that run.
BEGIN = Script(
    """
if redis.call('GET', lease) == holder and redis.call('HGET', batch, 'status') == 'in_progress' then
  local begun = tonumber(redis.call('HGET', batch, 'next') or 0)
  local room = math.min(most - redis.call('SCARD', running), most_of_all - redis.call('SCARD', all_running))
  local last = math.min(begun + room, tonumber(redis.call('HGET', batch, 'total'))) - 1
  for line = begun, last do
    redis.call('SADD', running, line)
    redis.call('SADD', all_running, id .. ':' .. line)
  end
  if last >= begun then redis.call('HSET', batch, 'next', last + 1) end
end
return redis.call('SMEMBERS', running)
""",
    keys="batch running all_running lease",
    args="id holder most most_of_all",
)

# Gives back the line that was begun last, so that it takes no room while it cannot start.
GIVE_BACK = Script(
    """
if redis.call('GET', lease) ~= holder or redis.call('HGET', batch, 'status') ~= 'in_progress' then return 0 end
if tonumber(redis.call('HGET', batch, 'next') or 0) ~= line + 1 or redis.call('SREM', running, line) == 0 then
  return 0
end
redis.call('SREM', all_running, id .. ':' .. line)
redis.call('HSET', batch, 'next', line)
return 1
""",
    keys="batch running all_running lease",
    args="id holder line",
)

FINISH = Script(
    _WRITE
    + """
if redis.call('SREM', running, line) == 0 then return 0 end
redis.call('SREM', all_running, id .. ':' .. line)
redis.call('HINCRBY', batch, kind, 1)
if generated ~= '0' then redis.call('HINCRBY', batch, 'generated', generated) end
write({text})
return 1
""",
    keys="batch running all_running lease file lines expiry usage",
    args="id line kind generated file_id tenant size until_at text",
)

# `next` is the first of the lines as the caller saw it.
SKIP = Script(
    _WRITE
    + """
if (redis.call('HGET', batch, 'next') or '0') ~= next then return 0 end
redis.call('HINCRBY', batch, 'next', #texts)
redis.call('HINCRBY', batch, 'failed', #texts)
write(texts)
return 1
""",
    keys="batch file lines expiry usage",
    args="next file_id tenant size until_at *texts",
)

# The end of a batch leaves a notice for the webhooks of its tenant, in the same step.
MOVE = Script(
    """
local status = redis.call('HGET', batch, 'status')
if status == ended then return 1 end
if status ~= begun then return 0 end
redis.call('HSET', batch, 'status', ended, ended .. '_at', now)
for i, name in ipairs(names) do redis.call('HSET', batch, name, values[i]) end
if final == '1' then
  redis.call('ZREM', open, id)
  redis.call('SREM', users, id)
  redis.call('LPUSH', notices, 'batch ' .. id)
  redis.call('LTRIM', notices, 0, 99999)
end
return 1
""",
    keys="batch open notices users",
    args="id begun ended now final *names *values",
)

END = Script(
    """
local present = redis.call('HGET', batch, 'status')
if present ~= 'validating' and present ~= 'in_progress' then return 0 end
redis.call('HSET', batch, 'status', status, 'ending', ending, status .. '_at', now)
if errors ~= '' then redis.call('HSET', batch, 'errors', errors) end
return 1
""",
    keys="batch",
    args="status ending errors now",
)


def running_keys(key: RedisKeys, batch_id: str) -> dict[str, str]:
    """The keys of the lines of a batch that run, as the scripts name them."""
    batch = key(f"batch:{batch_id}")
    return {
        "batch": batch,
        "running": f"{batch}:running",
        "all_running": key("batch-running"),
        "lease": f"{batch}:lease",
    }
