"""Uploaded and written files of lines in Redis, with the bytes that each tenant and all together hold.

Redis keys:
  darwin:file:{id}        hash: body (JSON), tenant, bytes, ready; beside it :lines, a list of the lines, and :batches,
                          a set of the batches that read it and have not ended
  darwin:files:{tenant}   sorted set of a tenant's readable files by when they were made
  darwin:file-expiry      sorted set of all files by when the sweep removes them
  darwin:file-usage       hash: bytes in all (`*`); bytes (`b:{tenant}`) and files (`n:{tenant}`) of each tenant

A file becomes readable once it is complete. One whose upload was broken off is removed by the sweep.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import TypeAdapter

from shared.errors import Conflict, NotFound, Overloaded
from shared.store.layout import dumped, parsed
from shared.store.lua import Script
from shared.store.redis_keys import RedisKeys
from shared.store.shards import RedisClient

# A file that is not complete by then was abandoned.
_UNFINISHED_S = 3600.0
# Lines are read until they hold so many bytes.
_PAGE_BYTES = 2**20
# How long the sweep leaves a file alone that has expired while a batch reads it.
_IN_USE_S = 600.0


@dataclass(frozen=True)
class File:
    """What is known of a file; times are Unix seconds. `bytes` counts its text in UTF-8."""

    id: str
    tenant: str
    filename: str
    purpose: Literal["batch", "batch_output"]
    created_at: float
    expires_at: float
    bytes: int = 0


@dataclass(frozen=True)
class FileLimits:
    """Bytes of files that may be held: of one tenant and in all; and the number of files of one tenant."""

    tenant_bytes: int
    total_bytes: int
    tenant_files: int


_FILE: TypeAdapter[File] = TypeAdapter(File)

# `offset` is how many lines the file has before, so that a script that is sent twice adds them once.
_APPEND = Script(
    """
local have = redis.call('LLEN', lines)
if have == offset + #new_lines then return 'added' end
if have ~= tonumber(offset) then return 'gone' end
local field = 'b:' .. tenant
if redis.call('HGET', usage, '*') and redis.call('HGET', usage, '*') + size > tonumber(max_total) then return 'full' end
if (redis.call('HGET', usage, field) or 0) + size > tonumber(max_tenant) then return 'tenant full' end
if redis.call('EXISTS', file) == 0 then
  if have > 0 then return 'gone' end
  if tonumber(redis.call('HGET', usage, 'n:' .. tenant) or 0) >= tonumber(max_files) then return 'many' end
  redis.call('HSET', file, 'tenant', tenant, 'bytes', 0)
  redis.call('HINCRBY', usage, 'n:' .. tenant, 1)
  redis.call('ZADD', expiry, until_at, id)
end
for _, line in ipairs(new_lines) do redis.call('RPUSH', lines, line) end
redis.call('HINCRBY', file, 'bytes', size)
redis.call('HINCRBY', usage, field, size)
redis.call('HINCRBY', usage, '*', size)
return 'added'
""",
    keys="file lines expiry usage",
    args="id tenant offset size until_at max_tenant max_total max_files *new_lines",
)

_COMPLETE = Script(
    """
if redis.call('EXISTS', file) == 0 then return 0 end
redis.call('HSET', file, 'body', body, 'ready', 1)
redis.call('ZADD', expiry, expires_at, id)
redis.call('ZADD', tenant_list, created_at, id)
return 1
""",
    keys="file expiry tenant_list",
    args="id body created_at expires_at",
)

# Returns -1 where a batch reads the file: it then stays, and the sweep looks at it again at `later`, if it has expired.
_REMOVE = Script(
    """
if redis.call('SCARD', users) > 0 then
  if later ~= '' then redis.call('ZADD', expiry, 'XX', later, id) end
  return -1
end
redis.call('ZREM', expiry, id)
local stored = redis.call('HMGET', file, 'tenant', 'bytes')
if not stored[1] then return 0 end
redis.call('HINCRBY', usage, 'n:' .. stored[1], -1)
redis.call('HINCRBY', usage, 'b:' .. stored[1], -stored[2])
redis.call('HINCRBY', usage, '*', -stored[2])
redis.call('ZREM', lists .. stored[1], id)
redis.call('UNLINK', file, lines)
return 1
""",
    keys="file lines expiry usage users",
    args="id later lists",
)

# Reads ten lines at a time, up to `count`, until they hold `most_bytes`.
_READ = Script(
    """
local found, size, last = {}, 0, first + count - 1
for begin = tonumber(first), last, 10 do
  local page = redis.call('LRANGE', lines, begin, math.min(begin + 9, last))
  for _, line in ipairs(page) do
    table.insert(found, line)
    size = size + #line
  end
  if #page < 10 or size >= tonumber(most_bytes) then break end
end
return found
""",
    keys="lines",
    args="first count most_bytes",
)


class Files(RedisClient):
    """Access to files. Every method raises `Unavailable` where Redis is away."""

    async def append(self, file: File, offset: int, lines: Sequence[str], size: int, limits: FileLimits) -> None:
        """Adds lines, `size` bytes of text, to a file that has `offset` lines; the first of them begin it.

        Raises:
            Overloaded: a limit is reached.
            NotFound: the file was removed meanwhile.
        """
        async with self._translated:
            outcome = await _APPEND(
                self._redis,
                **file_keys(self._key, file.id),
                id=file.id,
                tenant=file.tenant,
                offset=offset,
                size=size,
                until_at=time.time() + _UNFINISHED_S,
                max_tenant=limits.tenant_bytes,
                max_total=limits.total_bytes,
                max_files=limits.tenant_files,
                new_lines=lines,
            )
        match outcome:
            case "gone":
                raise NotFound(f"No such File object: {file.id}")
            case "many":
                raise Overloaded(f"{limits.tenant_files} files are held: delete some, or wait until they expire")
            case "tenant full":
                raise Overloaded(f"files may hold {limits.tenant_bytes} bytes together: delete some, or wait")
            case "full":
                raise Overloaded("this deployment has no room for more files: come back later")

    async def complete(self, file: File) -> File:
        """Makes a file readable, until it expires.

        Raises:
            NotFound: it was removed meanwhile.
        """
        async with self._translated:
            size = int(await self._redis.hget(self._key(f"file:{file.id}"), "bytes") or 0)
            file = replace(file, bytes=size)
            keys = file_keys(self._key, file.id)
            done = await _COMPLETE(
                self._redis,
                file=keys["file"],
                expiry=keys["expiry"],
                tenant_list=self._key(f"files:{file.tenant}"),
                id=file.id,
                body=dumped(_FILE, file),
                created_at=file.created_at,
                expires_at=file.expires_at,
            )
        if not done:
            raise NotFound(f"No such File object: {file.id}")
        return file

    async def load(self, file_id: str, tenant: str | None) -> File:
        """A readable file of the tenant (None: of any).

        Raises:
            NotFound: there is none, or it is another tenant's; the two look alike.
        """
        async with self._translated:
            body = await self._redis.hget(self._key(f"file:{file_id}"), "body")
        file = parsed(_FILE, body, f"the file {file_id}") if body else None
        if file is None or file.expires_at <= time.time() or (tenant is not None and file.tenant != tenant):
            raise NotFound(f"No such File object: {file_id}", field="id")
        return file

    async def listed(self, tenant: str) -> list[File]:
        """A tenant's readable files, oldest first."""
        async with self._translated:
            ids = await self._redis.zrange(self._key(f"files:{tenant}"), 0, -1)
            async with self._redis.pipeline(transaction=False) as pipeline:
                for file_id in ids:
                    pipeline.hget(self._key(f"file:{file_id}"), "body")
                bodies = await pipeline.execute()
        found = [parsed(_FILE, body, "a file") for body in bodies if body]
        return [file for file in found if file.expires_at > time.time()]

    async def lines(self, file_id: str, first: int, count: int) -> list[str]:
        """Up to `count` lines from number `first` (from 0) on, fewer where they are long; none past the end, or where
        there is no such file.
        """
        async with self._translated:
            found: list[str] = await _READ(
                self._redis, lines=self._key(f"file:{file_id}:lines"), first=first, count=count, most_bytes=_PAGE_BYTES
            )
        return found

    async def remove(self, file_id: str) -> bool:
        """Removes a file, complete or not; whether there was one.

        Raises:
            Conflict: a batch that has not ended reads it.
        """
        removed = await self._remove(file_id)
        if removed < 0:
            raise Conflict(f"a batch reads {file_id}: cancel it, or wait until it has ended", field="file_id")
        return removed > 0

    async def _remove(self, file_id: str, later: float | str = "") -> int:
        async with self._translated:
            removed = await _REMOVE(
                self._redis,
                **file_keys(self._key, file_id),
                users=users_key(self._key, file_id),
                id=file_id,
                later=later,
                lists=self._key("files:"),
            )
        return int(removed)

    async def held_bytes(self, tenant: str) -> tuple[int, int]:
        """Bytes of the tenant's files, and of everybody's."""
        async with self._translated:
            own, total = await self._redis.hmget(self._key("file-usage"), [f"b:{tenant}", "*"])
        return int(own or 0), int(total or 0)

    async def sweep(self) -> int:
        """Removes files that have expired; how many."""
        async with self._translated:
            ids = await self._redis.zrangebyscore(self._key("file-expiry"), "-inf", time.time(), 0, 100)
        return [await self._remove(file_id, time.time() + _IN_USE_S) for file_id in ids].count(1)


def file_keys(key: RedisKeys, file_id: str) -> dict[str, str]:
    """The redis keys of a file, by the names that scripts give them."""
    file = key(f"file:{file_id}")
    return {"file": file, "lines": f"{file}:lines", "expiry": key("file-expiry"), "usage": key("file-usage")}


def users_key(key: RedisKeys, file_id: str) -> str:
    """The redis key of the batches that read a file and have not ended."""
    return key(f"file:{file_id}:batches")
