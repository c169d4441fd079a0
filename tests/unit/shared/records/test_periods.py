"""Calendar periods, in UTC whatever the machine's zone."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.records.periods import period_end, period_label, period_start
from shared.records.spending import PERIODS, Period, Prices, Spending

SUNDAY = datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC).timestamp()
MONDAY = datetime(2026, 11, 30, 0, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "sunday", "monday", "end"),
    [
        ("hour", "2026-11-29T23", "2026-11-30T00", "2026-11-30T00:00:00+00:00"),
        ("day", "2026-11-29", "2026-11-30", "2026-11-30T00:00:00+00:00"),
        ("week", "2026-11-23", "2026-11-30", "2026-11-30T00:00:00+00:00"),
        ("month", "2026-11", "2026-11", "2026-12-01T00:00:00+00:00"),
    ],
)
def test_where_periods_begin_and_end(
    monkeypatch: pytest.MonkeyPatch, period: Period, sunday: str, monday: str, end: str
) -> None:
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert (period_label(period, SUNDAY), period_label(period, MONDAY)) == (sunday, monday)
        assert period_end(period, SUNDAY).isoformat() == end
    monkeypatch.undo()
    time.tzset()


@given(st.floats(0, 4_000_000_000), st.sampled_from(PERIODS))
def test_periods_follow_upon_each_other(at: float, period: Period) -> None:
    start, end = period_start(period, at).timestamp(), period_end(period, at).timestamp()
    assert start <= at < end
    assert period_start(period, end).timestamp() == end
    assert period_label(period, end) != period_label(period, at) == period_label(period, start)


def test_what_stages_cost() -> None:
    spent = Spending(prompt=1_000_000, mutation=2_000_000, generation=3_000_000, reward=4_000_000)
    assert Prices(prompt=1.0, mutation=10.0, generation=100.0, reward=1000.0).cost(spent) == 4321.0
    assert Prices(generation=0.02).nanos(Spending(generation=1)) == 20
    assert not Prices()
    assert Prices(reward=0.0)
    assert spent - Spending(1, 2, 3, 4) == Spending(999_999, 1_999_998, 2_999_997, 3_999_996)
    assert spent.counted == 5_000_000
