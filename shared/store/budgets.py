"""Budgets in Lua, for the scripts of the store.

`exceeded` looks for a budget that leaves nothing to spend; a limit is "" where there is no such budget. It returns
nothing, or the budget's period (a number from 1, in the order of `spent`), its unit, and what was spent and reserved of
it; a budget that is spent comes before one that is only reserved.

In scripts that name the redis key `reserved`, `reserve` sets aside what a search may spend, in the periods in which it
was accepted. `charge` adds what it has spent to those periods, and takes as much out of what is set aside for it;
`release` gives the rest back. Lua writes large numbers as 1e+15, which Redis cannot read as whole ones; hence `whole`.
Counters expire two days after their period.
"""

BUDGETS = """
local life_s = {hour = 3600, day = 86400, week = 604800, month = 2678400}
local function whole(number) return string.format('%.0f', number) end
local function add(key, kind, number)
  if number == 0 then return end
  local sum = redis.call('HINCRBY', key, kind, whole(number))
  if sum == number then
    redis.call('EXPIRE', key, life_s[string.match(key, ':spent:(%a+):[^:]*$')] + 172800)
  end
end
local function add_both(key, kind, tokens, money)
  add(key, kind .. 'tokens', tokens)
  add(key, kind .. 'money', money)
end
local function exceeded(spent, token_limits, money_limits)
  local full = nil
  for i, key in ipairs(spent) do
    for unit, limit in pairs({tokens = token_limits[i], money = money_limits[i]}) do
      local standing = redis.call('HMGET', key, unit, 'reserved_' .. unit)
      local used, set_aside = tonumber(standing[1] or 0), tonumber(standing[2] or 0)
      if limit ~= '' and used + set_aside >= tonumber(limit) then
        local found = {i, unit, whole(used), whole(set_aside)}
        if used >= tonumber(limit) then return found end
        full = full or found
      end
    end
  end
  return full
end
local function held(id)
  local parts = {}
  for part in string.gmatch(redis.call('HGET', reserved, id) or '', '%S+') do table.insert(parts, part) end
  return tonumber(parts[1] or 0), tonumber(parts[2] or 0), {unpack(parts, 3)}
end
local function hold(id, tokens, money, keys)
  redis.call('HSET', reserved, id, whole(tokens) .. ' ' .. whole(money) .. ' ' .. table.concat(keys, ' '))
end
local function reserve(id, tokens, money, keys)
  if #keys == 0 then return end
  for _, key in ipairs(keys) do add_both(key, 'reserved_', tokens, money) end
  hold(id, tokens, money, keys)
end
local function charge(id, tokens, money, keys)
  if #keys == 0 or (tokens == 0 and money == 0) then return end
  local tokens_held, money_held, holding = held(id)
  local tokens_freed, money_freed = math.min(tokens, tokens_held), math.min(money, money_held)
  for _, key in ipairs(keys) do add_both(key, '', tokens, money) end
  for _, key in ipairs(holding) do add_both(key, 'reserved_', -tokens_freed, -money_freed) end
  if #holding > 0 then hold(id, tokens_held - tokens_freed, money_held - money_freed, holding) end
end
local function release(id)
  local tokens, money, keys = held(id)
  for _, key in ipairs(keys) do
    if redis.call('EXISTS', key) == 1 then add_both(key, 'reserved_', -tokens, -money) end
  end
  redis.call('HDEL', reserved, id)
end
"""
