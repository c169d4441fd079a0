"""Pages of evolutions over a store that holds summaries only."""

import pytest

from services.gateway.inspector import listing
from services.gateway.inspector.listing import ListQuery, read_page
from shared.methods import Method
from shared.records.evolution import Status
from shared.records.summary import Summary
from shared.store.evolutions import Store


class Shelf(Store):
    """Summaries, those last accepted first, by tenant."""

    def __init__(self, *summaries: Summary) -> None:
        self._summaries = summaries

    async def listed(self, tenant: str | None, after: str | None, count: int) -> list[Summary]:
        mine = [found for found in self._summaries if tenant in (None, found.tenant)]
        first = next(i for i, found in enumerate(mine, 1) if found.id == after) if after else 0
        return mine[first : first + count]


def summary(
    number: int,
    tenant: str = "acme",
    method: Method = "darwin",
    status: Status = "succeeded",
    gain: float | None = 1.0,
    seconds: float | None = 2.0,
) -> Summary:
    return Summary(
        f"evo_{number}",
        tenant,
        method,
        status,
        created_at=100.0,
        instruction="Why?",
        finished_at=None if seconds is None else 100.0 + seconds,
        reward=None if gain is None else 0.25 + gain,
        base_reward=0.25,
    )


SHELF = Shelf(
    summary(0, status="running", gain=None, seconds=None),
    summary(1, tenant="other"),
    summary(2, method="sample", gain=0.0),
    summary(3, gain=-0.5, seconds=9.0),
    summary(4, status="failed", gain=None, seconds=0.5),
)


async def ids(query: ListQuery, readable_tenant: str | None = None) -> str:
    return "".join(found.id.removeprefix("evo_") for found in (await read_page(SHELF, query, readable_tenant)).data)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ListQuery(), "01234"),
        (ListQuery(status="running"), "0"),
        (ListQuery(method="sample"), "2"),
        (ListQuery(tenant="other"), "1"),
        (ListQuery(tenant="nobody"), ""),
        (ListQuery(min_gain=0.0), "12"),
        (ListQuery(max_gain=0.0), "23"),
        (ListQuery(min_gain=-1, max_gain=-0.1), "3"),
        (ListQuery(min_seconds=2.0), "123"),
        (ListQuery(max_seconds=1.0), "4"),
        (ListQuery(after="evo_2"), "34"),
    ],
)
async def test_filters(query: ListQuery, found: str) -> None:
    assert await ids(query) == found


async def test_a_key_of_one_tenant_sees_no_other() -> None:
    assert await ids(ListQuery(), "acme") == "0234"
    assert await ids(ListQuery(tenant="acme"), "acme") == "0234"
    assert await ids(ListQuery(tenant="other"), "acme") == ""


async def test_pages_follow_each_other_without_gap_or_repeat() -> None:
    first = await read_page(SHELF, ListQuery(limit=2, status="succeeded"), None)
    assert ([found.id for found in first.data], first.has_more, first.last_id) == (["evo_1", "evo_2"], True, "evo_2")
    last = await read_page(SHELF, ListQuery(limit=2, status="succeeded", after=first.last_id), None)
    assert ([found.id for found in last.data], last.has_more, last.last_id) == (["evo_3"], False, "evo_3")


async def test_a_call_looks_at_so_many_and_says_where_to_go_on() -> None:
    rare = Shelf(*(summary(number, method="sample" if number == 4_500 else "darwin") for number in range(5_000)))
    pages = [await read_page(rare, ListQuery(method="sample"), None)]
    while pages[-1].has_more:
        pages.append(await read_page(rare, ListQuery(method="sample", after=pages[-1].last_id), None))
    assert len(pages) == 5_000 // listing.MAX_EXAMINED + 1
    assert [found.id for page in pages for found in page.data] == ["evo_4500"]


async def test_a_line_says_gain_and_seconds() -> None:
    [line] = (await read_page(SHELF, ListQuery(method="sample"), None)).data
    assert (line.gain, line.seconds, line.reward, line.base_reward, line.trace_id) == (0.0, 2.0, 0.25, 0.25, None)
