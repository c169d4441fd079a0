"""What is told outside of what went wrong inside.

Records, events and attempts keep errors in full: addresses, paths, texts of exceptions. Tenants read the kind of such
an error, a sentence about it, and the evolution's id, under which operators find the rest: in the log, and by reading
the evolution as callers who may read every tenant's. What is wrong with a request itself is told to whoever made it.
"""

from dataclasses import replace

from shared import errors
from shared.records.attempts import Attempt
from shared.records.events import Ended, Event
from shared.records.evolution import Failure, Record

_KINDS = {error.__name__: error for error in errors.leaves()}


def failure_of(record: Record) -> Failure | None:
    """Why a search failed; None while it goes on, and where it has an answer in spite of an error."""
    return _failure(record.error, record.id) if record.error and record.status == "failed" else None


def error_of(record: Record) -> errors.DarwinError:
    """The error of a search that failed, as whoever asked for it is told."""
    failure = failure_of(record) or Failure(errors.Internal.__name__, "")
    error = _kind(failure.code)(failure.message, field=failure.field)
    error.retry_after_s = record.retry_after_s
    return error


def event_of(event: Event, evolution_id: str) -> Event:
    """An event of an evolution."""
    if not isinstance(event, Ended) or event.error is None:
        return event
    return replace(event, error=_failure(event.error, evolution_id) if event.status == "failed" else None)


def attempt_of(attempt: Attempt, evolution_id: str) -> Attempt:
    """What an attempt did, without which machine it was on."""
    return replace(attempt, worker="", error=_failure(attempt.error, evolution_id) if attempt.error else None)


def _failure(failure: Failure, evolution_id: str) -> Failure:
    if not (sentence := _kind(failure.code).outside):
        return failure
    return Failure(failure.code, f"{sentence} (operators find out more by the id {evolution_id})")


def _kind(code: str) -> type[errors.DarwinError]:
    return _KINDS.get(code, errors.Internal)
