"""The scripts of `shared.store.evolutions`, in Lua: each is one step for everybody else, and bears being sent twice.

`KEYS` and `ARGV` are what a script is given; times are the server's.
"""

_NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

# A record has a field "claimants": a line of holder@time for each claim that was neither saved nor released.
_CLAIMANTS = """
local function without(claimants, holder)
  local pattern = string.gsub(holder, '%W', '%%%0') .. '@[%d.]+\\n'
  return (string.gsub(claimants or '', pattern, ''))
end
"""

# Lists of every evolution, and of a tenant's, by when they were accepted. They live as long as what they list.
_LIST = """
local function list(keys, ttl, created_at, id)
  for _, key in ipairs(keys) do
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now - ttl, 'LIMIT', 0, 20)) do
      if redis.call('EXISTS', 'darwin:evo:{' .. old .. '}') == 0 then redis.call('ZREM', key, old) end
    end
    if created_at then redis.call('ZADD', key, created_at, id) end
    redis.call('EXPIRE', key, ttl)
  end
end
"""

# KEYS: record, events, active, key's active, idempotency, list, tenant's list, queue. ARGV: id, body, event, most
# active, most active of the key, fingerprint ("" without an idempotency key), summary, created_at, ttl, trace, message.
# Returns what happened, and an id.
CREATE = (
    _NOW
    + _LIST
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return {'accepted', ARGV[1]} end
if ARGV[6] ~= '' then
  local known = redis.call('HMGET', KEYS[5], 'id', 'fingerprint')
  if known[1] then return {known[2] == ARGV[6] and 'accepted' or 'conflict', known[1]} end
end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[4]) then return {'full', ''} end
if redis.call('SCARD', KEYS[4]) >= tonumber(ARGV[5]) then return {'key full', ''} end
redis.call('HSET', KEYS[1], 'version', 0, 'body', ARGV[2], 'saved_at', now, 'summary', ARGV[7])
redis.call('HSET', KEYS[1], 'of_key', KEYS[4], 'of_idempotency', KEYS[5], 'trace', ARGV[10])
redis.call('XADD', KEYS[2], '*', 'event', ARGV[3])
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('SADD', KEYS[4], ARGV[1])
if ARGV[6] ~= '' then redis.call('HSET', KEYS[5], 'id', ARGV[1], 'fingerprint', ARGV[6]) end
list({KEYS[6], KEYS[7]}, tonumber(ARGV[9]), ARGV[8], ARGV[1])
redis.call('LPUSH', KEYS[8], ARGV[11])
return {'accepted', ARGV[1]}
"""
)

# KEYS: record, events, active, key's active, idempotency, list, tenant's list, key's used, lease, cancelled, attempts,
# queue. ARGV: expected version, new version, body, id, holder ("" for none), whether it has ended (0 or 1), tokens,
# summary, ttl, attempt ("" for none), next message ("" for none), then one JSON event each. Returns 1, or 0 where the
# version differs.
SAVE = (
    _NOW
    + _LIST
    + """
local current = redis.call('HMGET', KEYS[1], 'version', 'body')
if current[1] ~= ARGV[1] then
  return current[1] == ARGV[2] and current[2] == ARGV[3] and 1 or 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'body', ARGV[3], 'saved_at', now, 'claims', 0, 'summary', ARGV[8])
redis.call('HDEL', KEYS[1], 'claimants')
for i = 12, #ARGV do redis.call('XADD', KEYS[2], '*', 'event', ARGV[i]) end
if ARGV[10] ~= '' then redis.call('XADD', KEYS[11], '*', 'attempt', ARGV[10]) end
if ARGV[11] ~= '' then redis.call('LPUSH', KEYS[12], ARGV[11]) end
if tonumber(ARGV[7]) > 0 then
  redis.call('INCRBY', KEYS[8], ARGV[7])
  redis.call('EXPIRE', KEYS[8], 172800)
end
if ARGV[5] ~= '' and redis.call('GET', KEYS[9]) == ARGV[5] then redis.call('DEL', KEYS[9]) end
if ARGV[6] == '1' then
  redis.call('ZREM', KEYS[3], ARGV[4])
  redis.call('SREM', KEYS[4], ARGV[4])
  redis.call('SREM', KEYS[10], ARGV[4])
  for _, key in ipairs({KEYS[1], KEYS[2], KEYS[5], KEYS[11]}) do redis.call('EXPIRE', key, ARGV[9]) end
else
  redis.call('ZADD', KEYS[3], now, ARGV[4])
end
list({KEYS[6], KEYS[7]}, tonumber(ARGV[9]))
return 1
"""
)

# KEYS: record, lease, cancelled. ARGV: version, holder, ttl in ms, id. Returns (body, whether a cancel was asked for,
# earlier claims of this version that were neither saved nor released, the lines of those claims), or nothing where the
# version is another or somebody else holds the lease.
CLAIM = (
    _NOW
    + _CLAIMANTS
    + """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return nil end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[2] then return nil end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
local claims = tonumber(redis.call('HGET', KEYS[1], 'claims') or 0)
local claimants = without(redis.call('HGET', KEYS[1], 'claimants'), ARGV[2])
if not holder then
  local mine = ARGV[2] .. '@' .. string.format('%.3f', now) .. '\\n'
  redis.call('HSET', KEYS[1], 'claims', claims + 1, 'claimants', claimants .. mine)
else
  claims = claims - 1
end
return {redis.call('HGET', KEYS[1], 'body'), redis.call('SISMEMBER', KEYS[3], ARGV[4]), claims, claimants}
"""
)

# KEYS: record, lease of each. ARGV: ttl in ms, then version and holder of each. Returns for each whether it is held. A
# lease that ran out while Redis was away, and that nobody took, is taken again.
RENEW = """
local told = {}
for i = 1, #KEYS / 2 do
  local record, lease = KEYS[2 * i - 1], KEYS[2 * i]
  local version, own = ARGV[2 * i], ARGV[2 * i + 1]
  local holder = redis.call('GET', lease)
  if holder and holder ~= own or redis.call('HGET', record, 'version') ~= version then
    told[i] = 0
  else
    redis.call('SET', lease, own, 'PX', ARGV[1])
    told[i] = 1
  end
end
return told
"""

# KEYS: lease, record. ARGV: holder.
RELEASE = (
    _CLAIMANTS
    + """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[2], 'claims', -1)
redis.call('HSET', KEYS[2], 'claimants', without(redis.call('HGET', KEYS[2], 'claimants'), ARGV[1]))
return redis.call('DEL', KEYS[1])
"""
)

# KEYS: active. ARGV: idle seconds, most ids, the prefix of record keys. Returns id, version and trace of each, flat.
# What is held is looked at again when its lease runs out; what is told, after as long as it has been waiting already,
# so that a long queue is not filled with copies of its messages.
STALLED = (
    _NOW
    + """
local idle, told = tonumber(ARGV[1]), {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - idle, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  local key = ARGV[3] .. '{' .. id .. '}'
  local held = redis.call('PTTL', key .. ':lease')
  local kept = redis.call('HMGET', key, 'version', 'saved_at', 'trace')
  if not kept[1] then
    redis.call('ZREM', KEYS[1], id)
  elseif held > 0 then
    redis.call('ZADD', KEYS[1], now - idle + held / 1000, id)
  else
    redis.call('ZADD', KEYS[1], now + math.max(0, now - kept[2] - idle), id)
    for _, part in ipairs({id, kept[1], kept[3] or ''}) do table.insert(told, part) end
  end
end
return told
"""
)

# KEYS: active, cancelled. ARGV: id. What has ended is in neither.
CANCEL = "if redis.call('ZSCORE', KEYS[1], ARGV[1]) then redis.call('SADD', KEYS[2], ARGV[1]) end"

# KEYS: record, events, active, attempts, cancelled. ARGV: id, last event, ttl.
ABANDON = """
if redis.call('ZREM', KEYS[3], ARGV[1]) == 0 then return 0 end
redis.call('SREM', KEYS[5], ARGV[1])
redis.call('HDEL', KEYS[1], 'summary')
local beside = redis.call('HMGET', KEYS[1], 'of_key', 'of_idempotency')
if beside[1] then redis.call('SREM', beside[1], ARGV[1]) end
redis.call('XADD', KEYS[2], '*', 'event', ARGV[2])
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[4], beside[2] or nil}) do redis.call('EXPIRE', key, ARGV[3]) end
return 1
"""
