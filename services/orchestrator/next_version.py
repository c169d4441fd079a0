"""What is saved once a round has ended: the record's next version, with the attempt and the events that go with it."""

import logging
import math
import os
import random
import socket
import time
from dataclasses import dataclass

from services.orchestrator.adapters import codec, outcome_json
from services.orchestrator.adapters.packing import NOTHING_WRITTEN, Written, pack
from services.orchestrator.adapters.told import told_before
from services.orchestrator.core import answers, transitions
from services.orchestrator.core.frozen import changed
from services.orchestrator.core.values import EvolutionState
from services.orchestrator.endings import Failed
from services.orchestrator.held import HeldEvolution
from services.orchestrator.journal import Journal
from services.orchestrator.round import RoundExecution
from shared.errors import DarwinError, DeadlineExceeded, Internal, InvalidRequest, Overloaded
from shared.records.attempts import Attempt
from shared.records.events import Ended, Event
from shared.records.evolution import (
    NO_TOKENS,
    TERMINAL,
    Failure,
    Record,
    Result,
    SavedState,
    Status,
    StoppedBy,
    Tokens,
)
from shared.records.spending import NOTHING, Spending
from shared.records.telling import Told

log = logging.getLogger(__name__)

# gRPC statuses of errors that come again however often a round is repeated.
_LASTING = ("INVALID_ARGUMENT", "OUT_OF_RANGE", "FAILED_PRECONDITION", "NOT_FOUND")
# Channels notice at different times that a peer is gone, so the longest delay is longer than that. It is shorter than
# `stalled_s`, so that the sweep does not send a message of its own meanwhile.
_MAX_DELAY_S = 4.0
_WORKER = f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class NextVersion:
    """What is saved in one step: `spent` is what to charge, `delay_s` the seconds until the next round may begin.

    `written` is what the record's state has in parts then; `tokens` are those of a search that has failed; `told` is
    what earlier events have told, None where that is not known. `round_s` is how long the round has taken so far.
    """

    record: Record
    attempt: Attempt
    events: tuple[Event, ...] = ()
    spent: Spending = NOTHING
    delay_s: float = 0.0
    written: Written = NOTHING_WRITTEN
    tokens: Tokens = NO_TOKENS
    round_s: float = 0.0
    told: Told | None = None


def after_checkpoint(held: HeldEvolution, execution: RoundExecution) -> NextVersion:
    """The round came to its checkpoint, or the search was stopped: the answer is added where the search has ended."""
    evolution, events = execution.evolution, execution.events
    record = changed(_with_progress(held.claim.record, execution), attempts=0, error=None, unfinished="")
    if evolution.finished:
        record = _with_answer_of(execution, record)
        events += (Ended(record.status, evolution.stopped_by, record.error),)
    return _next_version(record, held, execution, events)


def under_way(held: HeldEvolution, so_far: RoundExecution) -> NextVersion:
    """The round goes on, and what it has found so far is kept, in case this worker is lost."""
    record = changed(_with_progress(held.claim.record, so_far), attempts=0, error=None, unfinished="")
    return _next_version(record, held, so_far, so_far.events)


def after_interruption(held: HeldEvolution, execution: RoundExecution) -> NextVersion:
    """The round was cut short and did not fail: what it has found so far is kept, for any worker to go on from."""
    record = changed(_with_progress(held.claim.record, execution), unfinished=held.holder)
    return _next_version(record, held, execution, execution.events)


def after_failure(held: HeldEvolution, failed: Failed, max_attempts: int) -> NextVersion:
    """The round failed: it is tried again after a growing delay, or the search ends, where another attempt cannot help
    or none is left. What the round found before it failed is kept. A search that ends answers with the best response
    so far and is `failed` only where there is none.

    That a stage is full is no failure, and is not counted.
    """
    record, execution = held.claim.record, failed.execution
    error = _as_darwin_error(record, failed.error)
    full, lasting = isinstance(error, Overloaded), error.grpc_status in _LASTING
    attempts = record.attempts + (not full)
    failure = Failure(type(error).__name__, error.message, error.field)
    final = failed.final or lasting or (attempts >= max_attempts and not full)
    answered = final and execution is not None and _has_answer(execution.evolution, lasting)
    if execution is not None and answered:
        execution.stop("error")
    events = execution.events if execution else ()
    following = _with_progress(record, execution) if execution else changed(record, version=record.version + 1)
    if execution is not None and answered:
        log.error("%s is answered with the best so far: %s", record.id, error.message)
        following = _with_answer_of(execution, following)
        events += (Ended(following.status, "error", failure),)
    elif final:
        log.error("%s failed: %s", record.id, error.message)
        following = changed(following, status="failed", finished_at=time.time())
        events += (Ended("failed", error=failure),)
    following = changed(following, attempts=attempts, error=failure, unfinished=held.holder)
    version = _next_version(following, held, execution, events, failure)
    if final:
        return version
    lost = execution.decoding if execution else 0
    log.warning("%s: attempt %d failed, %d responses under way: %s", record.id, attempts, lost, error.message)
    delay_s = _MAX_DELAY_S if full else min(2.0**attempts, _MAX_DELAY_S)
    return changed(version, delay_s=min(delay_s * random.uniform(0.5, 1.0), max(0.0, seconds_left(record))))


def _has_answer(evolution: EvolutionState, lasting: bool) -> bool:
    """Whether there is a response to answer with. What cannot be done for the request itself is told as that, unless a
    response was scored: then every stage has taken the request.
    """
    if lasting and not evolution.spent.reward_calls:
        return False
    return bool(evolution.finals or transitions.conclude(evolution, "error").finals)


def seconds_left(record: Record) -> float:
    """Seconds until the evolution's deadline, negative once it has passed; infinite where there is none."""
    return math.inf if record.deadline is None else record.deadline - time.time()


def _as_darwin_error(record: Record, error: Exception) -> DarwinError:
    if isinstance(error, DarwinError):
        return error
    log.error("%s: a round failed", record.id, exc_info=error)
    return Internal(f"unexpected {type(error).__name__}: {error}")


def _with_progress(record: Record, execution: RoundExecution) -> Record:
    """The record's next version, with what the round has found so far, its state apart."""
    return changed(
        record,
        version=record.version + 1,
        status="running",
        seconds=execution.journal.added_to(record.seconds),
    )


def _with_answer_of(execution: RoundExecution, record: Record) -> Record:
    """The record of a search that has ended; where it failed while a stage was full, with for how long that is so."""
    record = with_answer(record, execution.evolution)
    return changed(record, retry_after_s=execution.full_for_s) if record.status == "failed" else record


def with_answer(record: Record, evolution: EvolutionState) -> Record:
    """The record of a search that has ended; it has failed where a bound left it no response at all."""
    now = time.time()
    seconds = changed(record.seconds, total=now - record.created_at)
    choices = answers.choices(evolution, record.request.n)
    result = Result(
        choices=choices,
        base=answers.base(evolution),
        tokens=answers.tokens(evolution),
        seconds=seconds,
        rounds=evolution.rounds,
        stopped_by=evolution.stopped_by,
        fallback=answers.fallback(evolution),
        wishes_withheld=evolution.wishes_withheld,
    )
    status: Status = "cancelled" if evolution.stopped_by == "cancelled" else "succeeded"
    record = changed(record, status=status, seconds=seconds, finished_at=now, result=result, error=None)
    if status == "succeeded" and not choices:
        return changed(record, status="failed", error=_without_response(evolution.stopped_by))
    return record


def _without_response(stopped_by: StoppedBy | None) -> Failure:
    """Why a search that has ended has no response."""
    match stopped_by:
        case "deadline_ms":
            return Failure(DeadlineExceeded.__name__, "the deadline passed before any response was decoded")
        case "max_generated_tokens" | "max_reward_calls" as budget:
            field = f"darwin.{budget}"
            why = f"{field} was used up before any response had text: allow more, or leave it out"
            return Failure(InvalidRequest.__name__, why, field)
        case _:
            return Failure(Internal.__name__, f"the search ended without a response ({stopped_by or 'complete'})")


def _next_version(
    record: Record,
    held: HeldEvolution,
    execution: RoundExecution | None,
    events: tuple[Event, ...],
    error: Failure | None = None,
) -> NextVersion:
    claim, holder = held.claim, held.holder
    journal = execution.journal if execution else Journal()
    record, written = _with_state(record, held, execution)
    attempt = Attempt(
        id=holder,
        version=record.version,
        cycle=execution.cycle if execution else 0,
        round=execution.round if execution else 0,
        started_at=journal.started_at,
        ended_at=journal.now(),
        worker=_WORKER,
        calls=tuple(journal.calls),
        outcomes=outcome_json.dump_outcomes(journal.outcomes, execution.before, events) if execution else (),
        events=len(events),
        error=error,
        after=claim.record.unfinished,
        lost=claim.lost,
    )
    spent = execution.spent if execution else NOTHING
    tokens = answers.tokens(execution.evolution) if execution and record.status == "failed" else NO_TOKENS
    told = told_before(execution.before) if execution else None
    round_s = attempt.ended_at - (execution.began_at if execution else attempt.started_at)
    return NextVersion(record, attempt, events, spent, written=written, tokens=tokens, round_s=round_s, told=told)


def _with_state(record: Record, held: HeldEvolution, execution: RoundExecution | None) -> tuple[Record, Written]:
    """The record with the state from which another round can go on, and what is written of that."""
    if record.whole:
        return changed(record, state=codec.dump(execution.evolution)) if execution else record, NOTHING_WRITTEN
    if record.status in TERMINAL:
        return changed(record, state=None), NOTHING_WRITTEN
    if execution is None:
        head = record.state.head if isinstance(record.state, SavedState) else None
        return changed(record, state=None if head is None else SavedState(head)), held.written
    state, written = pack(execution.evolution, held.written)
    return changed(record, state=state), written
