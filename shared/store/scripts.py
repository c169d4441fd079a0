"""The scripts of the store, in Lua. Nobody sees one half done, and one that is sent twice changes nothing more.

Their keys are those of `redis_keys`, by these names: `record` (the hash of an evolution), `state`, `events`, `attempts`
and `lease` beside it; `active`, `deadlines`, `cancelled` and `reserved`; `all_list` and `tenant_list`; `api_key_active`
and `spent` (one for each period) of the API key that is charged; `idempotency`. `queue` is the queue of evolutions, and
`waiting` what waits for a worker. All times are the server's, in Unix seconds.
"""

from shared.store.account_scripts import OWE
from shared.store.budgets import BUDGETS
from shared.store.fair_queue import FAIR_QUEUE
from shared.store.lease_scripts import CLAIMANTS, NOW, TOUCH
from shared.store.lua import Script

# The lists of all evolutions and of a tenant's are sorted by when each was accepted, and kept at least as long as what
# they name: for twice the time, so that `keep` need not write that with each save. `tidy` takes names out
# whose records have expired: of those that are old enough it looks at a few, not always at the oldest, which may be of
# searches that take long.
_LIST = """
local function keep(keys, ttl)
  for _, key in ipairs(keys) do
    if redis.call('TTL', key) < ttl then redis.call('EXPIRE', key, 2 * ttl) end
  end
end
local function tidy(keys, ttl)
  for _, key in ipairs(keys) do
    local old = redis.call('ZCOUNT', key, '-inf', now - ttl)
    local first = time[2] % math.max(1, old - 19)
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now - ttl, 'LIMIT', first, 20)) do
      if redis.call('EXISTS', record_of(id)) == 0 then redis.call('ZREM', key, id) end
    end
  end
end
"""

# Sets those of the fields that are not "", in one step: what a step writes names its key again.
_SET = """
local function set(key, fields)
  local flat = {}
  for name, value in pairs(fields) do
    if value ~= '' then table.insert(flat, name) table.insert(flat, value) end
  end
  if #flat > 0 then redis.call('HSET', key, unpack(flat)) end
end
"""

# Adds an entry with so many events. Where there are several, its number within the millisecond leaves room for those
# before the last one, each of which has a position of its own.
_TELL = """
local function tell(text, count)
  if count == '1' then return redis.call('XADD', events, '*', 'event', text) end
  local at = string.format('%.0f-%.0f', time[1] * 1000 + math.floor(time[2] / 1000), count - 1)
  local added = redis.pcall('XADD', events, at, 'events', text)
  if type(added) == 'table' and added.err then
    local last = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1][1]
    local ms, number = string.match(last, '^(%d+)-(%d+)$')
    redis.call('XADD', events, string.format('%s-%.0f', ms, number + count), 'events', text)
  end
end
"""

# Returns what happened ("accepted", "conflict", "full", "key full" or "over budget") and the id of the evolution that
# is accepted: an earlier one where the idempotency key was used before. `fingerprint` is "" where there is no such key.
# A search is accepted while less than each limit is spent and reserved. Where it is over budget there follows what
# `exceeded` returns.
CREATE = Script(
    NOW
    + _SET
    + FAIR_QUEUE
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
set(record, {version = 0, body = body, request = request, saved_at = now, summary = summary, trace = trace, home = home,
  of_key = charged == '1' and api_key_active or '', of_idempotency = fingerprint ~= '' and idempotency or '',
  tenant = tenant, weight = weight, most = tonumber(tokens) > 0 and tokens or '', class = class ~= '2' and class or ''})
redis.call('XADD', events, '*', 'event', event)
redis.call('ZADD', active, now, id)
if deadline ~= '' then redis.call('ZADD', deadlines, deadline, id) end
if charged == '1' then redis.call('SADD', api_key_active, id) end
if fingerprint ~= '' then redis.call('HSET', idempotency, 'id', id, 'fingerprint', fingerprint) end
local lists = {all_list, tenant_list}
tidy(lists, tonumber(ttl_s))
for _, key in ipairs(lists) do redis.call('ZADD', key, created_at, id) end
keep(lists, tonumber(ttl_s))
redis.call('ZADD', waiting, now, id)
enqueue(id, place, class, tenant)
dispatch()
return {'accepted', id}
""",
    keys="record events active deadlines reserved api_key_active idempotency all_list tenant_list queue waiting *spent",
    args="id body request event max_active max_active_of_api_key fingerprint summary created_at deadline ttl_s trace"
    " charged tenant weight place class home tokens money *token_limits *money_limits",
)

# Returns 0 where the record is at another version, otherwise 1: the version is saved now, or was by an earlier sending;
# 2 where `next_holder` has the lease on it, for `lease_ms` from now. Who held a lease on the version before holds
# nothing any more. Where there is no `next_holder` the message is sent, which goes ahead of those of searches that have
# not begun. A record in one piece has a `body` and no `progress`, others the contrary. `request`, `result`, `head`,
# `part`, `next_holder`, `attempt`, `message` and `notice` are "" for none; `ended` is 1 where the evolution has ended,
# otherwise 0. Only what differs from what is there is written.
SAVE = Script(
    NOW
    + CLAIMANTS
    + TOUCH
    + _SET
    + FAIR_QUEUE
    + _LIST
    + BUDGETS
    + OWE
    + _TELL
    + """
if redis.call('HGET', record, 'version') ~= expected_version then
  local stored = redis.call('HMGET', record, 'version', body ~= '' and 'body' or 'progress')
  if stored[1] ~= version or stored[2] ~= (body ~= '' and body or progress) then return 0 end
  return next_holder ~= '' and redis.call('GET', lease) == next_holder and 2 or 1
end
local before = {'claimants', 'sent_at', 'refused_at', 'not_before',
  'class', 'tenant', 'weight', 'used', 'summary', 'claims'}
local known = redis.call('HMGET', record, unpack(before))
local class, tenant, weight, used, known_summary, known_claims = unpack(known, 5)
used = settle(id, tenant, weight, used, tonumber(tokens), ended == '1')
local claims = next_holder ~= '' and '1' or '0'
local summed_up = known_summary ~= summary and (body ~= '' or known_summary or #result > 1500)
set(record, {version = version, body = body, progress = progress, saved_at = now, request = request, result = result,
  used = used, summary = summed_up and summary or '', ['a' .. version] = body == '' and attempt or '',
  claims = known_claims ~= claims and claims or '', claimants = next_holder ~= '' and claimant(next_holder) or ''})
set(state, {head = head, [version] = part})
if ended ~= '1' then
  local stale = {}
  for i = next_holder ~= '' and 2 or 1, 4 do
    if known[i] then table.insert(stale, before[i]) end
  end
  if #stale > 0 then redis.call('HDEL', record, unpack(stale)) end
end
if next_holder ~= '' then
  redis.call('SET', lease, next_holder, 'PX', lease_ms)
else
  redis.call('DEL', lease)
  if message ~= '' then redis.call('RPUSH', queue, message) end
end
leave(id, class, tenant)
if next_holder ~= '' or ended == '1' then
  redis.call('ZREM', waiting, id)
else
  redis.call('ZADD', waiting, now, id)
end
for i, text in ipairs(new_events) do tell(text, counts[i]) end
if attempt ~= '' and body ~= '' then redis.call('XADD', attempts, '*', 'attempt', attempt) end
charge(id, tonumber(tokens), tonumber(money), spent)
if home ~= '' then owe(id, home, ended, tokens, money) end
local lists = {all_list, tenant_list}
if ended == '1' then
  redis.call('ZREM', active, id)
  redis.call('ZREM', deadlines, id)
  redis.call('SREM', api_key_active, id)
  redis.call('SREM', cancelled, id)
  redis.call('DEL', state)
  release(id)
  for _, key in ipairs({record, events, idempotency, attempts}) do redis.call('EXPIRE', key, ttl_s) end
  if notice ~= '' then
    redis.call('LPUSH', notices, notice)
    redis.call('LTRIM', notices, 0, 99999)
  end
  tidy(lists, tonumber(ttl_s))
elseif next_holder ~= '' then
  touch(id, now)
else
  redis.call('ZADD', active, now + delay_s, id)
end
if ended == '1' or version % 50 == 0 then keep(lists, tonumber(ttl_s)) end
if next_holder ~= '' then return 2 end
dispatch()
return 1
""",
    keys="record state events attempts lease active deadlines cancelled reserved all_list tenant_list api_key_active"
    " idempotency queue waiting notices outbox *spent",
    args="id expected_version version body progress request result head part next_holder lease_ms ended tokens money"
    " summary ttl_s attempt message delay_s notice home *new_events *counts",
)

# An evolution that has ended is not active, and is not marked. No message is sent: whoever holds the evolution looks
# for the mark, and where nobody does the script DUE finds it.
CANCEL = Script(
    "if redis.call('ZSCORE', active, id) then redis.call('SADD', cancelled, id) end",
    keys="active cancelled",
    args="id",
)

# Returns 1 where the evolution is ended by this call, 0 where it was not active.
ABANDON = Script(
    NOW
    + BUDGETS
    + OWE
    + FAIR_QUEUE
    + """
if redis.call('ZREM', active, id) == 0 then return 0 end
redis.call('ZREM', deadlines, id)
redis.call('SREM', cancelled, id)
release(id)
redis.call('ZREM', waiting, id)
local class, tenant, weight, used = unpack(redis.call('HMGET', record, 'class', 'tenant', 'weight', 'used'))
leave(id, class, tenant)
settle(id, tenant, weight, used, 0, true)
redis.call('HSET', record, 'summary', '')
redis.call('DEL', state)
local beside = redis.call('HMGET', record, 'of_key', 'of_idempotency', 'home')
if beside[3] then owe(id, beside[3], 1, 0, 0) end
if beside[1] then redis.call('SREM', beside[1], id) end
redis.call('XADD', events, '*', 'event', event)
for _, key in ipairs({record, events, attempts, beside[2] or nil}) do redis.call('EXPIRE', key, ttl_s) end
return 1
""",
    keys="record state events attempts active deadlines cancelled reserved queue waiting outbox",
    args="id event ttl_s",
)

# Returns 1 where nothing is left of the evolution, 0 where it is queued or running. What it has spent stays counted.
DELETE = Script(
    """
if redis.call('ZSCORE', active, id) then return 0 end
redis.call('DEL', record, state, events, attempts, lease)
if redis.call('HGET', idempotency, 'id') == id then redis.call('DEL', idempotency) end
for _, key in ipairs({all_list, tenant_list}) do redis.call('ZREM', key, id) end
return 1
""",
    keys="record state events attempts lease active idempotency all_list tenant_list",
    args="id",
)

# Returns the feedback that is kept of an answer: this, where there was none. Nothing where the record is gone.
FEEDBACK = Script(
    """
if redis.call('EXISTS', record) == 0 then return false end
redis.call('HSETNX', record, 'feedback', score)
return redis.call('HGET', record, 'feedback')
""",
    keys="record",
    args="score",
)
