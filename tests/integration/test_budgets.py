"""Budgets of API keys over a real Redis: reserved at the start, charged as rounds are saved, given back at the end."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.gateway.evolutions.estimate import estimate
from shared.errors import Conflict, Unavailable
from shared.methods import METHODS, Method
from shared.records.events import Ended
from shared.records.evolution import Failure, Idempotency, Record
from shared.records.periods import period_end
from shared.records.spending import NANOS, PERIODS, UNITS, Budget, Prices, Spending, Standing
from shared.store import accounts
from shared.store.charges import OverBudget
from shared.store.evolutions import Store
from shared.store.limits import ActiveLimits
from shared.store.redis_keys import RedisKeys
from shared.store.shards import new_evolution_id
from tests.integration.layouts import every_layout
from tests.integration.stages import REQUEST, Due, Stages, advance, finish, record_of, round_runner, shard_of

PRICES = Prices(prompt=1.0, mutation=2.0, generation=4.0, reward=0.5)
ONE_REST = Spending(prompt=10, mutation=20, generation=80, reward=200)
COST = PRICES.nanos(ONE_REST)


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_SETTLED_EVERY_S", 0.0)


def of_key(key_id: str, **changes: object) -> Record:
    record = record_of(REQUEST, changes.get("idempotency"))  # type: ignore[arg-type]
    return replace(record, key_id=key_id, prices=PRICES, **changes)  # type: ignore[arg-type]


def limited(*budgets: Budget, estimated: Spending = ONE_REST) -> ActiveLimits:
    return ActiveLimits(budgets=budgets, estimate=estimated)


async def accepted(store: Store, key_id: str, limits: ActiveLimits, count: int) -> list[Record]:
    """What is accepted of so many searches that start at once."""

    async def start() -> Record | None:
        try:
            return await store.create(of_key(key_id), limits)
        except OverBudget:
            return None

    return [record for record in await asyncio.gather(*(start() for _ in range(count))) if record]


async def standing(store: Store, key_id: str, unit: str = "tokens", at: float | None = None) -> Standing:
    """Where the key stands, which is the same in every period."""
    await store.settled()
    spent = await store.spent(key_id, at or time.time())
    [found] = {spent[unit, period] for period in PERIODS}  # type: ignore[index]
    return found


async def ended(store: Store, record: Record, spent: Spending) -> None:
    record = replace(record, version=record.version + 1, status="failed", error=Failure("Internal", "no luck"))
    await store.save(record, [Ended("failed", error=record.error)], spent=spent)
    await store.settled()


@every_layout
@pytest.mark.parametrize("period", PERIODS)
async def test_parallel_searches_reserve_before_they_spend(store: Store, period: str) -> None:
    """A budget of ten searches, of which twenty start at once: ten are accepted, and nothing is overspent."""
    key_id, limits = uuid.uuid4().hex, limited(Budget("tokens", period, 1000))  # type: ignore[arg-type]
    records = await accepted(store, key_id, limits, 20)
    assert len(records) == 10
    assert await standing(store, key_id) == Standing(0, 1000)
    await asyncio.gather(*(ended(store, record, ONE_REST) for record in records))
    assert await standing(store, key_id) == Standing(1000, 0)
    assert await accepted(store, key_id, limits, 5) == []


@every_layout
@pytest.mark.parametrize("over", [1, 60, 99])
async def test_what_is_overspent_is_less_than_one_search(store: Store, over: int) -> None:
    key_id, limits = uuid.uuid4().hex, limited(Budget("tokens", "day", 1000 + over))
    records = await accepted(store, key_id, limits, 30)
    assert len(records) == 11
    await asyncio.gather(*(ended(store, record, ONE_REST) for record in records))
    used = (await standing(store, key_id)).used
    assert 0 < used - (1000 + over) < ONE_REST.counted


@every_layout
async def test_money_is_what_the_stages_tokens_cost(store: Store) -> None:
    key_id, limits = uuid.uuid4().hex, limited(Budget("money", "month", 3 * COST))
    records = await accepted(store, key_id, limits, 6)
    assert len(records) == 3
    assert await standing(store, key_id, "money") == Standing(0, 3 * COST)
    half = Spending(5, 10, 40, 100)
    for record in records:
        await ended(store, record, half)
    assert await standing(store, key_id, "money") == Standing(3 * PRICES.nanos(half), 0)
    assert PRICES.nanos(half) == round((5 * 1 + 10 * 2 + 40 * 4 + 100 * 0.5) / 1e6 * NANOS)
    assert len(await accepted(store, key_id, limits, 6)) == 2


@every_layout
async def test_sums_stay_exact_where_they_are_large(store: Store) -> None:
    key_id, large = uuid.uuid4().hex, Spending(generation=10**15)
    limits = limited(Budget("tokens", "day", 3 * 10**15), estimated=large)
    records = [replace(record, prices=None) for record in await accepted(store, key_id, limits, 1)]
    assert (await standing(store, key_id)).reserved == 10**15
    await ended(store, records[0], Spending(generation=10**15 - 1))
    assert await standing(store, key_id) == Standing(10**15 - 1, 0)


@every_layout
async def test_a_spent_budget_is_told_before_one_that_is_only_reserved(store: Store) -> None:
    key_id = uuid.uuid4().hex
    budgets = (Budget("tokens", "month", 1000), Budget("tokens", "day", 150), Budget("money", "hour", COST))
    [record] = await accepted(store, key_id, limited(*budgets), 1)
    with pytest.raises(OverBudget) as caught:
        await store.create(of_key(key_id), limited(*budgets))
    assert (caught.value.budget, caught.value.standing) == (budgets[2], Standing(0, COST))
    await ended(store, record, Spending(generation=160))
    with pytest.raises(OverBudget) as caught:
        await store.create(of_key(key_id), limited(*budgets))
    assert (caught.value.budget, caught.value.standing) == (budgets[1], Standing(160, 0))
    await store.create(of_key(key_id), limited(budgets[0]))


@every_layout
@pytest.mark.usefixtures("no_retries")
@pytest.mark.parametrize("method", METHODS)
async def test_a_search_is_charged_what_its_answer_says(store: Store, method: Method) -> None:
    """Over all rounds of a search, failures among them, the charges add up to the tokens of its result."""
    key_id = uuid.uuid4().hex
    asked = replace(REQUEST, method=method, search=replace(REQUEST.search, cycles=int(METHODS[method].searches)))
    limits = limited(Budget("tokens", "day", 10**6), estimated=estimate(asked))
    record = await store.create(of_key(key_id, request=asked), limits)
    worker = round_runner(store, Stages(failures=[Unavailable("away")]))
    due = await advance(store, worker, Due(record.id))
    assert due is not None
    under_way = await standing(store, key_id)
    assert under_way.used + under_way.reserved == estimate(asked).counted
    await finish(store, worker, due)
    result = (await store.load(record.id)).result
    assert result is not None
    tokens = result.tokens
    assert await standing(store, key_id) == Standing(tokens.generated, 0)
    spent = Spending(tokens.prompt, tokens.mutation, tokens.kept + tokens.discarded, tokens.reward)
    money = await standing(store, key_id, "money")
    assert money.used == pytest.approx(PRICES.nanos(spent), abs=20)
    assert 0 < tokens.generated <= estimate(asked).counted
    for shard in store._shards:
        assert await shard.redis.hget(shard.keys.reserved, record.id) is None


@every_layout
async def test_cancelled_abandoned_and_lost_searches_give_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_ACCEPTED_S", 0.0)
    key_id, limits = uuid.uuid4().hex, limited(Budget("tokens", "day", 1000))
    cancelled, abandoned, lost = await accepted(store, key_id, limits, 3)
    worker = round_runner(store, Stages())
    await store.request_cancel(cancelled.id)
    await finish(store, worker, Due(cancelled.id))
    assert (await store.load(cancelled.id)).status == "cancelled"
    await store.abandon(abandoned.id, Failure("Internal", "its record cannot be read"))
    await store.abandon(abandoned.id, Failure("Internal", "its record cannot be read"))
    assert await standing(store, key_id) == Standing(0, 100)
    shard = shard_of(store, Due(lost.id))
    await shard.redis.delete(shard.keys.record(lost.id))
    await shard.redis.zadd(shard.keys.active, {lost.id: 1.0})
    await store.resend_stalled(idle_s=1)
    await store.settle_left()
    assert await standing(store, key_id) == Standing(0, 0)


@every_layout
async def test_what_is_sent_twice_counts_once(store: Store) -> None:
    key_id, limits = uuid.uuid4().hex, limited(Budget("tokens", "day", 1000))
    record = of_key(key_id, idempotency=Idempotency(uuid.uuid4().hex, "print"))
    await store.create(record, limits)
    await store.create(record, limits)
    await store.create(replace(record, id=new_evolution_id(record.idempotency)), limits)
    assert await standing(store, key_id) == Standing(0, 100)
    saved = replace(record, version=1, status="running")
    for _ in range(2):
        await store.save(saved, [], spent=Spending(generation=30))
    with pytest.raises(Conflict):
        await store.save(replace(saved, attempts=1), [], spent=Spending(generation=30))
    assert await standing(store, key_id) == Standing(30, 70)
    await ended(store, saved, Spending(generation=200))
    assert await standing(store, key_id) == Standing(230, 0)


@every_layout
async def test_a_search_counts_where_it_was_accepted(store: Store) -> None:
    """One that was accepted an hour ago, and so before the hour ended, ends now."""
    key_id, limits = uuid.uuid4().hex, limited(Budget("tokens", "hour", 100))
    before = time.time() - 3600
    record = await store.create(of_key(key_id, created_at=before), limits)
    assert len(await accepted(store, key_id, limits, 3)) == 1
    await ended(store, record, ONE_REST)
    then, now = await store.spent(key_id, before), await store.spent(key_id, time.time())
    assert (then["tokens", "hour"], now["tokens", "hour"]) == (Standing(100, 0), Standing(0, 100))


async def test_counters_outlive_their_period_and_expire(store: Store) -> None:
    key_id, at = uuid.uuid4().hex, time.time()
    await accepted(store, key_id, limited(), 1)
    names: Sequence[str] = [RedisKeys().spent(key_id, period, at) for period in PERIODS]
    for period, name in zip(PERIODS, names, strict=True):
        left_s = await store._redis.ttl(name)
        assert period_end(period, at).timestamp() - at < left_s < 34 * 86_400
    assert await standing(store, key_id) == Standing(0, 100)
    assert {unit for unit, _ in await store.spent("nobody", at)} == set(UNITS)


async def test_searches_that_no_key_is_charged_for_leave_no_counters(store: Store) -> None:
    record = await store.create(of_key(""), limited(Budget("tokens", "day", 1)))
    await ended(store, record, ONE_REST)
    assert await store._redis.hget("darwin:reserved", record.id) is None
    assert [name async for name in store._redis.scan_iter("darwin:key::spent:*")] == []
