"""Making the calls: as many as the system can answer, or as they arrive; and killing workers meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from bench.load.calls import Call, Caller
from bench.load.workload import TENANTS, Ask, endless
from cli.stack import Stack
from shared.store.api_keys import ApiKeys, new_key
from shared.store.evolutions import Store

Tell = Callable[[Sequence[Call]], None]
"""Called now and then with every call that was made so far."""

# Of the time in which capacity is measured, this part passes before anything counts.
_RAMP = 0.25
_TELL_S = 0.25
# How long a refused caller waits before it asks again, and the last of its searches may take.
_REFUSED_S, _LAST_S = 0.5, 120.0


@dataclass(frozen=True)
class Key:
    """A tenant's API key: its id, by which the store counts, and its text, which callers send."""

    id: str
    text: str


@dataclass(frozen=True)
class Driven:
    """Every call of one rate, and what each tenant was served while calls arrived: tokens, as its key was charged."""

    calls: Sequence[Call]
    served: Mapping[str, int]
    kills: int


async def make_keys(redis_url: str) -> dict[str, Key]:
    """An API key for each tenant, as `darwin keys add` makes them."""
    store, keys = ApiKeys(redis_url), {}
    try:
        for tenant in TENANTS:
            text, key = new_key(tenant)
            await store.add(key)
            keys[tenant] = Key(key.id, text)
    finally:
        await store.close()
    return keys


async def measure_capacity(url: str, keys: Mapping[str, Key], at_once: int, seconds: float, seed: int) -> float:
    """Searches per second that are answered while `at_once` callers ask again as soon as they are answered.

    Raises:
        RuntimeError: nothing was answered.
        TimeoutError: an accepted search did not end.
    """
    tenants = [endless(seed, tenant, 1.0) for tenant in keys]
    asks, calls = (next(asks) for asks in cycle(tenants)), list[Call]()
    began = time.time()

    async def asking(caller: Caller) -> None:
        while time.time() < began + seconds:
            ask = next(asks)
            call = Call(ask.tenant, time.time())
            calls.append(call)
            await caller.make(ask, call)
            if not call.accepted:
                await asyncio.sleep(_REFUSED_S)

    async with _caller(url, keys) as caller, asyncio.timeout(seconds + _LAST_S), asyncio.TaskGroup() as callers:
        for _ in range(at_once):
            callers.create_task(asking(caller))
    counted_from = began + _RAMP * seconds
    ended = [c for c in calls if c.outcome == "answered" and counted_from <= (c.ended_at or 0) < began + seconds]
    if not ended:
        raise RuntimeError(
            f"nothing was answered within {seconds:.0f} s: {calls[-1] if calls else 'nothing was asked'}"
        )
    return len(ended) / ((1 - _RAMP) * seconds)


async def drive(
    stack: Stack,
    keys: Mapping[str, Key],
    asks: Sequence[Ask],
    seconds: float,
    patience_s: float,
    kill_every_s: float,
    tell: Tell,
) -> Driven:
    """Makes each call when it is due, for `seconds`, and waits up to `patience_s` more for the ends of those accepted.

    While calls arrive a worker is killed every `kill_every_s` seconds (0: none), one after another, and started again
    at once.

    Raises:
        StackError: a process ended by itself.
    """
    calls, tasks, killed = list[Call](), list[asyncio.Task[None]](), list[str]()
    store = Store(stack.redis_url, ttl_s=60)
    try:
        async with _caller(stack.url, keys) as caller, _meanwhile(_keep_telling(tell, calls)):
            began = time.time()
            before = await _charged(store, keys, began)
            async with _meanwhile(_kill_in_turn(stack, kill_every_s, killed)):
                for ask in asks:
                    await asyncio.sleep(began + ask.at_s - time.time())
                    calls.append(Call(ask.tenant, began + ask.at_s, ask.deadline_s))
                    tasks.append(asyncio.create_task(caller.make(ask, calls[-1])))
                await asyncio.sleep(began + seconds - time.time())
            after = await _charged(store, keys, began)
            await _end(tasks, patience_s)
    finally:
        await store.close()
    tell(calls)
    stack.check()
    return Driven(calls, {tenant: after[tenant] - before[tenant] for tenant in keys}, len(killed))


@asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs `work` until the context ends, and raises what it raised."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _kill_in_turn(stack: Stack, every_s: float, killed: list[str]) -> None:
    """Blocks the loop while a process is started: hundredths of a second, where cores are free."""
    began, workers = time.time(), sorted(name for name in stack.pids if name.startswith("orchestrator"))
    for name in cycle(workers) if every_s else ():
        await asyncio.sleep(began + (len(killed) + 1) * every_s - time.time())
        stack.kill(name)
        stack.restart(name)
        killed.append(name)


async def _end(tasks: Sequence["asyncio.Task[None]"], patience_s: float) -> None:
    if not tasks:
        return
    done, waiting = await asyncio.wait(tasks, timeout=patience_s)
    for task in waiting:
        task.cancel()
    for task in done:
        task.result()
    await asyncio.gather(*waiting, return_exceptions=True)


async def _keep_telling(tell: Tell, calls: Sequence[Call]) -> None:
    while True:
        tell(calls)
        await asyncio.sleep(_TELL_S)


async def _charged(store: Store, keys: Mapping[str, Key], at: float) -> dict[str, int]:
    """Tokens charged to each tenant's key in the month of `at`; they are charged with each save, so round by round."""
    return {tenant: (await store.spent(key.id, at))["tokens", "month"].used for tenant, key in keys.items()}


def _caller(url: str, keys: Mapping[str, Key]) -> Caller:
    return Caller(url, {tenant: key.text for tenant, key in keys.items()})
