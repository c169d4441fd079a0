"""Who is served next where evolutions wait for a worker: fair between tenants, in Lua, for the scripts of the store.

An evolution that has not begun waits in a sorted set of its tenant's, in the order of its place there: by service tier,
then by deadline, then by acceptance, where one whose responses may be long stands behind short ones that are accepted
a little later: with short ones first the mean time to answer is least, and as places do not change, none waits for
ever. The queue that workers take messages from is kept short, so that whom it holds is
decided late: `dispatch` moves evolutions there while it holds fewer than `window`, and runs wherever one is accepted,
taken or saved, and in the sweep. Each move costs O(log n) and takes the first evolution of the tenant with the least
virtual counter (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024).

A tenant's counter grows by the tokens that its searches sample, divided by the weight of the key that each is charged
to. Searches are charged long after they are moved to the queue, and until then a flood would look like a tenant that is
served nothing. So what those under way are expected to sample yet counts too, where it is decided who is next, but not
in the counter: `settle` turns it into what is sampled, and drops at a search's end what is not. Counters are therefore
exact, and an estimate decides only who comes first for now. What is expected is what the tenant's searches took lately
(all tenants' where it has had none; a tenth of what this one can take, where nothing has ended yet), at most what this
one can take.

A tenant that begins to wait is lifted to the least counter of those that do, or to that of the last that did: it gains
nothing by having been idle, and others gain nothing by having been busy. Counters are never lowered.

The redis keys all follow from that of `waiting`, a sorted set of what no worker has taken, by since when:
  :of:1:{tenant}, :of:2:{tenant}   sorted sets of a tenant's ids by place; 1: those before other tenants'
  :tenants:1, :tenants:2           sorted sets of the tenants that wait, by counter and what is expected of them
  :counted                         sorted set of the tenants that wait, by counter
  :virtual                         sorted set of all tenants, by counter
  :sizes                           sorted set of the tenants that wait, by how many do, within an eighth
  :under_way                       hash: by evolution what it is expected to sample yet, divided by its weight, and its
                                   tenant: "share tenant"; none of what nothing is expected of
  :expected                        hash: by tenant the sum of these shares
  :usual                           hash: by tenant, and under `*` of all, the tokens that a search took lately
  :last                            the tenant that waited last
"""

from dataclasses import dataclass

from shared.records.evolution import Record, ServiceTier
from shared.store.queue import MESSAGE
from shared.store.redis_keys import RECORD_OF, RedisKeys

WINDOW = 4
"""Messages that the queue holds at most before more are moved there: what workers take while a script is under way."""

_TIERS: dict[ServiceTier, int] = {"priority": 0, "default": 1, "flex": 2}
# Places are numbers. Those of a tier lie this far from those of the next, and those without a deadline half as far
# behind those with one. Numbers of that size differ by 30 microseconds.
_TIER_S = 10.0**11
_SECONDS_PER_TOKEN = 0.5
"""How much later an evolution is placed for each token that it decodes one after another: some twenty times as long as
that takes, so that each waits in proportion to what it takes itself."""


@dataclass(frozen=True)
class Share:
    """The share of a tenant under overload: of two that wait for long, one of twice the `weight` is served twice the
    tokens. Where `ahead`, evolutions of the tier `priority` go before other tenants' too.
    """

    weight: int = 1
    ahead: bool = False


EQUAL = Share()


def place_of(record: Record) -> float:
    """Where an evolution stands among those of its tenant that wait: the least is served first."""
    request = record.request
    length = request.sampling.max_tokens * max(1, request.search.cycles)
    accepted = record.created_at + _SECONDS_PER_TOKEN * length
    return _TIERS[request.service_tier] * _TIER_S + (record.deadline or _TIER_S / 2 + accepted)


def class_of(record: Record, share: Share) -> int:
    """1 for what goes before other tenants' evolutions, 2 for what waits for its tenant's turn."""
    return 1 if share.ahead and record.request.service_tier == "priority" else 2


def places_keys(keys: RedisKeys, tenant: str) -> tuple[str, ...]:
    """The redis keys of a tenant's evolutions that wait, those of both classes."""
    return tuple(f"{keys.waiting}:of:{number}:{tenant}" for number in (1, 2))


# For scripts that name `waiting` among their keys: where an evolution waits, by the fields of its record.
PLACES = """
local function places_of(class, tenant) return waiting .. ':of:' .. (class or 2) .. ':' .. (tenant or '') end
"""

# For scripts that name `active`, `queue` and `waiting` among their keys, and know `now`.
FAIR_QUEUE = (
    RECORD_OF
    + PLACES
    + MESSAGE
    + """
local window, last_class = WINDOW, 2
local counted, virtual, usual = waiting .. ':counted', waiting .. ':virtual', waiting .. ':usual'
local sizes = waiting .. ':sizes'
local under_way, expected_key, last = waiting .. ':under_way', waiting .. ':expected', waiting .. ':last'
local function tenants_of(class) return waiting .. ':tenants:' .. class end
local function exact(number) return string.format('%.6f', number) end
local function counter_of(tenant) return tonumber(redis.call('ZSCORE', virtual, tenant) or 0) end
local function precedence(tenant)
  return exact(counter_of(tenant) + (redis.call('HGET', expected_key, tenant) or 0))
end
local function count(tenant, charged, expected)
  local waits = redis.call('ZSCORE', counted, tenant)
  if charged ~= 0 then
    local counter = redis.call('ZINCRBY', virtual, exact(charged), tenant)
    if waits then redis.call('ZADD', counted, counter, tenant) end
  end
  if expected ~= 0 then
    local sum = redis.call('HINCRBYFLOAT', expected_key, tenant, exact(expected))
    if tonumber(sum) < 0.001 then redis.call('HDEL', expected_key, tenant) end
  end
  if waits and (charged ~= 0 or expected ~= 0) then
    for class = 1, last_class do redis.call('ZADD', tenants_of(class), 'XX', precedence(tenant), tenant) end
  end
end
local function floor()
  local least = redis.call('ZRANGE', counted, 0, 0, 'WITHSCORES')[2]
  return tonumber(least or counter_of(redis.call('GET', last) or ''))
end
local function sized(tenant)
  local size = 0
  for class = 1, last_class do size = size + redis.call('ZCARD', places_of(class, tenant)) end
  local told = tonumber(redis.call('ZSCORE', sizes, tenant) or 0)
  if size == 0 then
    redis.call('ZREM', sizes, tenant)
  elseif math.abs(size - told) > told / 8 then
    redis.call('ZADD', sizes, size, tenant)
  end
end
local function enqueue(id, place, class, tenant)
  if not redis.call('ZSCORE', counted, tenant) then
    redis.call('ZADD', virtual, exact(math.max(counter_of(tenant), floor())), tenant)
    redis.call('ZADD', counted, counter_of(tenant), tenant)
  end
  redis.call('ZADD', tenants_of(class), precedence(tenant), tenant)
  redis.call('ZADD', places_of(class, tenant), place, id)
  sized(tenant)
end
local function gone(class, tenant)
  sized(tenant)
  if redis.call('EXISTS', places_of(class, tenant)) == 1 then return end
  redis.call('ZREM', tenants_of(class), tenant)
  for each = 1, last_class do
    if redis.call('ZSCORE', tenants_of(each), tenant) then return end
  end
  redis.call('ZREM', counted, tenant)
  redis.call('SET', last, tenant)
end
local function leave(id, class, tenant)
  if redis.call('ZREM', places_of(class, tenant), id) == 1 then gone(class or 2, tenant or '') end
end
local function share_of(id)
  local share, tenant = string.match(redis.call('HGET', under_way, id) or '', '^(%S+) (.*)$')
  return tonumber(share or 0), tenant
end
local function move(id, tenant)
  local record = record_of(id)
  local version, most, weight, saved_at = unpack(redis.call('HMGET', record, 'version', 'most', 'weight', 'saved_at'))
  if not version then return end
  redis.call('LPUSH', queue, message_of(id, version))
  if tonumber(saved_at) ~= now then redis.call('HSET', record, 'sent_at', exact(now)) end
  most = tonumber(most or 0)
  local known = redis.call('HMGET', usual, tenant, '*')
  local expected = math.min(most, tonumber(known[1] or known[2] or most / 10)) / weight
  if expected > 0 then
    redis.call('HSET', under_way, id, exact(expected) .. ' ' .. tenant)
    count(tenant, 0, expected)
  end
end
local function dispatch()
  for _ = redis.call('LLEN', queue) + 1, window do
    local class, tenant = 0, nil
    while not tenant and class < last_class do
      class = class + 1
      tenant = redis.call('ZRANGE', tenants_of(class), 0, 0)[1]
    end
    if not tenant then return end
    local id = redis.call('ZPOPMIN', places_of(class, tenant))[1]
    if id and redis.call('ZSCORE', active, id) then move(id, tenant) end
    gone(class, tenant)
  end
end
local function average(tenant, used)
  local known = redis.call('HMGET', usual, tenant, '*')
  local function mean(known) return exact(known and known + (used - known) / 5 or used) end
  redis.call('HSET', usual, tenant, mean(known[1]), '*', mean(known[2]))
end
local function settle(id, tenant, weight, used, tokens, ended)
  if not weight then return '' end
  tenant = tenant or ''
  local expected = share_of(id)
  local left = ended and 0 or math.max(0, expected - tokens / weight)
  used = tonumber(used or 0) + tokens
  if left ~= expected then
    if left > 0 then
      redis.call('HSET', under_way, id, exact(left) .. ' ' .. tenant)
    else
      redis.call('HDEL', under_way, id)
    end
  end
  count(tenant, tokens / weight, left - expected)
  if ended and used > 0 then average(tenant, used) end
  return used
end
""".replace("WINDOW", str(WINDOW))
)

# Forgets, a few at a time, tenants that do not wait and whose counters lie below that to which they would be lifted
# anyway, and what is left of evolutions whose worker, of a version that knows nothing of this, took or ended them.
TIDY = """
local least, some = floor(), 50
for _, tenant in ipairs(redis.call('ZRANGEBYSCORE', virtual, '-inf', '(' .. exact(least), 'LIMIT', 0, some)) do
  if not redis.call('ZSCORE', counted, tenant) and not redis.call('HGET', expected_key, tenant) then
    redis.call('ZREM', virtual, tenant)
    redis.call('HDEL', usual, tenant)
  end
end
for _, id in ipairs(redis.call('HRANDFIELD', under_way, some)) do
  if not redis.call('ZSCORE', active, id) then
    local share, tenant = share_of(id)
    redis.call('HDEL', under_way, id)
    count(tenant, 0, -share)
  end
end
local first = time[2] % math.max(1, redis.call('ZCARD', waiting) - some + 1)
for _, id in ipairs(redis.call('ZRANGE', waiting, first, first + some - 1)) do
  if not redis.call('ZSCORE', active, id) or redis.call('EXISTS', record_of(id) .. ':lease') == 1 then
    redis.call('ZREM', waiting, id)
  end
end
"""
