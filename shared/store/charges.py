"""What calls that are no searches, such as those for embeddings, take out of the budgets of their API keys.

An upper estimate is set aside before anything is spent, and gives way to what was spent once that is known. Both steps
bear being sent twice: a redis key names the call until it is settled, for a day at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import Overloaded
from shared.records.spending import PERIODS, Budget, Standing, Unit
from shared.store.budgets import BUDGETS
from shared.store.lua import Script, ScriptValue
from shared.store.redis_keys import RedisKeys
from shared.store.shards import RedisClient

_CALL_S = 86_400

# Returns what `exceeded` does: nothing where the call may spend.
_RESERVE = Script(
    BUDGETS
    + """
if redis.call('EXISTS', call) == 1 then return nil end
local over = exceeded(spent, token_limits, money_limits)
if over then return over end
for _, key in ipairs(spent) do add_both(key, 'reserved_', tonumber(tokens), tonumber(money)) end
redis.call('SET', call, tokens .. ' ' .. money, 'EX', ttl_s)
return nil
""",
    keys="call *spent",
    args="tokens money ttl_s *token_limits *money_limits",
)

_SETTLE = Script(
    BUDGETS
    + """
local tokens_held, money_held = string.match(redis.call('GET', call) or '', '^(%d+) (%d+)$')
if not tokens_held then return nil end
redis.call('DEL', call)
for _, key in ipairs(spent) do
  add_both(key, '', tonumber(tokens), tonumber(money))
  add_both(key, 'reserved_', -tonumber(tokens_held), -tonumber(money_held))
end
return nil
""",
    keys="call *spent",
    args="tokens money",
)


class OverBudget(Overloaded):
    """A budget of the API key is spent, or what is left of it is reserved for what is under way."""

    def __init__(self, budget: Budget, standing: Standing) -> None:
        super().__init__(f"a budget of {budget.unit} per {budget.period} leaves nothing to spend")
        self.budget = budget
        self.standing = standing


@dataclass(frozen=True)
class Charged:
    """A call that is charged to an API key in the periods that a time (Unix seconds) lies in."""

    call_id: str
    api_key_id: str
    at: float


class ChargeCommands(RedisClient):
    """The store's methods for calls that are no searches."""

    async def reserve(self, charged: Charged, budgets: Sequence[Budget], tokens: int, nanos: int) -> None:
        """Sets aside what a call may spend: tokens, and billionths of the currency's unit.

        Raises:
            OverBudget: a budget leaves nothing to spend.
        """
        home = self._shards.home(charged.api_key_id)
        async with self._translated:
            exceeded = await _RESERVE(
                home.redis,
                **_keys(home.keys, charged),
                tokens=tokens,
                money=nanos,
                ttl_s=_CALL_S,
                token_limits=limits_by_period("tokens", budgets),
                money_limits=limits_by_period("money", budgets),
            )
        if exceeded:
            raise over_budget(budgets, exceeded)

    async def settle(self, charged: Charged, tokens: int, nanos: int) -> None:
        """Charges what the call has spent, and gives back the rest of what was set aside for it."""
        home = self._shards.home(charged.api_key_id)
        async with self._translated:
            await _SETTLE(home.redis, **_keys(home.keys, charged), tokens=tokens, money=nanos)


def limits_by_period(unit: Unit, budgets: Sequence[Budget]) -> list[ScriptValue]:
    """A budget's limit for each of `PERIODS`, "" where there is none."""
    limits = {budget.period: budget.limit for budget in budgets if budget.unit == unit}
    return [limits.get(period, "") for period in PERIODS]


def over_budget(budgets: Sequence[Budget], exceeded: Sequence[str]) -> OverBudget:
    """The error for what the Lua function `exceeded` returned."""
    number, unit, used, reserved = exceeded
    period = PERIODS[int(number) - 1]
    budget = next(each for each in budgets if (each.unit, each.period) == (unit, period))
    return OverBudget(budget, Standing(int(used), int(reserved)))


def _keys(keys: RedisKeys, charged: Charged) -> dict[str, str | list[str]]:
    spent = [keys.spent(charged.api_key_id, period, charged.at) for period in PERIODS]
    return {"call": keys.call(charged.call_id), "spent": spent}
