"""Connections to Redis: short timeouts, few retries, and one error for everything that means it does nothing now."""

import asyncio
import ssl
from types import TracebackType
from typing import Any

import redis.asyncio
from redis.asyncio.connection import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from shared.errors import Unavailable, Unsupported
from shared.redis_address import RedisAddress
from shared.store.refusals import FORBIDDEN, PASSING, answer, explained, note, refusal

# Seconds until a server that does not answer counts as away; longer than any command blocks.
TIMEOUT_S = 5.0
# How long a process that starts waits for Redis to say whether it may be used.
_CHECK_S = 3.0
# Said by a server that is the primary no more. Another connection may lead to the new one.
_DEMOTED = ("READONLY", "MASTERDOWN", "UNBLOCKED")
# What Darwin does to keys, without a lasting effect.
_TOUCH = """
redis.call('HSET', KEYS[1], 'field', 1) redis.call('HGET', KEYS[1], 'field') redis.call('DEL', KEYS[1])
redis.call('LPUSH', KEYS[2], 1) redis.call('DEL', KEYS[2])
redis.call('XADD', KEYS[2], '*', 'field', 1) redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[2], 1, 'member') redis.call('DEL', KEYS[2])
"""
_TOUCHED = ("darwin:access:1", "darwin:access:2")


class _ReconnectsWhenDemoted:
    """A connection that is closed after use where its server says that it is the primary no more."""

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().read_response(*args, **kwargs)  # type: ignore[misc]
        except ResponseError as error:
            if refusal(error) in _DEMOTED:
                self.mark_for_reconnect()  # type: ignore[attr-defined]
            raise


class _PacksAtOnce:
    """A connection that joins the words of a command once. The library joins what it has with each word again, which
    was a third of the time that a save took.
    """

    def pack_command(self, *words: Any) -> list[bytes]:
        encode = self.encoder.encode  # type: ignore[attr-defined]
        name, rest = words[0], words[1:]
        encoded = (name.encode() if isinstance(name, str) else name).split()
        encoded += [word.encode(errors="replace") if type(word) is str else encode(word) for word in rest]
        return [b"".join((b"*%d\r\n" % len(encoded), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)))]


class _Plain(_PacksAtOnce, _ReconnectsWhenDemoted, Connection):
    pass


class _Tls(_PacksAtOnce, _ReconnectsWhenDemoted, SSLConnection):
    pass


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to whichever server is the primary, as Sentinels say, and those to the Sentinels."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


def connect_redis(url: str, max_connections: int = 100) -> Any:
    """An asynchronous client, which sends a command again where the connection broke before an answer came: so every
    command must be safe to send twice.

    With `max_connections` in use a command waits for one, up to `TIMEOUT_S`.

    Raises:
        ValueError: the URL cannot be used.
    """
    return redis.asyncio.Redis.from_pool(_pool(RedisAddress.parse(url), max_connections))


def shared_client(client: Any) -> Any:
    """A further client on the connections of another, which stays their owner."""
    return redis.asyncio.Redis(connection_pool=client.connection_pool)


def _pool(address: RedisAddress, max_connections: int) -> BlockingConnectionPool:
    timeouts = {"socket_connect_timeout": TIMEOUT_S, "socket_timeout": TIMEOUT_S} | {
        name: value for name, value in address.options.items() if name.startswith("socket_")
    }
    tls = dict(address.tls or {})
    connection: dict[str, Any] = {
        "timeout": TIMEOUT_S,
        "max_connections": max_connections,
        "decode_responses": True,
        "encoding_errors": "replace",
        "health_check_interval": 15,
        "retry": _retry(),
        "db": address.database,
        **address.login,
        **timeouts,
        **address.options,
        **tls,
    }
    if address.service:
        known = {**timeouts, **address.sentinel_login, "retry": _retry(), **({"ssl": True, **tls} if tls else {})}
        manager = Sentinel(  # type: ignore[no-untyped-call]
            address.hosts, sentinel_kwargs=known
        )
        return _SentinelPool(  # type: ignore[no-untyped-call]
            address.service, manager, ssl=bool(tls), **connection
        )
    if address.socket:
        keep = {name: value for name, value in connection.items() if name != "socket_keepalive"}
        return BlockingConnectionPool(connection_class=UnixDomainSocketConnection, path=address.socket, **keep)
    ((host, port),) = address.hosts
    return BlockingConnectionPool(connection_class=_Tls if tls else _Plain, host=host, port=port, **connection)


def _retry() -> Retry:
    return Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), 3, supported_errors=(RedisConnectionError,))


class Translated:
    """A context that raises `Unavailable` in place of errors that mean that Redis is away, or refuses what is asked of
    it for a reason of its own. The log says which it is and what helps; the error tells callers nothing of it."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RedisError) and (code := refusal(error)):
            note(code, error)
            raise Unavailable("the store cannot be reached, or takes no writes now: come back later") from error


class RedisClient:
    """What every class here that speaks to Redis has: a client, and errors translated.

    `url` may be a client that others use as well: its connections are then shared, and stay open at `close`.
    """

    def __init__(self, url: str | Any, max_connections: int = 100) -> None:
        self._redis = connect_redis(url, max_connections) if isinstance(url, str) else shared_client(url)
        self._translated = Translated()

    async def close(self) -> None:
        await self._redis.aclose()


async def check_access(url: str, keys: tuple[str, ...] = ()) -> None:
    """Asks Redis whether this process may use it, and touches `keys`. A server that is away, or not ready, is none of
    its concern: that passes.

    Raises:
        Unsupported: the server, its password, permissions or certificate are such that nothing will ever work.
    """
    client = connect_redis(url, 1)
    try:
        async with asyncio.timeout(_CHECK_S):
            await client.ping()
            await client.eval(_TOUCH, len(_TOUCHED), *_TOUCHED)
            for key in keys:
                await client.exists(key)
    except TimeoutError:
        return
    except RedisError as error:
        code = refusal(answer(error))
        if code is not None and code in FORBIDDEN:
            raise Unsupported(f"DARWIN_REDIS_URL: {explained(error)}") from None
        if broken := _broken_tls(error):
            raise Unsupported(f"DARWIN_REDIS_URL: TLS fails: {broken.reason or broken}") from None
        if code not in PASSING:
            raise Unsupported(f"DARWIN_REDIS_URL: this Redis cannot be used: {error}") from None
    finally:
        await client.aclose()


def _broken_tls(error: BaseException | None) -> ssl.SSLError | None:
    """What a handshake failed of, where it was no lost connection."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return error
        error = error.__cause__ or error.__context__
    return None
