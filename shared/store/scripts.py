"""The scripts of the store, in Lua. Nobody sees one half done, and one that is sent twice changes nothing more.

Their keys are those of `layout`, by these names: `record` (the hash of an evolution), `events`, `attempts` and `lease`
beside it; `active`, `cancelled` and `reserved`; `all_list` and `tenant_list`; `api_key_active` and `spent` (one for
each period) of the API key that is charged; `idempotency`. `queue` is the queue of rounds. All times are the server's,
in Unix seconds.
"""

from shared.store.budgets import BUDGETS
from shared.store.lua import Script

_NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

# The field "claimants" of a record has a line holder@time for each claim of its version. A holder that saves or
# releases takes its line away, so the lines that stay name holders that were lost.
_CLAIMANTS = """
local function without(claimants, holder)
  local pattern = string.gsub(holder, '%W', '%%%0') .. '@[%d.]+\\n'
  return (string.gsub(claimants or '', pattern, ''))
end
"""

# Puts an evolution into the lists of all and of its tenant, sorted by when it was accepted. Each call keeps the lists
# as long as what they name, and takes a few names out whose records have expired.
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

# Returns what happened ("accepted", "conflict", "full", "key full" or "over budget") and the id of the evolution that
# is accepted: an earlier one where the idempotency key was used before. `fingerprint` is "" where there is no such key.
# A search is accepted while less than each limit is spent and reserved. Where it is over budget there follows what
# `exceeded` returns.
CREATE = Script(
    _NOW
    + _LIST
    + BUDGETS
    + """
if redis.call('EXISTS', record) == 1 then return {'accepted', id} end
if fingerprint ~= '' then
  local known = redis.call('HMGET', idempotency, 'id', 'fingerprint')
  if known[1] then return {known[2] == fingerprint and 'accepted' or 'conflict', known[1]} end
end
if redis.call('ZCARD', active) >= tonumber(max_active) then return {'full', ''} end
if redis.call('SCARD', api_key_active) >= tonumber(max_active_of_api_key) then return {'key full', ''} end
local over = exceeded(spent, token_limits, money_limits)
if over then return {'over budget', '', unpack(over)} end
reserve(id, tonumber(tokens), tonumber(money), spent)
redis.call('HSET', record, 'version', 0, 'body', body, 'saved_at', now, 'summary', summary)
redis.call('HSET', record, 'of_key', api_key_active, 'of_idempotency', idempotency, 'trace', trace)
redis.call('XADD', events, '*', 'event', event)
redis.call('ZADD', active, now, id)
redis.call('SADD', api_key_active, id)
if fingerprint ~= '' then redis.call('HSET', idempotency, 'id', id, 'fingerprint', fingerprint) end
list({all_list, tenant_list}, tonumber(ttl_s), created_at, id)
redis.call('LPUSH', queue, message)
return {'accepted', id}
""",
    keys="record events active reserved api_key_active idempotency all_list tenant_list queue *spent",
    args="id body event max_active max_active_of_api_key fingerprint summary created_at ttl_s trace message tokens"
    " money *token_limits *money_limits",
)

# Returns 1 where the version is saved now or was by an earlier sending, 0 where the record is at another version.
# `holder`, `attempt`, `message` and `notice` are "" for none; `ended` is 1 where the evolution has ended, otherwise 0.
SAVE = Script(
    _NOW
    + _LIST
    + BUDGETS
    + """
local current = redis.call('HMGET', record, 'version', 'body')
if current[1] ~= expected_version then
  return current[1] == version and current[2] == body and 1 or 0
end
redis.call('HSET', record, 'version', version, 'body', body, 'saved_at', now, 'claims', 0, 'summary', summary)
redis.call('HDEL', record, 'claimants')
for _, event in ipairs(new_events) do redis.call('XADD', events, '*', 'event', event) end
if attempt ~= '' then redis.call('XADD', attempts, '*', 'attempt', attempt) end
if message ~= '' then redis.call('LPUSH', queue, message) end
charge(id, tonumber(tokens), tonumber(money), spent)
if holder ~= '' and redis.call('GET', lease) == holder then redis.call('DEL', lease) end
if ended == '1' then
  redis.call('ZREM', active, id)
  redis.call('SREM', api_key_active, id)
  redis.call('SREM', cancelled, id)
  release(id)
  for _, key in ipairs({record, events, idempotency, attempts}) do redis.call('EXPIRE', key, ttl_s) end
  if notice ~= '' then
    redis.call('LPUSH', notices, notice)
    redis.call('LTRIM', notices, 0, 99999)
  end
else
  redis.call('ZADD', active, now, id)
end
list({all_list, tenant_list}, tonumber(ttl_s))
return 1
""",
    keys="record events attempts lease active cancelled reserved all_list tenant_list api_key_active idempotency queue"
    " notices *spent",
    args="id expected_version version body holder ended tokens money summary ttl_s attempt message notice *new_events",
)

# Returns nothing where the record is at another version or another holder has the lease. Otherwise: the record's body,
# whether a cancel was asked for, how many earlier claims of this version were neither saved nor released, and the lines
# of those claims (see "claimants" above).
CLAIM = Script(
    _NOW
    + _CLAIMANTS
    + """
if redis.call('HGET', record, 'version') ~= version then return nil end
local present = redis.call('GET', lease)
if present and present ~= holder then return nil end
redis.call('SET', lease, holder, 'PX', ttl_ms)
local claims = tonumber(redis.call('HGET', record, 'claims') or 0)
local claimants = without(redis.call('HGET', record, 'claimants'), holder)
if not present then
  local mine = holder .. '@' .. string.format('%.3f', now) .. '\\n'
  redis.call('HSET', record, 'claims', claims + 1, 'claimants', claimants .. mine)
else
  claims = claims - 1
end
return {redis.call('HGET', record, 'body'), redis.call('SISMEMBER', cancelled, id), claims, claimants}
""",
    keys="record lease cancelled",
    args="id version holder ttl_ms",
)

# Returns 1 for each lease that is held by its holder now, 0 for each that is not. A lease that ran out and that nobody
# took meanwhile (Redis was away, for example) is taken again.
RENEW = Script(
    """
local held = {}
for i, lease in ipairs(leases) do
  local present = redis.call('GET', lease)
  if present and present ~= holders[i] or redis.call('HGET', records[i], 'version') ~= versions[i] then
    held[i] = 0
  else
    redis.call('SET', lease, holders[i], 'PX', ttl_ms)
    held[i] = 1
  end
end
return held
""",
    keys="*records *leases",
    args="ttl_ms *versions *holders",
)

RELEASE = Script(
    _CLAIMANTS
    + """
if redis.call('GET', lease) ~= holder then return 0 end
redis.call('HINCRBY', record, 'claims', -1)
redis.call('HSET', record, 'claimants', without(redis.call('HGET', record, 'claimants'), holder))
return redis.call('DEL', lease)
""",
    keys="record lease",
    args="holder",
)

# Returns id, version and trace of each stalled evolution, one after another in one flat list. The score of an id in
# `active` says when the sweep may return it again, less `idle_s`: where somebody has the lease, that is when it runs
# out; for an id that is returned now, after as long again as it has been waiting since its save. So a long queue is not
# filled with copies of the messages in it.
STALLED = Script(
    _NOW
    + BUDGETS
    + """
local idle, stalled = tonumber(idle_s), {}
local due = redis.call('ZRANGEBYSCORE', active, '-inf', now - idle, 'LIMIT', 0, most)
for _, id in ipairs(due) do
  local record = record_prefix .. '{' .. id .. '}'
  local lease_ms = redis.call('PTTL', record .. ':lease')
  local stored = redis.call('HMGET', record, 'version', 'saved_at', 'trace')
  if not stored[1] then
    redis.call('ZREM', active, id)
    release(id)
  elseif lease_ms > 0 then
    redis.call('ZADD', active, now - idle + lease_ms / 1000, id)
  else
    redis.call('ZADD', active, now + math.max(0, now - stored[2] - idle), id)
    for _, part in ipairs({id, stored[1], stored[3] or ''}) do table.insert(stalled, part) end
  end
end
return stalled
""",
    keys="active reserved",
    args="idle_s most record_prefix",
)

# An evolution that has ended is not active, and is not marked. One that was marked before gets no second message.
CANCEL = Script(
    """
if redis.call('ZSCORE', active, id) and redis.call('SADD', cancelled, id) == 1 then
  redis.call('LPUSH', queue, message)
end
""",
    keys="active cancelled queue",
    args="id message",
)

# Returns 1 where the evolution is ended by this call, 0 where it was not active.
ABANDON = Script(
    BUDGETS
    + """
if redis.call('ZREM', active, id) == 0 then return 0 end
redis.call('SREM', cancelled, id)
release(id)
redis.call('HDEL', record, 'summary')
local beside = redis.call('HMGET', record, 'of_key', 'of_idempotency')
if beside[1] then redis.call('SREM', beside[1], id) end
redis.call('XADD', events, '*', 'event', event)
for _, key in ipairs({record, events, attempts, beside[2] or nil}) do redis.call('EXPIRE', key, ttl_s) end
return 1
""",
    keys="record events attempts active cancelled reserved",
    args="id event ttl_s",
)

# Returns 1 where nothing is left of the evolution, 0 where it is queued or running. What it has spent stays counted.
DELETE = Script(
    """
if redis.call('ZSCORE', active, id) then return 0 end
redis.call('DEL', record, events, attempts, lease)
if redis.call('HGET', idempotency, 'id') == id then redis.call('DEL', idempotency) end
for _, key in ipairs({all_list, tenant_list}) do redis.call('ZREM', key, id) end
return 1
""",
    keys="record events attempts lease active idempotency all_list tenant_list",
    args="id",
)
