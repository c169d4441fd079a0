"""When to come back."""

import json

import pytest

from services.gateway.edge.errors import RateLimitExceeded, response_of
from services.gateway.edge.search_times import SearchTimes
from shared import errors


@pytest.mark.parametrize(
    ("seconds", "expected"), [([], 1), ([0.2], 1), ([3.2], 4), ([2, 50, 3], 3), ([2, 4], 3), ([900, 800], 60)]
)
def test_callers_may_come_back_once_a_search_has_taken_its_time(seconds: list[float], expected: int) -> None:
    times = SearchTimes()
    for number, taken in enumerate(seconds):
        times.note(f"evo_{number}", taken)
    assert times.retry_after_s == expected


def test_a_search_counts_once_and_old_ones_are_forgotten() -> None:
    times = SearchTimes()
    for _ in range(1000):
        times.note("evo_slow", 50)
    times.note("evo_fast", 2)
    times.note("evo_faster", 1)
    assert times.retry_after_s == 2
    for number in range(100):
        times.note(f"evo_{number}", 9)
    assert times.retry_after_s == 9


def full_for(seconds: float, error: errors.DarwinError) -> errors.DarwinError:
    error.retry_after_s = seconds
    return error


@pytest.mark.parametrize(
    ("error", "expected", "retried"),
    [
        (errors.Overloaded("full"), "7", "true"),
        (errors.DeadlineExceeded("late"), "7", "false"),
        (full_for(44.2, errors.Overloaded("full")), "45", "true"),
        (full_for(44.2, errors.DeadlineExceeded("late")), "45", "false"),
        (full_for(1, errors.Overloaded("full")), "7", "true"),
        (errors.Unavailable("away"), "1", "true"),
        (RateLimitExceeded("too many", 30.4), "31", "true"),
    ],
)
def test_each_refusal_says_what_fits_it(error: errors.DarwinError, expected: str, retried: str) -> None:
    response = response_of(error, search_s=7)
    assert (response.headers["retry-after"], response.headers["x-should-retry"]) == (expected, retried)
    assert json.loads(bytes(response.body))["error"]["message"] == error.message
