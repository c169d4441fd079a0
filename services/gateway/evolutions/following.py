"""Following event streams of many evolutions over few connections to Redis.

One read of Redis (XREAD) covers fifty followers of one shard, so a gateway with a thousand of them blocks twenty
connections. A read that is under way when somebody joins is broken off and sent again: it changes nothing in Redis, and
each follower's position is known here.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from shared.errors import DarwinError, Internal, Unavailable
from shared.store.evolutions import Store
from shared.store.kept_events import RawEvents, position_numbers

# One blocking read of events. It bounds how long a follower stays with an evolution whose last event it missed, and is
# shorter than Redis's socket timeout.
BLOCK_S = 2.0
# How long followers wait for Redis to come back, and how often they try.
RETRY_FOR_S = 30.0
RETRY_EVERY_S = 0.5
_STREAMS_PER_READ = 50
MOST_READS = 20
"""Of a shard at a time; beyond so many full ones, each covers more followers."""
# Of each stream, in one read.
_EVENTS_PER_READ = 8
# A follower that has not taken so many characters of events is read for again only once it has.
_MOST_WAITING_CHARACTERS = 64 * 1024
T = TypeVar("T")


class Following:
    """The followers of one process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._readers: dict[int, list[_Reader]] = {}

    async def events(self, evolution_id: str, after: str = "0") -> AsyncGenerator[RawEvents]:
        """Yields the events past position `after` as they come, until the evolution has ended.

        A restart of Redis only delays them. At most `_MOST_WAITING_CHARACTERS` and one read wait for a slow caller.

        Raises:
            Unavailable: Redis is away for longer than `RETRY_FOR_S`.
        """
        reader = self._reader(self._store.shard_of(evolution_id))
        follower = reader.follow(evolution_id, after)
        try:
            while (event := await follower.next()) is not None:
                yield event
        finally:
            reader.leave(follower)

    @property
    def reads(self) -> int:
        """How many reads are under way, each of which blocks a connection."""
        return sum(len(self._running(shard)) for shard in self._readers)

    def _reader(self, shard: int) -> "_Reader":
        readers = self._readers[shard] = self._running(shard)
        for reader in readers:
            if reader.followers < _STREAMS_PER_READ:
                return reader
        if len(readers) == MOST_READS:
            return min(readers, key=lambda reader: reader.followers)
        readers.append(_Reader(self._store))
        return readers[-1]

    def _running(self, shard: int) -> "list[_Reader]":
        return [reader for reader in self._readers.get(shard, ()) if reader.running]


class _Follower:
    """Where one caller stands in an evolution's stream, and what it has not taken yet.

    `wants_more` is set once it has room again.
    """

    def __init__(self, evolution_id: str, after: str, wants_more: asyncio.Event) -> None:
        self.evolution_id = evolution_id
        self.after = after
        # Whether the evolution had ended before the latest read was sent.
        self.ended = False
        self._wants_more = wants_more
        self._waiting: deque[RawEvents] = deque()
        self._characters = 0
        self._changed = asyncio.Event()
        self._over = False
        self._error: DarwinError | None = None

    @property
    def has_room(self) -> bool:
        return self._characters < _MOST_WAITING_CHARACTERS

    @property
    def position(self) -> tuple[int, int]:
        return position_numbers(self.after)

    def put(self, event: RawEvents) -> None:
        self.after = event.id
        self._waiting.append(event)
        self._characters += len(event.text)
        self._changed.set()

    def close(self, error: DarwinError | None = None) -> None:
        """Nothing more will come: the evolution has ended, or `error` is why."""
        self._over, self._error = True, error
        self._changed.set()

    async def next(self) -> RawEvents | None:
        """The next event; None at the end.

        Raises what `close` was given, once every event is taken.
        """
        while not self._waiting:
            if self._error is not None:
                raise self._error
            if self._over:
                return None
            self._changed.clear()
            await self._changed.wait()
        event = self._waiting.popleft()
        had_room, self._characters = self.has_room, self._characters - len(event.text)
        if self.has_room and not had_room:
            self._wants_more.set()
        return event


class _Reader:
    """Reads for some of the followers in a task of its own, which ends with the last of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: set[_Follower] = set()
        self._changed = asyncio.Event()
        self._looked_at = 0.0
        self._away_since: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def followers(self) -> int:
        return len(self._followers)

    def follow(self, evolution_id: str, after: str) -> _Follower:
        follower = _Follower(evolution_id, after, self._changed)
        self._followers.add(follower)
        if after != "0":
            # Nothing may come any more; from the beginning on there is the last event at least.
            self._looked_at = 0.0
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return follower

    def leave(self, follower: _Follower) -> None:
        self._followers.discard(follower)

    async def _run(self) -> None:
        try:
            while self._followers:
                await self._read_or_wait_for_redis()
        except DarwinError as error:
            self._close(error)
        except BaseException:
            self._close(Internal("events cannot be read; the log has the details"))
            raise

    def _close(self, error: DarwinError) -> None:
        for follower in self._followers:
            follower.close(error)
        self._followers.clear()

    async def _read_or_wait_for_redis(self) -> None:
        try:
            await self._read()
            self._away_since = None
        except Unavailable:
            now = time.monotonic()
            self._away_since = self._away_since or now
            if now > self._away_since + BLOCK_S + RETRY_FOR_S:
                raise
            await asyncio.sleep(RETRY_EVERY_S)

    async def _read(self) -> None:
        """One read for all who have room, which is broken off when somebody joins or has room again."""
        self._changed.clear()
        reading = [follower for follower in self._followers if follower.has_room]
        if not reading:
            await self._changed.wait()
            return
        await self._look_who_has_ended(reading)
        block_s = 0.0 if any(follower.ended for follower in reading) else BLOCK_S
        events = self._store.read_events(_first_positions(reading), _EVENTS_PER_READ, block_s)
        if (found := await _unless(self._changed, events)) is None:
            return
        for follower in reading:
            self._give(follower, found.get(follower.evolution_id, []))

    async def _look_who_has_ended(self, reading: list[_Follower]) -> None:
        """Now and then: an event that is there already was written before, so the next read finds it."""
        if time.monotonic() < self._looked_at + BLOCK_S:
            return
        active = await self._store.active_among([follower.evolution_id for follower in reading])
        for follower in reading:
            follower.ended = follower.evolution_id not in active
        self._looked_at = time.monotonic()

    def _give(self, follower: _Follower, found: list[RawEvents]) -> None:
        new = [event for event in found if position_numbers(event.id) > follower.position]
        for event in new:
            follower.put(event)
        # A full read may have ended before this position, where another follows the same evolution from further behind.
        exhausted = not new and len(found) < _EVENTS_PER_READ
        if (new and new[-1].ends) or (follower.ended and exhausted):
            follower.close()
            self.leave(follower)


def _first_positions(followers: Iterable[_Follower]) -> Mapping[str, str]:
    """Of each evolution the earliest position that one of its followers stands at."""
    found: dict[str, str] = {}
    for follower in sorted(followers, key=lambda each: each.position, reverse=True):
        found[follower.evolution_id] = follower.after
    return found


async def _unless(interrupted: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` returns; None where it was broken off because the event is set."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(interrupted.wait())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        waiting.cancel()
        if not working.done():
            working.cancel()
            # The connection is back in the pool before another read is sent.
            await asyncio.wait((working,))
