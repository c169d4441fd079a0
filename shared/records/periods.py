"""The calendar periods, in UTC, in which budgets count: hours, days, weeks that begin on Monday, months."""

from datetime import UTC, datetime, timedelta

from shared.records.spending import Period

_LABELS: dict[Period, str] = {"month": "%Y-%m", "week": "%Y-%m-%d", "day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}


def period_start(period: Period, at: float) -> datetime:
    """When the period began that a time (Unix seconds) lies in."""
    start = datetime.fromtimestamp(at, UTC).replace(minute=0, second=0, microsecond=0)
    if period == "hour":
        return start
    start = start.replace(hour=0)
    if period == "week":
        return start - timedelta(days=start.weekday())
    return start.replace(day=1) if period == "month" else start


def period_end(period: Period, at: float) -> datetime:
    """When the period ends that a time (Unix seconds) lies in."""
    start = period_start(period, at)
    if period == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[period]


def period_label(period: Period, at: float) -> str:
    """A name of the period that a time (Unix seconds) lies in, such as 2026-11-29 for a day."""
    return period_start(period, at).strftime(_LABELS[period])
