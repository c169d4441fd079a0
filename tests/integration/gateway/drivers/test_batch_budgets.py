"""Batches whose lines share a budget of tokens. The worker charges 120 of them for every answer."""

from typing import Any

from shared.records.search import Search
from shared.store.batches import Batch
from tests.integration.gateway.drivers.driving import Driving, line


async def searched(driving: Driving, batch: Batch) -> list[Search]:
    """The settings with which the lines were searched for."""
    return [(await driving.store.load(batch.evolution_id(number))).request.search for number in range(batch.total)]


def lines(count: int, **body: Any) -> list[str]:
    return [line(str(number), model="darwin", **body) for number in range(count)]


async def test_lines_share_what_is_left_of_a_budget(driving: Driving) -> None:
    done = await driving.until(driving.driver(), await driving.batch(lines(5), budget=1000, cycles=4))
    assert (done.status, done.completed, done.generated) == ("completed", 5, 600)
    found = await searched(driving, done)
    bounds = [search.max_generated_tokens for search in found]
    assert bounds[0] == 200
    assert all(bound is not None and 200 <= bound <= 1000 for bound in bounds)
    assert {search.cycles for search in found} == {4}
    assert found[0].token_price == 0


async def test_lines_that_run_together_stay_within_the_budget(driving: Driving) -> None:
    driver, batch = driving.driver(running=4), await driving.batch(lines(9, user="hang"), budget=900)
    for _ in range(5):
        await driver.step()
    running = await driving.batches.begin(batch.id, driver._holder, 0, 0)
    bounds = [
        (await driving.store.load(batch.evolution_id(number))).request.search.max_generated_tokens for number in running
    ]
    assert bounds == [100] * 4
    await driving.batches.end(batch.id, "cancelled")
    done = await driving.until(driver, batch)
    assert done.generated == 400, "what was set aside for searches that tell nothing is gone"


async def test_a_budget_that_is_used_up_ends_the_lines_that_are_left(driving: Driving) -> None:
    done = await driving.until(driving.driver(running=1), await driving.batch(lines(4), budget=130))
    assert done.status == "completed"
    assert 0 < done.completed < 4
    errors = await driving.read(done.error_file_id)
    assert len(errors) == 4 - done.completed
    for error in errors:
        assert error["response"]["status_code"] == 400
        assert error["response"]["body"]["error"]["param"] == "darwin.max_generated_tokens"


async def test_lines_that_have_ended_set_the_price_of_those_to_come(driving: Driving) -> None:
    given = [*lines(4, user="gain=0.5"), *(text.replace('"0"', f'"late{i}"') for i, text in enumerate(lines(1) * 2))]
    done = await driving.until(driving.driver(running=1), await driving.batch(given, budget=6 * 130, cycles=3))
    assert (done.completed, done.failed) == (6, 0)
    prices = [search.token_price for search in await searched(driving, done)]
    assert prices[:4] == [0] * 4
    # A share of 165 tokens and more pays for 120 of the first cycle; 0.5 in 50 tokens is the best that others offer.
    assert all(price is not None and 0 < price <= 1000 * 0.5 / 50 + 1e-6 for price in prices[4:])


async def test_what_a_line_names_itself_stays(driving: Driving) -> None:
    own = {"cycles": 2, "token_price": 3.0, "max_generated_tokens": 50}
    given = [
        line("own", model="darwin", darwin=own),
        line("paper", model="darwin", darwin={"preset": "paper"}),
        line("low", model="darwin", reasoning_effort="low"),
        line("plain", model="sample"),
    ]
    done = await driving.until(driving.driver(), await driving.batch(given, budget=4000, cycles=3))
    assert (done.completed, done.failed) == (4, 0)
    first, *others = await searched(driving, done)
    assert (first.cycles, first.token_price, first.max_generated_tokens) == (2, 3.0, 50)
    assert [search.cycles for search in others] == [1, 1, 0]
    assert all(search.max_generated_tokens and search.max_generated_tokens >= 1000 for search in others)


async def test_a_batch_without_a_budget_changes_nothing_of_its_lines(driving: Driving) -> None:
    done = await driving.until(driving.driver(), await driving.batch(lines(1)))
    assert (done.generated, await searched(driving, done)) == (0, [Search()])
