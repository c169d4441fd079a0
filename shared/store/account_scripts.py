"""The scripts of `accounts`, in Lua. One that is sent twice changes nothing more.

On an API key's home shard: `accounts`, a hash of ids of evolutions on other shards -> tokens and money settled so far,
and the redis key of the key's unfinished ids; `unchecked`, a sorted set of the same ids by when it was last looked
whether they are there. On an evolution's shard: `outbox`, a hash of ids -> number of the home shard, whether it has
ended, tokens and money spent in all, when this was written.
"""

from shared.store.budgets import BUDGETS
from shared.store.lease_scripts import NOW
from shared.store.lua import Script

# Returns "reserved", "key full" or "over budget", which is followed by what `exceeded` returns.
RESERVE = Script(
    NOW
    + BUDGETS
    + """
if redis.call('HEXISTS', accounts, id) == 1 then return {'reserved'} end
if redis.call('SCARD', api_key_active) >= tonumber(max_active) then return {'key full'} end
local over = exceeded(spent, token_limits, money_limits)
if over then return {'over budget', unpack(over)} end
reserve(id, tonumber(tokens), tonumber(money), spent)
redis.call('HSET', accounts, id, '0 0 ' .. api_key_active)
redis.call('ZADD', unchecked, now, id)
redis.call('SADD', api_key_active, id)
return {'reserved'}
""",
    keys="accounts unchecked reserved api_key_active *spent",
    args="id max_active tokens money *token_limits *money_limits",
)

# For each id: charges what was spent beyond what is settled already, and gives the rest back where it has ended.
SETTLE = Script(
    BUDGETS
    + """
for i, id in ipairs(ids) do
  local account = redis.call('HGET', accounts, id)
  if account then
    local tokens_settled, money_settled, api_key_active = string.match(account, '^(%d+) (%d+) (.*)$')
    local tokens_owed = math.max(0, tokens[i] - tokens_settled)
    local money_owed = math.max(0, money[i] - money_settled)
    local _, _, keys = held(id)
    charge(id, tokens_owed, money_owed, keys)
    if ended[i] == '1' then
      release(id)
      redis.call('SREM', api_key_active, id)
      redis.call('HDEL', accounts, id)
      redis.call('ZREM', unchecked, id)
    else
      local settled = {whole(tokens_settled + tokens_owed), whole(money_settled + money_owed), api_key_active}
      redis.call('HSET', accounts, id, table.concat(settled, ' '))
    end
  end
end
""",
    keys="accounts unchecked reserved",
    args="*ids *ended *tokens *money",
)

# Takes out what is still as it was read.
CLEAR = Script(
    """
for i, id in ipairs(ids) do
  if redis.call('HGET', outbox, id) == texts[i] then redis.call('HDEL', outbox, id) end
end
""",
    keys="outbox",
    args="*ids *texts",
)

# Returns id and text of what was written at least `wait_s` seconds ago, or `ended_s` where it has ended, one after
# another in one flat list.
LEFT = Script(
    NOW
    + """
local found, all = {}, redis.call('HGETALL', outbox)
for i = 1, #all, 2 do
  local ended, at = string.match(all[i + 1], '^%S+ (%d) .* (%S+)$')
  if #found < 2 * most and now - at >= tonumber(ended == '1' and ended_s or wait_s) then
    table.insert(found, all[i])
    table.insert(found, all[i + 1])
  end
end
return found
""",
    keys="outbox",
    args="ended_s wait_s most",
)

# Returns ids at which nobody has looked for `wait_s` seconds; the caller does now.
UNCHECKED = Script(
    NOW
    + """
local due = redis.call('ZRANGEBYSCORE', unchecked, '-inf', now - wait_s, 'LIMIT', 0, most)
for _, id in ipairs(due) do redis.call('ZADD', unchecked, 'XX', now, id) end
return due
""",
    keys="unchecked",
    args="wait_s most",
)

# In scripts that name `record` and `outbox` among their keys: writes what is spent in all, with `tokens` and `money`
# more than before.
OWE = """
local function owe(id, home, ended, tokens, money)
  local all_tokens = redis.call('HINCRBY', record, 'owed_tokens', tokens)
  local all_money = redis.call('HINCRBY', record, 'owed_money', money)
  local text = string.format('%s %s %.0f %.0f %.3f', home, ended, all_tokens, all_money, now)
  redis.call('HSET', outbox, id, text)
end
"""
