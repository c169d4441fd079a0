"""Files and batches in Redis: bytes are counted, scripts that are sent twice add once, lines end once."""

import time
from collections.abc import AsyncIterator

import pytest

from shared.errors import NotFound, Overloaded
from shared.store.batches import Batch, Batches
from shared.store.files import File, FileLimits, Files
from tests.integration.layouts import Layout, every_layout

pytestmark = every_layout

LIMITS = FileLimits(tenant_bytes=20, total_bytes=30, tenant_files=2)


@pytest.fixture
async def files(layout: Layout) -> AsyncIterator[Files]:
    files = Files(layout.url.replace("/0", "/3"), shards=layout.shards)
    await files.listed("nobody")  # finds the node that has the keys
    await files._redis.flushdb()
    yield files
    await files.close()


@pytest.fixture
async def batches(layout: Layout, files: Files) -> AsyncIterator[Batches]:
    batches = Batches(layout.url.replace("/0", "/3"), shards=layout.shards)
    yield batches
    await batches.close()


def file(name: str, tenant: str = "acme", lasts_s: float = 60) -> File:
    return File(f"file-{name}", tenant, "in.jsonl", "batch", time.time(), time.time() + lasts_s)


def batch(name: str = "one") -> Batch:
    return Batch(f"batch_{name}", "acme", "", "/v1/chat/completions", "file-in", time.time(), time.time() + 60)


async def test_a_file_is_read_once_it_is_complete(files: Files) -> None:
    one = file("one")
    for _ in range(2):
        await files.append(one, 0, ["a", "é"], 5, LIMITS)
    with pytest.raises(NotFound):
        await files.load(one.id, "acme")
    assert (await files.complete(one)).bytes == 5
    assert (await files.load(one.id, "acme")).bytes == 5
    assert await files.lines(one.id, 0, 9) == ["a", "é"]
    assert await files.held_bytes("acme") == (5, 5)
    with pytest.raises(NotFound):
        await files.load(one.id, "other")
    assert await files.listed("other") == []
    assert await files.remove(one.id)
    assert not await files.remove(one.id)
    assert await files.held_bytes("acme") == (0, 0)
    with pytest.raises(NotFound):
        await files.append(one, 2, ["late"], 5, LIMITS)


async def test_limits_of_files(files: Files) -> None:
    await files.append(file("one"), 0, ["x"], 15, LIMITS)
    with pytest.raises(Overloaded, match="20 bytes"):
        await files.append(file("two"), 0, ["x"], 6, LIMITS)
    await files.append(file("three", "other"), 0, ["x"], 15, LIMITS)
    with pytest.raises(Overloaded, match="no room"):
        await files.append(file("four", "third"), 0, ["x"], 1, LIMITS)
    await files.append(file("five"), 0, ["x"], 0, LIMITS)
    with pytest.raises(Overloaded, match="2 files"):
        await files.append(file("six"), 0, ["x"], 0, LIMITS)


async def test_the_sweep_gives_room_back(files: Files) -> None:
    gone, kept = file("gone", lasts_s=-1), file("kept")
    for each in (gone, kept):
        await files.append(each, 0, ["x"], 2, LIMITS)
        await files.complete(each)
    assert await files.sweep() == 1
    assert await files.held_bytes("acme") == (2, 2)
    assert [each.id for each in await files.listed("acme")] == [kept.id]


async def test_lines_run_within_bounds_and_end_once(files: Files, batches: Batches) -> None:
    one, two = batch(), batch("two")
    for each in (one, two):
        await batches.create(each, 2)
    with pytest.raises(Overloaded):
        await batches.create(batch("three"), 2)
    assert await batches.hold(one.id, "me", 5)
    assert not await batches.hold(one.id, "you", 5)
    assert await batches.begin(one.id, "me", 3, 4) == []
    assert await batches.move(one, "validating", "in_progress", total=5)
    assert await batches.begin(one.id, "you", 3, 4) == []
    assert await batches.begin(one.id, "me", 3, 4) == [0, 1, 2]
    assert await batches.begin(one.id, "me", 3, 4) == [0, 1, 2]
    await batches.hold(two.id, "me", 5)
    await batches.move(two, "validating", "in_progress", total=5)
    assert await batches.begin(two.id, "me", 3, 4) == [0]
    for _ in range(2):
        await batches.finish(one, 1, "done", completed=True)
    await batches.finish(one, 0, "failed", completed=False)
    now = await batches.load(one.id, "acme")
    assert (now.completed, now.failed, now.next) == (1, 1, 3)
    assert await files.lines(one.output_file_id, 0, 9) == ["done"]
    assert await files.held_bytes("acme") == (12, 12)


async def test_the_last_line_is_given_back(batches: Batches) -> None:
    one = batch()
    await batches.create(one, 1)
    await batches.hold(one.id, "me", 5)
    await batches.move(one, "validating", "in_progress", total=5)
    assert await batches.begin(one.id, "me", 2, 2) == [0, 1]
    assert not await batches.give_back(one.id, "you", 1)
    assert not await batches.give_back(one.id, "me", 0)
    assert await batches.give_back(one.id, "me", 1)
    assert await batches.begin(one.id, "me", 0, 0) == [0]
    assert await batches.begin(one.id, "me", 2, 2) == [0, 1]


async def test_long_lines_are_read_a_few_at_a_time(files: Files) -> None:
    texts = [f"{number:300000}" for number in range(25)]
    await files.append(file("one"), 0, texts, 1, LIMITS)
    assert await files.lines("file-one", 0, 100) == texts[:10]
    assert await files.lines("file-one", 3, 2) == texts[3:5]
    assert await files.lines("file-one", 20, 100) == texts[20:]
    assert await files.lines("file-one", 25, 100) == []


async def test_a_batch_winds_down(files: Files, batches: Batches) -> None:
    one = batch()
    await batches.create(one, 1)
    await batches.hold(one.id, "me", 5)
    await batches.move(one, "validating", "in_progress", total=3)
    await batches.begin(one.id, "me", 1, 1)
    await batches.end(one.id, "cancelled")
    await batches.end(one.id, "expired")
    now = await batches.load(one.id, "acme")
    assert (now.status, now.ending, now.next) == ("cancelling", "cancelled", 1)
    assert await batches.begin(one.id, "me", 3, 3) == [0]
    for _ in range(2):
        await batches.skip(now, ["x", "y"])
    now = await batches.load(one.id, "acme")
    assert (now.next, now.failed) == (3, 2)
    assert await batches.move(one, "cancelling", "cancelled")
    assert not await batches.move(one, "in_progress", "completed")
    assert await batches.open() == []
    assert [each.status for each in await batches.listed("acme", None, 9)] == ["cancelled"]
    with pytest.raises(NotFound):
        await batches.load(one.id, "other")
