"""When another server wants to be asked again: in seconds, in milliseconds, at a date."""

import time
from email.utils import formatdate

import pytest

from shared.process.retry_after import retry_after


@pytest.mark.parametrize(
    ("said", "expected"),
    [("7", 7), ("0", 0), ("0.5", 0.5), ("-1", None), ("nan", None), ("1e9", None), ("soon", None), ("", None)],
)
def test_seconds(said: str, expected: float | None) -> None:
    assert retry_after({"retry-after": said}) == expected


def test_nothing_is_said() -> None:
    assert retry_after({}) is None


def test_a_date() -> None:
    assert retry_after({"retry-after": formatdate(time.time() + 30, usegmt=True)}) == pytest.approx(30, abs=2)
    assert retry_after({"retry-after": formatdate(time.time() - 30, usegmt=True)}) == 0
    assert retry_after({"retry-after": formatdate(time.time() + 9999, usegmt=True)}) is None
    assert retry_after({"retry-after": "Wed, 99 Foo 2026 99:99:99 GMT"}) is None


def test_milliseconds_count_first() -> None:
    assert retry_after({"retry-after-ms": "1500", "retry-after": "2"}) == 1.5
    assert retry_after({"retry-after-ms": "soon", "retry-after": "2"}) == 2
