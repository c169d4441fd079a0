"""What Redis says where it does not do what it is asked, told from the kind of the error, and what helps."""

import logging
import re
import time
from collections.abc import Mapping
from types import MappingProxyType

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.errors import Unavailable

log = logging.getLogger(__name__)

AWAY = "AWAY"
PASSING: Mapping[str, str] = MappingProxyType(
    {
        AWAY: "see that it runs, and that DARWIN_REDIS_URL leads to it, by rediss:// where it speaks TLS",
        "OOM": "its memory is full: raise maxmemory, or keep evolutions for a shorter time (DARWIN_RECORD_TTL_S)",
        "MISCONF": "it cannot write to its disk: see its log and the room on its volume",
        "READONLY": "it is a replica: let DARWIN_REDIS_URL lead to the primary, or to Sentinels (sentinel://)",
        "UNBLOCKED": "it has just become a replica",
        "MASTERDOWN": "it is a replica without its primary: let one of them become the primary",
        "NOREPLICAS": "too few replicas follow it (min-replicas-to-write)",
        "LOADING": "it reads what it keeps from its disk",
        "BUSY": "a script of somebody holds it up: SCRIPT KILL ends it",
        "TRYAGAIN": "its cluster moves a shard's hash slot: that shard waits until it has moved",
        "ASK": "its cluster moves a shard's hash slot: that shard waits until it has moved",
        "CLUSTERDOWN": "a primary of its cluster is away: start it, or let a replica take over",
    }
)
"""Codes of a server that does nothing now, and what an operator can do. Its state passes, so callers may wait."""

FORBIDDEN: Mapping[str, str] = MappingProxyType(
    {
        "AUTH": "set user and password in DARWIN_REDIS_URL",
        "NOPERM": "give the user of DARWIN_REDIS_URL the commands and keys that docs/operations.md names (ACL SETUSER)",
    }
)
"""Codes of a server that does not let this process do what it must, and what an operator has to do."""

_ADVICE = {**PASSING, **FORBIDDEN}
# A code that redis-py left in the text, maybe after a pipeline's command; and one in what Redis 6 says of a script.
_CODE = re.compile(r"^(?:Command #.*caused error: (?:\(['\"])?)?([A-Z]+) ", re.DOTALL)
_CODE_IN_SCRIPT = re.compile(
    r"^(?:Command #.*caused error: (?:\(['\"])?)?Error running script.*: -([A-Z]+) ", re.DOTALL
)
_ACL_IN_SCRIPT = "ACL failure in script"
_LOGGED_EVERY_S = 60.0

_logged_at: dict[str, float] = {}


def refusal(error: BaseException) -> str | None:
    """The code in `PASSING` or `FORBIDDEN` that an error means; None where the command is wrong, or something else is.

    redis-py takes the code out of the text of most errors, so it is told from their class or `status_code`.
    """
    if (answered := answer(error)) is not error:
        return refusal(answered) or AWAY
    if isinstance(error, AuthenticationError):
        return "AUTH"
    code = _code(error) if isinstance(error, RedisError) else ""
    if isinstance(error, RedisConnectionError | RedisTimeoutError):
        return code if code in PASSING else AWAY
    if isinstance(error, NoPermissionError) or (isinstance(error, ResponseError) and _ACL_IN_SCRIPT in str(error)):
        return "NOPERM"
    return code if isinstance(error, ResponseError) and code in _ADVICE else None


def answer(error: BaseException) -> BaseException:
    """What the server answered where that is why a connection was not made, as redis-py wraps it; else the error."""
    cause = error.__cause__
    return answer(cause) if isinstance(error, RedisConnectionError) and isinstance(cause, RedisError) else error


def note(code: str, error: BaseException) -> None:
    """Logs a refusal with what helps, each kind once a minute however many commands meet it."""
    now = time.monotonic()
    if now - _logged_at.get(code, -_LOGGED_EVERY_S) < _LOGGED_EVERY_S:
        return
    _logged_at[code] = now
    level = logging.ERROR if code in FORBIDDEN else logging.WARNING
    log.log(level, "%s", explained(error))


def explained(error: BaseException) -> str:
    """What Redis said and what helps, for operators: of its own error, or of `Unavailable` that came of one."""
    found = error.__cause__ if isinstance(error, Unavailable) and error.__cause__ else error
    code = refusal(found)
    return f"Redis {said(code, found)}: {_ADVICE[code]}" if code else str(error)


def said(code: str, error: BaseException) -> str:
    """What Redis said, for operators."""
    told = str(answer(error)).removeprefix(f"{code} ")
    if code == AWAY:
        return f"cannot be reached ({told})"
    return f"refuses this process, {code} ({told})" if code in FORBIDDEN else f"does nothing now, {code} ({told})"


def _code(error: RedisError) -> str:
    code = error.status_code
    if code and code != "ERR":
        return code
    found = (_CODE_IN_SCRIPT if code else _CODE).search(str(error))
    return found[1] if found else ""
