"""Connections to Redis: short timeouts, few retries, and one error for everything that means it does nothing now."""

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import hiredis
import redis.asyncio
from redis.asyncio.connection import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.errors import Unavailable
from shared.redis_address import RedisAddress
from shared.store.refusals import note, refusal

# Seconds until a server that does not answer counts as away; longer than any command blocks.
TIMEOUT_S = 5.0
# Made once: to look up the version of redis-py again takes longer than the rest of a connection.
_DRIVER = DriverInfo()
# Said by a server that is the primary no more. Another connection may lead to the new one.
_DEMOTED = ("READONLY", "MASTERDOWN", "UNBLOCKED")


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
    """A connection that has hiredis write its commands too, as it reads the answers: redis-py's asynchronous
    connections join what they have with each word again, which was a third of the time that a save took.
    """

    def pack_command(self, *words: Any) -> list[bytes]:
        try:
            return [hiredis.pack_command((*words[0].split(), *words[1:]))]
        except UnicodeEncodeError:
            packed: list[bytes] = super().pack_command(*words)  # type: ignore[misc]
            return packed


class _Plain(_PacksAtOnce, _ReconnectsWhenDemoted, Connection):
    pass


class _Tls(_PacksAtOnce, _ReconnectsWhenDemoted, SSLConnection):
    pass


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to whichever server is the primary, as Sentinels say, and those to the Sentinels."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


class _Owner:
    """Where the hash slot that a client's keys lie in is, as far as is known: a node of a Redis Cluster tells those who
    ask for what another has. A server that is no cluster is the only one it may be.
    """

    def __init__(self, hosts: Sequence[tuple[str, int]]) -> None:
        self._others = deque(hosts)
        self.address = self._others[0]

    def moved(self, address: tuple[str, int]) -> None:
        self.address = address

    def failed(self, address: tuple[str, int]) -> None:
        """Has the next of those that the URL names be asked, unless somebody has found another meanwhile."""
        if address == self.address:
            self._others.rotate(-1)
            self.address = self._others[0]


class _Follows:
    """A connection to the owner of a hash slot, which is left where another node is the owner now.

    It does not follow keys one by one while a slot moves between nodes: scripts need them all, so that they wait.
    """

    def __init__(self, *, owner: _Owner, **options: Any) -> None:
        super().__init__(**options)
        self._owner = owner

    async def _connect(self) -> None:
        self.host, self.port = address = self._owner.address
        try:
            await super()._connect()  # type: ignore[misc]
        except (OSError, TimeoutError, RedisConnectionError):
            self._owner.failed(address)
            raise

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().read_response(*args, **kwargs)  # type: ignore[misc]
        except MovedError as error:
            self._owner.moved((error.host or self.host, error.port))
            raise RedisConnectionError(f"another node has what is asked for: {error}") from None
        except (OSError, RedisTimeoutError, RedisConnectionError):
            self._owner.failed((self.host, self.port))
            raise


class _FollowsPlain(_Follows, _Plain):
    pass


class _FollowsTls(_Follows, _Tls):
    pass


def connect_redis(url: str, max_connections: int = 100, follow: bool = False) -> Any:
    """An asynchronous client, which sends a command again where the connection broke before an answer came: so every
    command must be safe to send twice.

    With `max_connections` in use a command waits for one, up to `TIMEOUT_S`. With `follow` the server may be any node
    of a Redis Cluster: then all keys that are asked for must lie in one hash slot.

    Raises:
        ValueError: the URL cannot be used.
    """
    return redis.asyncio.Redis.from_pool(_pool(RedisAddress.parse(url, nodes=follow), max_connections, follow))


def _pool(address: RedisAddress, max_connections: int, follow: bool) -> BlockingConnectionPool:
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
        "driver_info": _DRIVER,
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
    if follow:
        connection["owner"] = _Owner(address.hosts)
        return BlockingConnectionPool(connection_class=_FollowsTls if tls else _FollowsPlain, **connection)
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
