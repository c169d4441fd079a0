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

# Longer than any call blocks; a frozen server is noticed after it.
TIMEOUT_S = 5.0
# Codes of a server that answers, but cannot take writes: its disk or memory is full, it is a replica, or not ready.
REFUSALS = frozenset(
    ("MISCONF", "OOM", "READONLY", "NOREPLICAS", "LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN")
)


def connect_redis(url: str, max_connections: int = 100) -> Any:
    """An asynchronous client; every command sent through it must bear being sent twice.

    Beyond `max_connections` commands wait for a connection, for as long as for an answer.
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
    """A context that turns a lost or refusing Redis into `Unavailable`."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, RedisError) and is_away(error):
            raise Unavailable("Redis cannot be reached, or takes no writes") from error


def is_away(error: BaseException) -> bool:
    """Whether the error is the server's state rather than our command."""
    if isinstance(error, RedisConnectionError | RedisTimeoutError):
        return True
    # Where redis-py has a class for a code, its message begins after it.
    code = getattr(error, "status_code", None) or str(error).partition(" ")[0]
    return isinstance(error, ResponseError) and code in REFUSALS
