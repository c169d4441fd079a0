"""The scripts of leases and of the sweep, in Lua (see `scripts` for what they have in common)."""

from shared.store.budgets import BUDGETS
from shared.store.fair_queue import FAIR_QUEUE, PLACES, TIDY
from shared.store.lua import Script
from shared.store.queue import OLDEST_MESSAGE
from shared.store.redis_keys import RECORD_OF

NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

# The field "claimants" of a record has a line holder@time for each holder of its version. A holder that saves or
# releases takes its line away, so the lines that stay name holders that were lost.
CLAIMANTS = """
local function claimant(holder) return holder .. '@' .. string.format('%.3f', now) .. '\\n' end
local function without(claimants, holder)
  local pattern = string.gsub(holder, '%W', '%%%0') .. '@[%d.]+\\n'
  return (string.gsub(claimants or '', pattern, ''))
end
local function release_lease(record, lease, holder)
  if redis.call('ZSCORE', active, id) then redis.call('ZADD', waiting, now, id) end
  redis.call('HINCRBY', record, 'claims', -1)
  redis.call('HSET', record, 'claimants', without(redis.call('HGET', record, 'claimants'), holder))
  return redis.call('DEL', lease)
end
"""

# An evolution that somebody holds is looked at by the sweep now and then anyway, which puts it off until the lease runs
# out: so its score is written only where it is older than this, or later, as of one that has waited.
TOUCH = """
local function touch(id, at)
  local due = redis.call('ZSCORE', active, id)
  if due and (tonumber(due) < at - 0.25 or tonumber(due) > at) then redis.call('ZADD', active, at, id) end
end
"""

# For how long an evolution that nobody holds may wait until the sweep looks at it again: as long again as it has waited
# since its save, but no longer than this.
_LONGEST_PAUSE = """
local function pause(waited, idle) return math.max(0, math.min(30, waited) - idle) end
"""

# Returns nothing where the record is at another version or another holder has the lease. Otherwise: of what the record
# is made, the fields and values of its state, whether a cancel was asked for, how many earlier holders of this
# version neither saved nor released it, and their lines (see "claimants" above). The sweep counts from the claim on,
# however long the evolution has waited for it. Who claims has taken a message, so that there is room in the queue.
CLAIM = Script(
    NOW
    + CLAIMANTS
    + TOUCH
    + FAIR_QUEUE
    + """
dispatch()
if redis.call('HGET', record, 'version') ~= version then return nil end
local present = redis.call('GET', lease)
if present and present ~= holder then return nil end
redis.call('SET', lease, holder, 'PX', ttl_ms)
touch(id, now)
redis.call('ZREM', waiting, id)
local claims = tonumber(redis.call('HGET', record, 'claims') or 0)
local claimants = without(redis.call('HGET', record, 'claimants'), holder)
if not present then
  redis.call('HSET', record, 'claims', claims + 1, 'claimants', claimants .. claimant(holder))
else
  claims = claims - 1
end
local stored = redis.call('HMGET', record, 'version', 'body', 'progress', 'trace', 'request')
return {stored, redis.call('HGETALL', state), redis.call('SISMEMBER', cancelled, id), claims, claimants}
""",
    keys="record state lease active cancelled queue waiting",
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
    NOW
    + CLAIMANTS
    + """
if redis.call('GET', lease) ~= holder then return 0 end
return release_lease(record, lease, holder)
""",
    keys="record lease active waiting",
    args="id holder",
)

# Releases the lease of an evolution whose schema the holder does not know. The sweep offers it again after as long as
# this has been so, from a second on up to ten. Returns for how many seconds no worker has known it, as text.
HAND_BACK = Script(
    NOW
    + CLAIMANTS
    + """
if redis.call('GET', lease) ~= holder then return '0' end
release_lease(record, lease, holder)
redis.call('HSETNX', record, 'refused_at', now)
local since = now - redis.call('HGET', record, 'refused_at')
local delay = math.max(1, math.min(10, since))
redis.call('HSET', record, 'not_before', now + delay)
redis.call('ZADD', active, 'XX', now + delay - idle_s, id)
return tostring(since)
""",
    keys="record lease active waiting",
    args="id holder idle_s",
)

# Returns id, version and trace of each stalled evolution, one after another in one flat list. The score of an id in
# `active` says when the sweep may look at it again, less `idle_s`: where somebody has the lease, that is when it runs
# out. One that no worker has taken yet is stalled only where its message is not in the queue any more, which is so
# where each of the messages there was sent later: so a long queue is not filled with copies of the messages in it. One
# that a gateway of a version without `waiting` accepted is put there.
STALLED = Script(
    NOW
    + RECORD_OF
    + PLACES
    + BUDGETS
    + OLDEST_MESSAGE
    + _LONGEST_PAUSE
    + """
local idle, stalled, oldest = tonumber(idle_s), {}, nil
local due = redis.call('ZRANGEBYSCORE', active, '-inf', now - idle, 'LIMIT', 0, most)
for _, id in ipairs(due) do
  local record = record_of(id)
  local lease_ms = redis.call('PTTL', record .. ':lease')
  local version, saved_at, trace, claims, sent_at, refused_at, class, tenant = unpack(redis.call(
    'HMGET', record, 'version', 'saved_at', 'trace', 'claims', 'sent_at', 'refused_at', 'class', 'tenant'))
  if not version then
    redis.call('ZREM', active, id)
    redis.call('ZREM', deadlines, id)
    redis.call('ZREM', waiting, id)
    release(id)
  elseif lease_ms > 0 then
    redis.call('ZADD', active, now - idle + lease_ms / 1000, id)
  else
    local waits = false
    if redis.call('ZSCORE', places_of(class, tenant), id) then
      waits = true
    elseif version == '0' and tonumber(claims or 0) == 0 and not refused_at then
      oldest = oldest or oldest_message_at(queue)
      waits = oldest <= tonumber(sent_at or saved_at) + 0.00001 -- messages tell microseconds
    end
    if waits then
      redis.call('ZADD', waiting, 'NX', saved_at, id)
      redis.call('ZADD', active, now + pause(now - saved_at, idle), id)
    else
      for _, part in ipairs({id, version, trace or ''}) do table.insert(stalled, part) end
    end
  end
end
return stalled
""",
    keys="active deadlines reserved queue waiting",
    args="idle_s most",
)

# Sends the messages of those that are stalled still, ahead of what has not begun, and notes it in the same step.
# Returns 1 for each that is sent, 0 for each that is not.
RESEND = Script(
    NOW
    + _LONGEST_PAUSE
    + """
local idle, sent = tonumber(idle_s), {}
for i, record in ipairs(records) do
  local stored = redis.call('HMGET', record, 'version', 'saved_at')
  local due = tonumber(redis.call('ZSCORE', active, ids[i]) or math.huge)
  sent[i] = 0
  if stored[1] == versions[i] and due <= now - idle then
    redis.call('ZADD', active, now + pause(now - stored[2], idle), ids[i])
    redis.call('HSET', record, 'sent_at', now)
    redis.call('ZADD', waiting, 'NX', now, ids[i])
    redis.call('RPUSH', queue, messages[i])
    sent[i] = 1
  end
end
return sent
""",
    keys="active queue waiting *records",
    args="idle_s *ids *versions *messages",
)

# Returns id, version and trace of evolutions that nobody holds and that are to end: their deadline has passed at `at`,
# or a cancel was asked for. One that is held is ended by its holder, and looked at again a second later. Of many those
# of all tenants come in turn, so that nobody's wait for those of one.
DUE = Script(
    NOW
    + RECORD_OF
    + """
local found = {}
local function look(id)
  local record = record_of(id)
  local version, trace, not_before = unpack(redis.call('HMGET', record, 'version', 'trace', 'not_before'))
  if not version or not redis.call('ZSCORE', active, id) then
    redis.call('ZREM', deadlines, id)
    redis.call('SREM', cancelled, id)
  elseif redis.call('EXISTS', record .. ':lease') == 1 then
    redis.call('ZADD', deadlines, 'XX', 'GT', at + 1, id)
  elseif tonumber(not_before or 0) <= now then
    for _, part in ipairs({id, version, trace or ''}) do table.insert(found, part) end
  end
end
local function look_in_turn(ids)
  local seen, turns, left = {}, {}, tonumber(most)
  for _, id in ipairs(ids) do
    local tenant = redis.call('HGET', record_of(id), 'tenant') or ''
    local turn = (seen[tenant] or 0) + 1
    seen[tenant] = turn
    turns[turn] = turns[turn] or {}
    table.insert(turns[turn], id)
  end
  for _, turn in ipairs(turns) do
    for _, id in ipairs(turn) do
      if left == 0 then return end
      look(id)
      left = left - 1
    end
  end
end
look_in_turn(redis.call('ZRANGEBYSCORE', deadlines, '-inf', at, 'LIMIT', 0, 50 * most))
look_in_turn(redis.call('SRANDMEMBER', cancelled, 50 * most))
return found
""",
    keys="active deadlines cancelled",
    args="at most",
)

# Moves what there is room for to the queue, in case nothing else did, and tidies.
DISPATCH = Script(NOW + FAIR_QUEUE + "dispatch()\n" + TIDY, keys="active queue waiting", args="")
