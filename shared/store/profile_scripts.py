"""What changes managed reward profiles in Redis, as one script (see `profiles`)."""

from shared.store.lua import Script

# Returns 1 where the profile is changed now or was by an earlier sending, 0 where it is another one by now. Two
# who push at once would make the same profile of it, of different versions.
CHANGED = Script(
    """
local current = redis.call('HGET', profiles, name) or ''
if current == before then
  redis.call('HSET', profiles, name, after)
  if version ~= '' then redis.call('HSET', versions, version, body) end
  redis.call('LPUSH', history, change)
  redis.call('LTRIM', history, 0, most - 1)
  redis.call('SADD', owners, owner)
end
local kept = version == '' or redis.call('HGET', versions, version) == body
return (current == before or (current == after and kept)) and 1 or 0
""",
    keys="profiles versions history owners",
    args="name before after version body change most owner",
)
