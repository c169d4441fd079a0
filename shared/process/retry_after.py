"""When another server wants to be asked again, as the headers of its refusal say."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER_S = 3600.0
"""Of a longer time nothing is believed."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `retry-after-ms` names, as OpenAI's servers give it, else `Retry-After` (RFC 9110, 10.2.3): a number
    of seconds or a date. None where there is neither, or nothing that can be read. Names in `headers` are lower case,
    or read in any case.
    """
    found = _number(headers.get("retry-after-ms", ""))
    said = headers.get("retry-after", "")
    seconds = found / 1000 if found is not None else _number(said)
    if seconds is None:
        seconds = _seconds_until(said)
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_RETRY_AFTER_S else None


def _number(said: str) -> float | None:
    try:
        return float(said)
    except ValueError:
        return None


def _seconds_until(date: str) -> float | None:
    """Seconds until a date of HTTP; 0 where it has passed."""
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
