"""Calls that are made again while an endpoint is away or full."""

import logging
import random
from asyncio import sleep
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_before_delay,
    wait_exponential,
    wait_random_exponential,
)

from services.generation.endpoint.capabilities import TRANSIENT
from services.generation.endpoint.errors import EndpointFull
from shared.errors import DarwinError
from shared.rpc.interceptor import time_left

log = logging.getLogger(__name__)

Found = TypeVar("Found")

_LONGEST_WAIT_S = 5.0
_FULL_S = 60.0
_BACKOFF = wait_exponential(multiplier=0.5, max=_LONGEST_WAIT_S)


async def while_away(call: Callable[[], Awaitable[Found]]) -> Found:
    """Makes the call, again and again while the endpoint is away, without end; returns what it returns."""
    patiently = AsyncRetrying(
        retry=retry_if_exception_type(TRANSIENT),
        wait=wait_random_exponential(max=_LONGEST_WAIT_S),
        before_sleep=_log_absence,
    )
    async for attempt in patiently:
        with attempt:
            return await call()
    raise AssertionError("unreachable: the last attempt returns or raises")


async def while_full(call: Callable[[], Awaitable[Found]]) -> Found:
    """Makes the call, and makes it again while the endpoint is full; returns what it returns.

    The wait is what the endpoint names, else half to all of a back-off that doubles from 0.5 s to 5 s. After a minute,
    or at the deadline of the call under way, the endpoint's error is raised.
    """
    left_s = time_left()
    limit_s = _FULL_S if left_s is None else min(left_s, _FULL_S)
    patiently = AsyncRetrying(
        retry=retry_if_exception_type(EndpointFull),
        wait=_wait_while_full,
        stop=stop_before_delay(limit_s),
        sleep=sleep,
        reraise=True,
    )
    async for attempt in patiently:
        with attempt:
            return await call()
    raise AssertionError("unreachable: the last attempt returns or raises")


def _wait_while_full(state: RetryCallState) -> float:
    full: Any = state.outcome.exception() if state.outcome else None
    return full.retry_after_s or _BACKOFF(state) * random.uniform(0.5, 1.0)


def _log_absence(state: RetryCallState) -> None:
    error: Any = state.outcome.exception() if state.outcome else None
    log.warning("the endpoint is away: %s", error.message if isinstance(error, DarwinError) else type(error).__name__)
