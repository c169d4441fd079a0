"""What can be read of evolutions without changing them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic_core import from_json

from shared.errors import Internal, NotFound
from shared.records.attempts import Attempt
from shared.records.events import Ended, Event
from shared.records.evolution import Record
from shared.records.spending import PERIODS, UNITS, Period, Standing, Unit
from shared.records.summary import Summary
from shared.records.telling import Told
from shared.store import attempt_columns, fair_queue, layout
from shared.store.connection import RedisClient
from shared.store.layout import parsed

T = TypeVar("T", Record, Summary)
_READ = ["body", "request", "result", "claims"]
_ENDED = Ended("succeeded").type
_Entry = tuple[str, dict[str, str]]
Spent = dict[tuple[Unit, Period], Standing]
"""Where an API key stands, by what is counted and for how long."""


@dataclass(frozen=True)
class StoredEvent:
    """An event with its position in the evolution's stream."""

    id: str
    event: Event


@dataclass(frozen=True)
class RawEvent:
    """An event as it is kept, with its position in the evolution's stream."""

    id: str
    text: str

    def whole(self, told: Told) -> StoredEvent:
        """The event, which comes next after what was `told`; raises `Internal` where it cannot be read."""
        return StoredEvent(self.id, layout.parsed_event(self.text, told, f"the event {self.id} of an evolution"))

    @property
    def ends(self) -> bool:
        """Whether it is the last one. A text may hold the words, too, so they only save parsing every other event."""
        with suppress(ValueError):
            return _ENDED in self.text and from_json(self.text)["type"] == _ENDED
        return False


class QueryCommands(RedisClient):
    """The store's methods that read."""

    async def load(self, evolution_id: str) -> Record:
        """The record without its state; it is `running` once a worker has taken it, before that worker's first save.

        Raises:
            NotFound: there is none.
            Internal: it cannot be read.
        """
        async with self._translated:
            stored = await self._redis.hmget(layout.record_key(evolution_id), _READ)
        return _loaded(evolution_id, *stored)

    async def events(self, evolution_id: str) -> list[StoredEvent]:
        """Every event that was saved, oldest first."""
        async with self._translated:
            entries = await self._redis.xrange(layout.events_key(evolution_id))
        return _events(entries, Told())

    async def told(self, evolution_id: str, until: str) -> Told:
        """What the events up to this position have told, for who goes on from there."""
        told = Told()
        if until != "0":
            async with self._translated:
                entries = await self._redis.xrange(layout.events_key(evolution_id), max=until)
            _events(entries, told)
        return told

    async def read_events(
        self, positions: Mapping[str, str], count: int, block_s: float = 0.0
    ) -> dict[str, list[RawEvent]]:
        """By evolution up to `count` events past its position in `positions`, waiting up to `block_s` (under 5) seconds
        for one of them all; those without any are left out.
        """
        ids = {layout.events_key(evolution_id): evolution_id for evolution_id in positions}
        streams = {key: positions[evolution_id] for key, evolution_id in ids.items()}
        async with self._translated:
            reply = await self._redis.xread(streams, count=count, block=int(block_s * 1000) or None)
        return {ids[key]: [_raw(entry) for entry in stream] for key, stream in reply or ()}

    async def active_among(self, evolution_ids: Sequence[str]) -> set[str]:
        """Those of these evolutions that are queued or running."""
        async with self._translated:
            scores = await self._redis.zmscore(layout.ACTIVE, list(evolution_ids))
        return {found for found, score in zip(evolution_ids, scores, strict=True) if score is not None}

    async def history(self, evolution_id: str) -> tuple[Record, list[Event], list[Attempt]]:
        """The record with the events and attempts that led to this very version of it, all read at one moment; raises
        as `load` does.
        """
        async with self._translated, self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hmget(layout.record_key(evolution_id), _READ)
            pipeline.xrange(layout.events_key(evolution_id))
            pipeline.xrange(layout.attempts_key(evolution_id))
            stored, events, attempts = await pipeline.execute()
        told = [stored.event for stored in _events(events, Told())]
        return _loaded(evolution_id, *stored), told, _attempts(evolution_id, attempts)

    async def attempts(self, evolution_id: str) -> list[Attempt]:
        """Every attempt that was saved, oldest first."""
        async with self._translated:
            entries = await self._redis.xrange(layout.attempts_key(evolution_id))
        return _attempts(evolution_id, entries)

    async def listed(self, tenant: str | None, after: str | None, count: int) -> list[Summary]:
        """Up to `count` evolutions of a tenant (None: of all), those last accepted first, from past `after` on.

        A status is `running` as `load` says. Fewer may come although there are more, where some have expired; none come
        only at the end.

        Raises:
            NotFound: `after` is in no list.
        """
        list_key, first = layout.list_key(tenant), 0
        async with self._translated:
            if after is not None:
                rank = await self._redis.zrevrank(list_key, after)
                if rank is None:
                    raise NotFound(f"no evolution {after} to list from", field="after")
                first = rank + 1
            while ids := await self._redis.zrevrange(list_key, first, first + count - 1):
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for evolution_id in ids:
                        pipeline.hmget(layout.record_key(evolution_id), ["summary", "claims"])
                    found = [stored for stored in await pipeline.execute() if stored[0] is not None]
                if found:
                    return [_begun(parsed(layout.SUMMARY, body, "a summary"), claims) for body, claims in found]
                first += count
        return []

    async def active(self) -> int:
        """How many evolutions are queued or running."""
        async with self._translated:
            return int(await self._redis.zcard(layout.ACTIVE))

    async def active_of(self, api_key_id: str) -> int:
        """How many evolutions of an API key are queued or running."""
        async with self._translated:
            return int(await self._redis.scard(layout.active_key(api_key_id)))

    async def waiting_of(self, tenant: str) -> bool:
        """Whether an evolution of a tenant's waits for its turn at the queue."""
        async with self._translated:
            return bool(await self._redis.exists(*fair_queue.places_keys(tenant)))

    async def most_waiting(self, most: int = 10) -> dict[str, int]:
        """Those tenants of which the most evolutions wait for their turn at the queue, up to `most`: how many do."""
        async with self._translated:
            found = await self._redis.zrevrange(f"{layout.WAITING}:sizes", 0, most - 1, withscores=True)
        return {tenant: int(size) for tenant, size in found}

    async def spent(self, api_key_id: str, at: float) -> Spent:
        """What an API key has spent and reserved in each period that a time (Unix seconds) lies in."""
        fields = [f"{kind}{unit}" for unit in UNITS for kind in ("", "reserved_")]
        async with self._translated, self._redis.pipeline(transaction=False) as pipeline:
            for period in PERIODS:
                pipeline.hmget(layout.spent_key(api_key_id, period, at), fields)
            rows = await pipeline.execute()
        found: dict[tuple[Unit, Period], Standing] = {}
        for period, row in zip(PERIODS, rows, strict=True):
            numbers = [max(0, int(number or 0)) for number in row]
            for index, unit in enumerate(UNITS):
                found[unit, period] = Standing(*numbers[2 * index : 2 * index + 2])
        return found


def _loaded(evolution_id: str, body: str | None, request: str | None, result: str | None, claims: str | None) -> Record:
    if body is None:
        raise NotFound(f"no evolution {evolution_id}")
    return _begun(layout.parsed_record(evolution_id, body, request, result), claims)


def _raw(entry: _Entry) -> RawEvent:
    position, fields = entry
    return RawEvent(position, fields.get("event", ""))


def _events(entries: Sequence[_Entry], told: Told) -> list[StoredEvent]:
    """The events after what was `told`, which knows them, too, from then on."""
    return [_raw(entry).whole(told) for entry in entries]


def _attempts(evolution_id: str, entries: Sequence[_Entry]) -> list[Attempt]:
    try:
        return [attempt_columns.unpacked(fields.get("attempt", "")) for _, fields in entries]
    except ValueError as error:
        raise Internal(f"an attempt of evolution {evolution_id} cannot be read") from error


def _begun(evolution: T, claims: str | None) -> T:
    """The evolution, which is `running` where a worker holds this version, or held it when it died."""
    begun = evolution.status == "queued" and int(claims or 0) > 0
    return replace(evolution, status="running") if begun else evolution
