"""What changes managed reward profiles in Redis, as one script (see `profiles`)."""

from shared.store.lua import Script

# Returns 1 where the profile is changed now or was by an earlier sending, whatever others changed since, 0 where it is
# another one by now. The history knows what was made: no two changes are told in the same words, at the same moment.
CHANGED = Script(
    """
if redis.call('LPOS', history, change) then return 1 end
if (redis.call('HGET', profiles, name) or '') ~= before then return 0 end
redis.call('HSET', profiles, name, after)
if version ~= '' then redis.call('HSET', versions, version, body) end
redis.call('LPUSH', history, change)
redis.call('LTRIM', history, 0, most - 1)
redis.call('SADD', owners, owner)
return 1
""",
    keys="profiles versions history owners",
    args="name before after version body change most owner",
)
