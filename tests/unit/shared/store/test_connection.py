"""Which of Redis' answers mean that it is away, and how a Unix socket is named to Celery."""

import pytest
from kombu.connection import Connection
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from services.orchestrator.broker import broker_url
from shared.errors import Unavailable
from shared.store.connection import REFUSALS, Translated, is_away

SAYS = {
    "OOM": "OOM command not allowed when used memory > 'maxmemory'. script: abc, on @user_script:5.",
    "READONLY": "READONLY You can't write against a read only replica.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
}


@pytest.mark.parametrize("code", sorted(REFUSALS))
async def test_a_server_that_takes_no_writes_is_away(code: str) -> None:
    error = BaseParser.parse_error(SAYS.get(code, f"{code} it does not"))
    assert is_away(error), repr(error)
    with pytest.raises(Unavailable):
        async with Translated():
            raise error


@pytest.mark.parametrize(
    "says", ["ERR unknown command", "WRONGTYPE no hash", "BUSYGROUP it exists", "NOSCRIPT none", "OOMPH"]
)
def test_a_command_that_is_wrong_is_our_defect(says: str) -> None:
    assert not is_away(BaseParser.parse_error(says))


def test_a_lost_connection_is_away() -> None:
    assert is_away(RedisConnectionError())
    assert not is_away(ResponseError())
    assert not is_away(ValueError("OOM"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://:p@host:1/2", "redis://:p@host:1/2"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("unix:///run/r.sock?db=3&password=a%2Fb", "redis+socket://:a%2Fb@/run/r.sock?virtual_host=3"),
        ("unix://me:secret@/run/r.sock", "redis+socket://me:secret@/run/r.sock?virtual_host=0"),
    ],
)
def test_a_unix_socket_is_named_as_kombu_names_it(url: str, expected: str) -> None:
    assert broker_url(url) == expected
    assert Connection(broker_url(url)).transport_cls == "redis"
