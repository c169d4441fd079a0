"""What a task saves: the record's next version, and the attempt that made it."""

import math
import os
import socket
import time
from dataclasses import replace

from services.orchestrator.adapters import codec
from services.orchestrator.core import answers
from services.orchestrator.core.values import Evolution
from services.orchestrator.journal import Journal
from services.orchestrator.round import RoundExecution
from shared.errors import DeadlineExceeded
from shared.records.attempts import Attempt
from shared.records.evolution import Failure, Record, Result, Status
from shared.store.leases import Claim

_WORKER = f"{socket.gethostname()}:{os.getpid()}"


def progress(record: Record, round_: RoundExecution) -> Record:
    """The record's next version, with what the round has found so far."""
    return replace(
        record,
        version=record.version + 1,
        status="running",
        state=codec.dump(round_.evolution),
        seconds=round_.journal.added_to(record.seconds),
    )


def attempt(claim: Claim, holder: str, round_: RoundExecution | None, error: Failure | None = None) -> Attempt:
    """What is kept of the attempt; without a round, that it failed before it could begin one."""
    record, journal = claim.record, round_.journal if round_ else Journal()
    return Attempt(
        id=holder,
        version=record.version + 1,
        cycle=round_.cycle if round_ else 0,
        round=round_.round if round_ else 0,
        started_at=journal.started_at,
        ended_at=journal.now(),
        worker=_WORKER,
        calls=tuple(journal.calls),
        outcomes=tuple(map(codec.dump_outcome, journal.outcomes)),
        error=error,
        after=record.unfinished,
        lost=claim.lost,
    )


def seconds_left(record: Record) -> float:
    deadline_ms = record.request.search.deadline_ms
    return math.inf if deadline_ms is None else record.created_at + deadline_ms / 1000 - time.time()


def ended(record: Record, evolution: Evolution) -> Record:
    now = time.time()
    seconds = replace(record.seconds, total=now - record.created_at)
    choices = answers.choices(evolution, record.request.n)
    result = Result(
        choices=choices,
        base=answers.base(evolution),
        tokens=answers.tokens(evolution),
        seconds=seconds,
        rounds=evolution.rounds,
        stopped_by=evolution.stopped_by,
    )
    status: Status = "cancelled" if evolution.stopped_by == "cancelled" else "succeeded"
    record = replace(record, status=status, seconds=seconds, finished_at=now, result=result, error=None)
    if status == "succeeded" and not choices:
        late = Failure(DeadlineExceeded.__name__, "the deadline passed before any response was decoded")
        return replace(record, status="failed", error=late)
    return record
