"""Whether Redis may be used, which a process asks before it starts."""

import asyncio
import ssl
from collections.abc import Coroutine, Sequence
from typing import Any

from redis.exceptions import MovedError, RedisError

from shared.errors import Unsupported
from shared.redis_address import servers
from shared.store.connection import connect_redis
from shared.store.redis_keys import RedisKeys
from shared.store.refusals import FORBIDDEN, PASSING, answer, explained, refusal
from shared.store.shards import Shard, Shards

# How long a process that starts waits for Redis to say whether it may be used.
_CHECK_S = 3.0
# What Darwin does to keys, without a lasting effect.
_TOUCH = """
redis.call('HSET', KEYS[1], 'field', 1) redis.call('HGET', KEYS[1], 'field') redis.call('DEL', KEYS[1])
redis.call('LPUSH', KEYS[2], 1) redis.call('DEL', KEYS[2])
redis.call('XADD', KEYS[2], '*', 'field', 1) redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[2], 1, 'member') redis.call('DEL', KEYS[2])
"""
# Beside each shard's keys: its number and how many there are.
_MARK = "shards"
_MOST_LOOKED_FOR = 16
_MARKED_S = 1.0


async def check_access(url: str, shards: int | None = None, keys: tuple[str, ...] = ()) -> None:
    """Asks Redis whether this process may use it, and touches `keys`. A server that is away, or not ready, is none of
    its concern: that passes. What is first used with a number of shards is used with no other.

    Raises:
        Unsupported: the server, its password, permissions or certificate are such that nothing will ever work; or it
            holds another number of shards.
    """
    urls, connected = servers(url, shards), Shards.connect(url, shards, 1)
    try:
        found = await asyncio.gather(*(_check(_check_strangers(each, urls)) for each in dict.fromkeys(urls)))
        found += await asyncio.gather(*(_check(_check_shard(shard, keys)) for shard in connected))
        if all(found):
            await _check(_check_marks(connected))
    finally:
        await connected.close()


async def _check_shard(shard: Shard, keys: tuple[str, ...]) -> None:
    await shard.redis.ping()
    touched = shard.keys("access:1"), shard.keys("access:2")
    await shard.redis.eval(_TOUCH, len(touched), *touched)
    for key in keys:
        await shard.redis.exists(key)


async def _check_marks(shards: Shards) -> None:
    """Marks every shard, where none is, and looks whether each is what it was."""
    marks = {shard: f"{shard.number} of {len(shards)}" for shard in shards}
    for patience_s in (_MARKED_S, 0.0):
        found = {shard: await shard.redis.get(shard.keys(_MARK)) for shard in shards}
        if wrong := [mark for shard, mark in found.items() if mark not in {None, marks[shard]}]:
            raise _strange(wrong[0])
        absent = [shard for shard, mark in found.items() if mark is None]
        if not absent:
            return
        if len(absent) == len(shards):
            for shard, mark in marks.items():
                await shard.redis.set(shard.keys(_MARK), mark, nx=True)
            return
        # Another process that starts may be about to mark them.
        await asyncio.sleep(patience_s)
    raise Unsupported(
        f"DARWIN_REDIS_SHARDS: shard {marks[absent[0]]} is not where DARWIN_REDIS_URL says, and others are: name the "
        f"servers as before; or if it is lost, SET {absent[0].keys(_MARK)} '{marks[absent[0]]}' there"
    )


async def _check_strangers(url: str, urls: Sequence[str]) -> None:
    """Looks for shards that are not to lie on this server. On a Redis Cluster all may that have numbers."""
    client, several = connect_redis(url, 1, follow=len(urls) > 1), len(urls) > 1
    numbers = range(max(_MOST_LOOKED_FOR, len(urls)))
    try:
        for number in numbers:
            there = several and number < len(urls) and urls[number] == url
            if not there and (found := await client.get(RedisKeys(number)(_MARK))):
                raise _strange(found)
        if several and await client.exists(RedisKeys()(_MARK)) + await client.exists(RedisKeys().listing(None)):
            raise _strange("0 of 1")
    finally:
        await client.aclose()


def _strange(mark: str) -> Unsupported:
    number, _, count = mark.partition(" of ")
    return Unsupported(
        f"DARWIN_REDIS_SHARDS: a server of DARWIN_REDIS_URL holds shard {number} of {count}, and the number and order "
        "of shards cannot change: name the servers as before, or others, which are empty"
    )


async def _check(work: Coroutine[Any, Any, None]) -> bool:
    """Does `work`; raises `Unsupported` for what will never work, and returns whether it worked now."""
    try:
        async with asyncio.timeout(_CHECK_S):
            await work
        return True
    except TimeoutError:
        return False
    except RedisError as error:
        code = refusal(answer(error))
        if code is not None and code in FORBIDDEN:
            raise Unsupported(f"DARWIN_REDIS_URL: {explained(error)}") from None
        if broken := _broken_tls(error):
            raise Unsupported(f"DARWIN_REDIS_URL: TLS fails: {broken.reason or broken}") from None
        if isinstance(error, MovedError) or "CROSSSLOT" in str(error):
            raise Unsupported(
                "DARWIN_REDIS_URL: this is a Redis Cluster, where all keys of a shard lie in one hash slot: set "
                "DARWIN_REDIS_SHARDS to 2 or more"
            ) from None
        if code not in PASSING:
            raise Unsupported(f"DARWIN_REDIS_URL: this Redis cannot be used: {error}") from None
        return False


def _broken_tls(error: BaseException | None) -> ssl.SSLError | None:
    """What a handshake failed of, where it was no lost connection."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return error
        error = error.__cause__ or error.__context__
    return None
