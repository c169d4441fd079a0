"""Batches in Redis: which lines were begun and which have ended, under a lease of whoever drives the batch.

Redis keys:
  darwin:batch:{id}           hash: body (JSON), status, ending, total, next, completed, failed, generated, errors,
                              {status}_at; beside it :running (set of line numbers) and :lease
  darwin:file:{id}:batches    set of the batches that read a file and have not ended
  darwin:batches:{tenant}     sorted set of a tenant's batches by when they were made
  darwin:batch-open           sorted set of the batches that have not ended
  darwin:batch-running        set of {id}:{line} of all batches

A line is begun by its number alone; its evolution's id follows from it, so it is submitted once however often it is
tried. Its outcome is written to a file in the step that takes it out of the running ones.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from shared.errors import NotFound, Overloaded
from shared.records.evolution import TraceContext
from shared.store.batch_scripts import BEGIN, CREATE, END, FINISH, GIVE_BACK, MOVE, RELEASE, SKIP, TAKE, running_keys
from shared.store.files import file_keys, users_key
from shared.store.layout import dumped, parsed
from shared.store.redis_keys import RedisKeys
from shared.store.shards import RedisClient

OPEN_STATUSES = ("validating", "in_progress", "finalizing", "cancelling")
_OPEN = "batch-open"
_KEPT = 1000


@dataclass(frozen=True)
class Batch:
    """A batch. What follows `fingerprint` changes as it is driven; times are Unix seconds.

    Its searches sample `max_generated_tokens` together, None for as many as they like, each in at most `cycles` where
    it names none itself. `fingerprint` is that of the request that an idempotency key stands for, "" without one.
    `ending` is the status that a batch which is being wound down will have. `next` is the first line not begun yet.
    `at` holds when each status was entered.
    """

    id: str
    tenant: str
    key_id: str
    endpoint: str
    input_file_id: str
    created_at: float
    expires_at: float
    metadata: dict[str, str] | None = None
    output_ttl_s: int = 0
    trace: TraceContext | None = None
    max_generated_tokens: int | None = None
    cycles: int = 1
    fingerprint: str = ""
    status: str = "validating"
    ending: str = ""
    total: int = 0
    next: int = 0
    completed: int = 0
    failed: int = 0
    generated: int = 0
    errors: tuple[dict[str, Any], ...] = ()
    at: dict[str, int] = field(default_factory=dict)
    output_ready: bool = False
    error_ready: bool = False

    @property
    def output_file_id(self) -> str:
        return f"file-{_digest(self.id, 'output')[:24]}"

    @property
    def error_file_id(self) -> str:
        return f"file-{_digest(self.id, 'errors')[:24]}"

    def evolution_id(self, line: int) -> str:
        """The id of the evolution that answers a line, the same whenever it is asked for."""
        return f"evo_{_digest(self.id, str(line))[:32]}"


_BATCH: TypeAdapter[Batch] = TypeAdapter(Batch)


class Batches(RedisClient):
    """Access to batches. Every method raises `Unavailable` where Redis is away."""

    async def create(self, batch: Batch, most_open: int) -> None:
        """Stores a new batch.

        Raises:
            Overloaded: the tenant has `most_open` batches that have not ended.
        """
        async with self._translated:
            created = await CREATE(
                self._redis,
                batch=self._key(f"batch:{batch.id}"),
                open=self._key(_OPEN),
                tenant_list=self._key(f"batches:{batch.tenant}"),
                users=users_key(self._key, batch.input_file_id),
                id=batch.id,
                body=dumped(_BATCH, batch),
                created_at=batch.created_at,
                most_open=most_open,
                most_kept=_KEPT,
                batches=self._key("batch:"),
            )
        if not created:
            raise Overloaded(f"{most_open} batches have not ended: come back later")

    async def load(self, batch_id: str, tenant: str | None) -> Batch:
        """The batch as it stands.

        Raises:
            NotFound: there is none, or it is another tenant's.
        """
        async with self._translated:
            stored = await self._redis.hgetall(self._key(f"batch:{batch_id}"))
        batch = _batch(batch_id, stored) if stored else None
        if batch is None or (tenant is not None and batch.tenant != tenant):
            raise NotFound(f"No batch found with id '{batch_id}'.", field="id")
        return batch

    async def listed(self, tenant: str, after: str | None, count: int) -> list[Batch]:
        """Up to `count` batches of the tenant, the newest first, from past `after` on.

        Raises:
            NotFound: `after` is no batch of the tenant.
        """
        first, list_key = 0, self._key(f"batches:{tenant}")
        async with self._translated:
            if after is not None:
                rank = await self._redis.zrevrank(list_key, after)
                if rank is None:
                    raise NotFound(f"No batch found with id '{after}'.", field="after")
                first = rank + 1
            while True:
                ids = await self._redis.zrevrange(list_key, first, first + count - 1)
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for batch_id in ids:
                        pipeline.hgetall(self._key(f"batch:{batch_id}"))
                    found = dict(zip(ids, await pipeline.execute(), strict=True))
                expired = [batch_id for batch_id, stored in found.items() if not stored]
                if not expired:
                    return [_batch(batch_id, stored) for batch_id, stored in found.items()]
                await self._redis.zrem(list_key, *expired)

    async def open(self) -> list[str]:
        """The ids of the batches that have not ended, the oldest first."""
        async with self._translated:
            ids: list[str] = await self._redis.zrange(self._key(_OPEN), 0, -1)
        return ids

    async def hold(self, batch_id: str, holder: str, ttl_s: float) -> bool:
        """Takes or renews the lease of a batch; whether the holder has it now."""
        async with self._translated:
            return bool(
                await TAKE(
                    self._redis, lease=self._key(f"batch:{batch_id}:lease"), holder=holder, ttl_ms=int(ttl_s * 1000)
                )
            )

    async def release(self, batch_id: str, holder: str) -> None:
        """Gives up the lease of a batch, where the holder has it."""
        async with self._translated:
            await RELEASE(self._redis, lease=self._key(f"batch:{batch_id}:lease"), holder=holder)

    async def begin(self, batch_id: str, holder: str, most: int, most_of_all: int) -> list[int]:
        """Begins lines until `most` of the batch, and `most_of_all` of all batches, run; the lines that run now."""
        async with self._translated:
            lines = await BEGIN(
                self._redis,
                **running_keys(self._key, batch_id),
                id=batch_id,
                holder=holder,
                most=most,
                most_of_all=most_of_all,
            )
        return sorted(int(line) for line in lines)

    async def give_back(self, batch_id: str, holder: str, line: int) -> bool:
        """Has the line that was begun last be the next one again; whether it is."""
        async with self._translated:
            return bool(
                await GIVE_BACK(self._redis, **running_keys(self._key, batch_id), id=batch_id, holder=holder, line=line)
            )

    async def finish(self, batch: Batch, line: int, text: str, *, completed: bool, generated: int = 0) -> bool:
        """Ends a line that runs, with `text` as its line in the output file or the error file; whether it ran.
        `generated` tokens are counted against the batch's budget.
        """
        async with self._translated:
            ended = await FINISH(
                self._redis,
                **running_keys(self._key, batch.id),
                **_file_keys(self._key, batch, completed=completed),
                id=batch.id,
                line=line,
                kind="completed" if completed else "failed",
                generated=generated,
                **_added(batch, [text], completed=completed),
                text=text,
            )
        return bool(ended)

    async def skip(self, batch: Batch, texts: Sequence[str]) -> bool:
        """Ends the next lines, which were never begun, each with its line of the error file; whether they were next."""
        async with self._translated:
            skipped = await SKIP(
                self._redis,
                batch=self._key(f"batch:{batch.id}"),
                **_file_keys(self._key, batch, completed=False),
                next=batch.next,
                **_added(batch, texts, completed=False),
                texts=texts,
            )
        return bool(skipped)

    async def move(self, batch: Batch, begun: str, ended: str, **fields: str | int) -> bool:
        """From one status to another, with further fields; whether the batch has the status `ended` now."""
        async with self._translated:
            moved = await MOVE(
                self._redis,
                batch=self._key(f"batch:{batch.id}"),
                open=self._key(_OPEN),
                notices=self._key.notices,
                users=users_key(self._key, batch.input_file_id),
                id=batch.id,
                begun=begun,
                ended=ended,
                now=int(time.time()),
                final=int(ended not in OPEN_STATUSES),
                names=list(fields),
                values=list(fields.values()),
            )
        return bool(moved)

    async def end(self, batch_id: str, ending: str, errors: Sequence[dict[str, Any]] = ()) -> None:
        """Has a batch that is validated or in progress wind down: no further line begins."""
        async with self._translated:
            await END(
                self._redis,
                batch=self._key(f"batch:{batch_id}"),
                status="cancelling" if ending == "cancelled" else "finalizing",
                ending=ending,
                errors=json.dumps(list(errors)) if errors else "",
                now=int(time.time()),
            )

    async def expire(self, batch: Batch, ttl_s: int) -> None:
        """Forgets a batch that has ended after so many seconds."""
        async with self._translated:
            await self._redis.expire(self._key(f"batch:{batch.id}"), ttl_s)


def _batch(batch_id: str, stored: dict[str, str]) -> Batch:
    batch = parsed(_BATCH, stored.get("body"), f"the batch {batch_id}")
    return replace(
        batch,
        status=stored["status"],
        ending=stored.get("ending", ""),
        errors=tuple(json.loads(stored.get("errors") or "[]")),
        at={name.removesuffix("_at"): int(value) for name, value in stored.items() if name.endswith("_at")},
        output_ready=stored.get("output_ready") == "1",
        error_ready=stored.get("error_ready") == "1",
        total=int(stored.get("total", 0)),
        next=int(stored.get("next", 0)),
        completed=int(stored.get("completed", 0)),
        failed=int(stored.get("failed", 0)),
        generated=int(stored.get("generated", 0)),
    )


def _added(batch: Batch, texts: Sequence[str], *, completed: bool) -> dict[str, str | int]:
    """What the scripts need to add lines to the files of a batch, whose bytes count as its tenant's."""
    return {
        "file_id": batch.output_file_id if completed else batch.error_file_id,
        "tenant": batch.tenant,
        "size": sum(len(text.encode()) + 1 for text in texts),
        "until_at": int(batch.expires_at + 86_400),
    }


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _file_keys(key: RedisKeys, batch: Batch, *, completed: bool) -> dict[str, str]:
    return file_keys(key, batch.output_file_id if completed else batch.error_file_id)
