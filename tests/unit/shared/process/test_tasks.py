"""Tasks end, even those that lose a cancellation."""

import asyncio

import pytest

from shared.process import tasks


async def test_who_loses_a_cancellation_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_ASKED_AGAIN_S", 0.01)
    lost = 0

    async def forgetful() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    async def failing() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError

    both = asyncio.ensure_future(forgetful()), asyncio.ensure_future(failing())
    await asyncio.sleep(0)
    await asyncio.wait_for(tasks.end(*both), 30)
    assert (lost, both[0].cancelled(), type(both[1].exception())) == (3, True, ValueError)


async def test_what_has_ended_or_never_was_is_no_reason_to_wait() -> None:
    async def done() -> int:
        return 1

    task = asyncio.ensure_future(done())
    await task
    await tasks.end(task)
    await tasks.end()
    assert task.result() == 1
