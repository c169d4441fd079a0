"""Which of Redis' answers mean that it does nothing now, or forbids what is asked; what the log and callers hear."""

import logging
from typing import Any

import pytest
from redis._parsers.base import BaseParser
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.errors import Unavailable
from shared.store import refusals
from shared.store.connection import Translated
from shared.store.refusals import AWAY, PASSING, refusal

SAYS = {
    "OOM": "OOM command not allowed when used memory > 'maxmemory'. script: abc, on @user_script:5.",
    "READONLY": "READONLY You can't write against a read only replica.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "ASK": "ASK 3999 127.0.0.1:6381",
    "LOADING": "LOADING Redis is loading the dataset in memory",
}


@pytest.fixture(autouse=True)
def nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_logged_at", {})


def parsed(text: str) -> Any:
    """The error as redis-py reads it from the wire."""
    return BaseParser.parse_error(text)


def annotated(text: str) -> Any:
    """The same of a command in a pipeline."""
    error = parsed(text)
    Pipeline.annotate_exception(None, error, 1, ("SET", "a", "OOM ("))  # type: ignore[arg-type]
    return error


@pytest.mark.parametrize("code", sorted(PASSING.keys() - {AWAY}))
@pytest.mark.parametrize("read", [parsed, annotated])
async def test_a_server_that_does_nothing_now_is_told_by_its_code(code: str, read: Any) -> None:
    error = read(SAYS.get(code, f"{code} it does not"))
    assert refusal(error) == code, repr(error)
    with pytest.raises(Unavailable):
        async with Translated():
            raise error


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed", "OOM"),
        ("ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -MISCONF Redis is", "MISCONF"),
        ("NOPERM User u has no permissions to run the 'set' command", "NOPERM"),
        ("ERR ACL failure in script: User u has no permissions to run the 'set' command script: on @1.", "NOPERM"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "AUTH"),
        ("NOAUTH Authentication required.", "AUTH"),
        ("ERR max number of clients reached", AWAY),
    ],
)
def test_codes_within_other_errors(says: str, code: str) -> None:
    assert refusal(parsed(says)) == code


@pytest.mark.parametrize(
    "says",
    [
        "ERR unknown command",
        "ERR Error running script (call to f_1): @user_script:1: attempt to index a nil value: BUSY ",
        "WRONGTYPE no hash",
        "BUSYGROUP it exists",
        "NOSCRIPT none",
        "OOMPH is none",
        "ERR OOM is only mentioned",
    ],
)
async def test_a_command_that_is_wrong_is_our_defect(says: str) -> None:
    error = parsed(says)
    assert refusal(error) is None
    with pytest.raises(ResponseError):
        async with Translated():
            raise error


def test_a_lost_connection_is_away() -> None:
    assert refusal(RedisConnectionError()) == refusal(RedisTimeoutError()) == AWAY
    assert refusal(ResponseError()) is None
    assert refusal(ValueError("OOM")) is None


async def test_operators_hear_once_what_helps_and_callers_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        for says in (SAYS["OOM"], "NOPERM User u has no permissions to run the 'set' command"):
            with pytest.raises(Unavailable) as raised:
                async with Translated():
                    raise parsed(says)
            assert not any(word in raised.value.message.lower() for word in ("redis", "oom", "noperm", "user u"))
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR]
    full, forbidden = (record.getMessage() for record in caplog.records)
    assert "OOM (command not allowed" in full
    assert "raise maxmemory" in full
    assert "NOPERM (User u has no permissions to run the 'set' command)" in forbidden
    assert "ACL SETUSER" in forbidden
