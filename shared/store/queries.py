"""What can be read of evolutions without changing them."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import TypeVar

from pydantic_core import from_json

from shared.errors import Internal, NotFound
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import TERMINAL, Record
from shared.records.spending import PERIODS, UNITS, Period, Standing, Unit
from shared.records.summary import Summary, summary_of
from shared.records.telling import Told
from shared.store import attempt_columns, fair_queue, layout
from shared.store.kept_events import Entry, RawEvents, StoredEvent
from shared.store.layout import StoredRecord, parsed
from shared.store.lua import Script
from shared.store.queue import Backlog
from shared.store.shards import RedisClient, Shard

T = TypeVar("T", Record, Summary)
_READ = [*StoredRecord._fields, "claims"]
# In a list: when it was accepted (Unix seconds), and its id.
_Place = tuple[float, str]
Spent = dict[tuple[Unit, Period], Standing]
"""Where an API key stands, by what is counted and for how long."""


# Returns the attempts that made the versions of a record, oldest first.
_ATTEMPTS = Script(
    """
local found = {}
for version = 1, tonumber(redis.call('HGET', record, 'version') or 0) do
  local attempt = redis.call('HGET', record, 'a' .. version)
  if attempt then found[#found + 1] = attempt end
end
return found
""",
    keys="record",
    args="",
)


class QueryCommands(RedisClient):
    """The store's methods that read."""

    async def load(self, evolution_id: str) -> Record:
        """The record without its state; it is `running` once a worker has taken it, before that worker's first save.

        Raises:
            NotFound: there is none.
            Internal: it cannot be read.
        """
        shard = self._shards.of(evolution_id)
        async with self._translated:
            stored = await shard.redis.hmget(shard.keys.record(evolution_id), _READ)
        return _loaded(evolution_id, stored)

    def shard_of(self, evolution_id: str) -> int:
        """The number of the shard that an evolution lies on."""
        return self._shards.of(evolution_id).number

    async def events(self, evolution_id: str) -> list[StoredEvent]:
        """Every event that was saved, oldest first."""
        shard = self._shards.of(evolution_id)
        async with self._translated:
            entries = await shard.redis.xrange(shard.keys.events(evolution_id))
        return _events(entries, Told())

    async def told(self, evolution_id: str, until: str) -> Told:
        """What the events up to this position have told, less those that were saved together with a later one, for who
        reads on from there.
        """
        told, shard = Told(), self._shards.of(evolution_id)
        if until != "0":
            async with self._translated:
                entries = await shard.redis.xrange(shard.keys.events(evolution_id), max=until)
            _events(entries, told)
        return told

    async def read_events(
        self, positions: Mapping[str, str], count: int, block_s: float = 0.0
    ) -> dict[str, list[RawEvents]]:
        """By evolution the events that up to `count` saves told past its position in `positions`, waiting up to
        `block_s` (under 5) seconds for one of them all; those without any are left out. All these evolutions are of one
        shard.
        """
        shard = self._shards.of(next(iter(positions)))
        ids = {shard.keys.events(evolution_id): evolution_id for evolution_id in positions}
        streams = {key: positions[evolution_id] for key, evolution_id in ids.items()}
        async with self._translated:
            reply = await shard.redis.xread(streams, count=count, block=int(block_s * 1000) or None)
        return {ids[key]: [RawEvents.of(entry) for entry in stream] for key, stream in reply or ()}

    async def active_among(self, evolution_ids: Sequence[str]) -> set[str]:
        """Those of these evolutions that are queued or running. All of them are of one shard."""
        shard = self._shards.of(evolution_ids[0])
        async with self._translated:
            scores = await shard.redis.zmscore(shard.keys.active, list(evolution_ids))
        return {found for found, score in zip(evolution_ids, scores, strict=True) if score is not None}

    async def history(self, evolution_id: str) -> tuple[Record, list[Event], list[Attempt]]:
        """The record with the events and attempts that led to this very version of it, all read at one moment; raises
        as `load` does.
        """
        shard = self._shards.of(evolution_id)
        async with self._translated, shard.redis.pipeline(transaction=True) as pipeline:
            pipeline.hmget(shard.keys.record(evolution_id), _READ)
            pipeline.xrange(shard.keys.events(evolution_id))
            pipeline.eval(_ATTEMPTS.text, 1, shard.keys.record(evolution_id))
            pipeline.xrange(shard.keys.attempts(evolution_id))
            stored, events, attempts, apart = await pipeline.execute()
        told = [stored.event for stored in _events(events, Told())]
        return _loaded(evolution_id, stored), told, _attempts(evolution_id, attempts, apart)

    async def attempts(self, evolution_id: str) -> list[Attempt]:
        """Every attempt that was saved, oldest first."""
        shard = self._shards.of(evolution_id)
        async with self._translated:
            found = await _ATTEMPTS(shard.redis, record=shard.keys.record(evolution_id))
            apart = await shard.redis.xrange(shard.keys.attempts(evolution_id))
        return _attempts(evolution_id, found, apart)

    async def listed(self, tenant: str | None, after: str | None, count: int) -> list[Summary]:
        """Up to `count` evolutions of a tenant (None: of all), those last accepted first, from past `after` on.

        A status is `running` as `load` says. Fewer come only at the end.

        Raises:
            NotFound: `after` is in no list.
        """
        before: _Place | None = None
        if after is not None:
            shard = self._shards.of(after)
            async with self._translated:
                accepted_at = await shard.redis.zscore(shard.keys.listing(tenant), after)
            if accepted_at is None:
                raise NotFound(f"no evolution {after} to list from", field="after")
            before = accepted_at, after
        pages = await self._shards.all(lambda shard: _page(shard, tenant, before, count))
        found = sorted(chain(*pages), key=itemgetter(0), reverse=True)
        return [summary for _, summary in found[:count]]

    async def active(self) -> int:
        """How many evolutions are queued or running, on the shards that answer."""
        return sum(await self._shards.present(lambda shard: shard.redis.zcard(shard.keys.active)))

    async def backlog(self) -> Backlog:
        """What waits for a worker now, whether its message has been moved to the queue or not; on shards that answer.

        Raises:
            Unavailable: Redis is away.
        """

        async def of(shard: Shard) -> tuple[int, list[tuple[str, float]]]:
            async with shard.redis.pipeline() as pipeline:
                waiting = shard.keys.waiting
                depth, oldest = await pipeline.zcard(waiting).zrange(waiting, 0, 0, withscores=True).execute()
            return depth, oldest

        found = await self._shards.present(of)
        since = [at for _, oldest in found for _, at in oldest]
        return Backlog(sum(depth for depth, _ in found), max(0.0, time.time() - min(since)) if since else 0.0)

    async def active_of(self, api_key_id: str) -> int:
        """How many evolutions of an API key are queued or running."""
        home = self._shards.home(api_key_id)
        async with self._translated:
            return int(await home.redis.scard(home.keys.active_of(api_key_id)))

    async def waiting_of(self, tenant: str) -> bool:
        """Whether an evolution of a tenant's waits for its turn at the queue, on the shards that answer."""
        found = await self._shards.present(
            lambda shard: shard.redis.exists(*fair_queue.places_keys(shard.keys, tenant))
        )
        return any(found)

    async def most_waiting(self, most: int = 10) -> dict[str, int]:
        """Those tenants of which the most evolutions wait for their turn at the queue, up to `most`: how many do."""

        async def of(shard: Shard) -> list[tuple[str, int]]:
            tenants = await shard.redis.zrevrange(f"{shard.keys.waiting}:sizes", 0, 2 * most - 1)
            async with shard.redis.pipeline(transaction=False) as pipeline:
                for tenant in tenants:
                    for key in fair_queue.places_keys(shard.keys, tenant):
                        pipeline.zcard(key)
                counts = iter(await pipeline.execute())
            return [(tenant, one + other) for tenant, one, other in zip(tenants, counts, counts, strict=False)]

        found = await self._shards.present(of)
        sizes = Counter[str]()
        for tenant, size in chain.from_iterable(found):
            sizes[tenant] += int(size)
        return dict(sizes.most_common(most))

    async def spent(self, api_key_id: str, at: float) -> Spent:
        """What an API key has spent and reserved in each period that a time (Unix seconds) lies in."""
        home = self._shards.home(api_key_id)
        fields = [f"{kind}{unit}" for unit in UNITS for kind in ("", "reserved_")]
        async with self._translated, home.redis.pipeline(transaction=False) as pipeline:
            for period in PERIODS:
                pipeline.hmget(home.keys.spent(api_key_id, period, at), fields)
            rows = await pipeline.execute()
        found: dict[tuple[Unit, Period], Standing] = {}
        for period, row in zip(PERIODS, rows, strict=True):
            numbers = [max(0, int(number or 0)) for number in row]
            for index, unit in enumerate(UNITS):
                found[unit, period] = Standing(*numbers[2 * index : 2 * index + 2])
        return found


async def _page(shard: Shard, tenant: str | None, before: _Place | None, count: int) -> list[tuple[_Place, Summary]]:
    """Up to `count` evolutions of a shard that stand past `before` in its list, fewer only at its end."""
    found: list[tuple[_Place, Summary]] = []
    key, latest, first = shard.keys.listing(tenant), before[0] if before else "+inf", 0
    while names := await shard.redis.zrevrangebyscore(key, latest, "-inf", first, count + 1, withscores=True):
        first += len(names)
        places = [(at, evolution_id) for evolution_id, at in names if before is None or (at, evolution_id) < before]
        summaries = await _summaries(shard, [evolution_id for _, evolution_id in places])
        found += [(place, summary) for place, summary in zip(places, summaries, strict=True) if summary]
        if len(found) >= count:
            break
    return found[:count]


async def _summaries(shard: Shard, ids: Sequence[str]) -> list[Summary | None]:
    """What a list shows of each; None of what cannot be read, or is not there any more. Where a record has no summary
    beside it, it is short, and the summary is made of it.
    """
    found: dict[str, Summary] = {}
    async with shard.redis.pipeline(transaction=False) as pipeline:
        for evolution_id in ids:
            pipeline.hmget(shard.keys.record(evolution_id), ["summary", "progress", "claims"])
        rows = dict(zip(ids, await pipeline.execute(), strict=True))
    for evolution_id, (text, progress, claims) in rows.items():
        if text:
            found[evolution_id] = _begun(_with_progress(parsed(layout.SUMMARY, text, "a summary"), progress), claims)
    short = [evolution_id for evolution_id, (text, _, _) in rows.items() if text is None]
    async with shard.redis.pipeline(transaction=False) as pipeline:
        for evolution_id in short:
            pipeline.hmget(shard.keys.record(evolution_id), _READ)
        for evolution_id, stored in zip(short, await pipeline.execute() if short else (), strict=True):
            with suppress(NotFound, Internal):
                found[evolution_id] = summary_of(_loaded(evolution_id, stored))
    return [found.get(evolution_id) for evolution_id in ids]


def _with_progress(summary: Summary, progress: str | None) -> Summary:
    """The summary, which was written at acceptance or at the end, as the progress since then makes it."""
    if progress is None or summary.status in TERMINAL:
        return summary
    fields = from_json(progress)
    return replace(summary, status=fields["status"], error=(fields.get("error") or {}).get("code"))


def _loaded(evolution_id: str, stored: Sequence[str | None]) -> Record:
    *fields, claims = stored
    if fields[1] is None:
        raise NotFound(f"no evolution {evolution_id}")
    return _begun(layout.parsed_record(evolution_id, StoredRecord(*fields)), claims)


def _events(entries: Sequence[Entry], told: Told) -> list[StoredEvent]:
    """The events after what was `told`, which knows them, too, from then on."""
    return [event for entry in entries for event in RawEvents.of(entry).whole(told)]


def _attempts(evolution_id: str, texts: Sequence[str], entries: Sequence[Entry]) -> list[Attempt]:
    """The attempts that stand in the record, and of one in one piece those in the stream beside it."""
    try:
        return [attempt_columns.unpacked(text) for text in (*texts, *(each.get("attempt", "") for _, each in entries))]
    except ValueError as error:
        raise Internal(f"an attempt of evolution {evolution_id} cannot be read") from error


def _begun(evolution: T, claims: str | None) -> T:
    """The evolution, which is `running` where a worker holds this version, or held it when it died."""
    begun = evolution.status == "queued" and int(claims or 0) > 0
    return replace(evolution, status="running") if begun else evolution
