"""Connections to Redis: short timeouts, few retries, and one error for everything that means it is away."""

from types import TracebackType
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.errors import Unavailable

# Seconds until a server that does not answer counts as away; longer than any command blocks.
TIMEOUT_S = 5.0
# Error codes of a server that answers, but takes no writes: its disk or memory is full, it is a replica, or not ready.
REFUSALS = frozenset(
    ("MISCONF", "OOM", "READONLY", "NOREPLICAS", "LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN")
)


def connect_redis(url: str, max_connections: int = 100) -> Any:
    """An asynchronous client, which sends a command again where the connection broke before an answer came: so every
    command must be safe to send twice.

    With `max_connections` in use a command waits for one, up to `TIMEOUT_S`.
    """
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url,
        timeout=TIMEOUT_S,
        decode_responses=True,
        encoding_errors="replace",
        socket_connect_timeout=TIMEOUT_S,
        socket_timeout=TIMEOUT_S,
        health_check_interval=15,
        max_connections=max_connections,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), 3, supported_errors=(RedisConnectionError,)),
    )
    return redis.asyncio.Redis.from_pool(pool)


class Translated:
    """A context that raises `Unavailable` in place of errors that mean that Redis is away, or takes no writes."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RedisError) and is_away(error):
            raise Unavailable("Redis cannot be reached, or takes no writes") from error


class RedisClient:
    """What every class here that speaks to Redis has: a client of its own, and errors translated."""

    def __init__(self, url: str, max_connections: int = 100) -> None:
        self._redis = connect_redis(url, max_connections)
        self._translated = Translated()

    async def close(self) -> None:
        await self._redis.aclose()


def is_away(error: BaseException) -> bool:
    """Whether the error comes from the server's state rather than from the command that was sent."""
    if isinstance(error, RedisConnectionError | RedisTimeoutError):
        return True
    # Where redis-py has a class for a code, its message begins after it.
    code = getattr(error, "status_code", None) or str(error).partition(" ")[0]
    return isinstance(error, ResponseError) and code in REFUSALS
