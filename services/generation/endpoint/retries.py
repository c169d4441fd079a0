"""Waiting for an endpoint that is away, or full."""

import logging
import random
import time
from asyncio import sleep
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from services.generation.endpoint.capabilities import AWAY
from services.generation.endpoint.errors import Full
from shared.errors import DarwinError
from shared.rpc.interceptor import time_left

log = logging.getLogger(__name__)

Found = TypeVar("Found")

_LONGEST_WAIT_S = 5.0
_FULL_S = 60.0


async def while_away(call: Callable[[], Awaitable[Found]]) -> Found:
    """What the call gives, made again for as long as the endpoint is away."""
    patiently = AsyncRetrying(
        retry=retry_if_exception_type(AWAY), wait=wait_random_exponential(max=_LONGEST_WAIT_S), before_sleep=_tell
    )
    async for attempt in patiently:
        with attempt:
            return await call()
    raise AssertionError("unreachable: it is tried without end")


async def while_full(call: Callable[[], Awaitable[Found]]) -> Found:
    """What the call gives, made again while the endpoint is full, at the times it names; at most for a minute, or for
    as long as the call under way may take.
    """
    left_s = time_left()
    until = time.monotonic() + (_FULL_S if left_s is None else min(left_s, _FULL_S))
    backoff_s = 0.5
    while True:
        try:
            return await call()
        except Full as full:
            wait_s = full.retry_after_s or backoff_s * random.uniform(0.5, 1.0)
            if time.monotonic() + wait_s >= until:
                raise
        await sleep(wait_s)
        backoff_s = min(2 * backoff_s, _LONGEST_WAIT_S)


def _tell(state: RetryCallState) -> None:
    error: Any = state.outcome.exception() if state.outcome else None
    log.warning("the endpoint is away: %s", error.message if isinstance(error, DarwinError) else type(error).__name__)
