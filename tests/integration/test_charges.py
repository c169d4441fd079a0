"""What a call that is no search takes out of the budgets of its key."""

import time
import uuid

import pytest

from shared.records.spending import PERIODS, Budget, Standing
from shared.store.charges import Charged, OverBudget
from shared.store.evolutions import Store
from tests.integration.layouts import every_layout


async def standing(store: Store, charged: Charged) -> Standing:
    spent = await store.spent(charged.api_key_id, charged.at)
    [found] = {spent["tokens", period] for period in PERIODS}
    assert {spent["money", period] for period in PERIODS} == {Standing(found.used * 3, found.reserved * 3)}
    return found


def call(key_id: str = "") -> Charged:
    return Charged(uuid.uuid4().hex, key_id or uuid.uuid4().hex[:12], time.time())


@every_layout
async def test_each_step_bears_being_sent_twice(store: Store) -> None:
    charged = call()
    for _ in range(2):
        await store.reserve(charged, (), 100, 300)
        assert await standing(store, charged) == Standing(0, 100)
    for _ in range(2):
        await store.settle(charged, 40, 120)
        assert await standing(store, charged) == Standing(40, 0)


@every_layout
async def test_a_budget_that_leaves_nothing_refuses(store: Store) -> None:
    first = call()
    budgets = (Budget("tokens", "day", 50),)
    await store.reserve(first, budgets, 100, 300)
    second = call(first.api_key_id)
    with pytest.raises(OverBudget) as refused:
        await store.reserve(second, budgets, 1, 3)
    assert (refused.value.budget, refused.value.standing) == (budgets[0], Standing(0, 100))
    await store.settle(first, 10, 30)
    await store.reserve(second, budgets, 10**15, 3 * 10**15)
    assert await standing(store, second) == Standing(10, 10**15)
    await store.settle(second, 40, 120)
    with pytest.raises(OverBudget) as spent:
        await store.reserve(call(first.api_key_id), budgets, 1, 3)
    assert spent.value.standing == Standing(50, 0)
    # What was refused has set nothing aside.
    assert await standing(store, second) == Standing(50, 0)
