"""The life of an evolution across tasks: load, hold the lease, perform a round, save, say what comes next."""

import asyncio
import logging
import math
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace

from services.orchestrator.adapters import codec
from services.orchestrator.core import answers, machine
from services.orchestrator.core.model import Evolution
from services.orchestrator.core.presets import config_for
from services.orchestrator.ports import Generator, Mutator, Scorer
from services.orchestrator.rounds import Round
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Conflict, DarwinError, DeadlineExceeded, Internal, NotFound
from shared.records import TERMINAL, Ended, Event, Failure, Record, Result, Status, StoppedBy
from shared.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Next:
    """The message to send after a task: this evolution at this version, after `delay_s` seconds."""

    evolution_id: str
    version: int
    delay_s: float = 0.0


class _LeaseLost(Exception):
    """Somebody else may be performing this round by now."""


class Evolving:
    """Performs one round per `advance`. Safe to call twice, late, or from two workers: one of them saves."""

    def __init__(
        self, store: Store, mutator: Mutator, generator: Generator, scorer: Scorer, settings: OrchestratorSettings
    ) -> None:
        self._store = store
        self._mutator = mutator
        self._generator = generator
        self._scorer = scorer
        self._settings = settings

    async def advance(self, evolution_id: str, version: int) -> Next | None:
        """Performs the round that follows `version`; None where nothing is left to do or somebody else does it."""
        try:
            record = await self._store.load(evolution_id)
        except NotFound:
            return None
        if record.status in TERMINAL or record.version != version:
            return None
        owner = uuid.uuid4().hex
        if not await self._store.acquire(evolution_id, owner, self._settings.lease_s):
            return None
        try:
            return await self._advance(record, owner)
        except Conflict:
            log.info("%s: somebody else saved version %d", evolution_id, version + 1)
            return None
        finally:
            await self._store.release(evolution_id, owner)

    async def stalled(self) -> list[Next]:
        """Unfinished evolutions that nobody holds and nobody saved for a while."""
        found = []
        for evolution_id in await self._store.stalled(self._settings.stalled_s):
            with suppress(NotFound):
                found.append(Next(evolution_id, (await self._store.load(evolution_id)).version))
        return found

    async def _advance(self, record: Record, owner: str) -> Next | None:
        try:
            round_, begun = self._begin(record)
            await self._perform(record, round_, owner)
        except _LeaseLost:
            return None
        except Exception as error:
            return await self._failed(record, error)
        return await self._save(record, round_, begun)

    def _begin(self, record: Record) -> tuple[Round, tuple[Event, ...]]:
        begun: tuple[Event, ...] = ()
        if record.state is None:
            request = record.request
            instruction = request.messages[-1].content
            evolution, begun = machine.begin(config_for(request), instruction, request.seed)
        else:
            evolution = codec.load(record.state)
        timeout_s = self._settings.call_timeout_s
        round_ = Round(evolution, record.request, self._mutator, self._generator, self._scorer, timeout_s)
        return round_, begun

    async def _perform(self, record: Record, round_: Round, owner: str) -> None:
        """Runs the round until it ends, its deadline passes, a cancel is asked for or the lease is lost."""
        work = asyncio.ensure_future(round_.run())
        try:
            reason = await self._watch(record, owner, work)
        finally:
            work.cancel()
            await asyncio.wait({work})
        if reason is not None:
            round_.stop(reason)
        else:
            work.result()

    async def _watch(self, record: Record, owner: str, work: asyncio.Future[None]) -> StoppedBy | None:
        """Renews the lease while `work` runs; says why it must stop, None where it ended by itself."""
        deadline_ms = record.request.search.deadline_ms
        expires = math.inf if deadline_ms is None else record.created_at + deadline_ms / 1000
        while not work.done():
            if not await self._store.renew(record.id, owner, self._settings.lease_s):
                raise _LeaseLost
            if await self._store.cancel_requested(record.id):
                return "cancelled"
            left = expires - time.time()
            if left <= 0:
                return "deadline_ms"
            await asyncio.wait({work}, timeout=min(self._settings.heartbeat_s, left))
        return None

    async def _save(self, record: Record, round_: Round, begun: tuple[Event, ...]) -> Next | None:
        evolution = round_.evolution
        saved = replace(
            record,
            version=record.version + 1,
            status="running",
            state=codec.dump(evolution),
            seconds=round_.clock.added_to(record.seconds),
            attempts=0,
        )
        events = begun + round_.events
        if evolution.finished:
            saved = _ended(saved, evolution)
            events += (Ended(saved.status, evolution.stopped_by, saved.error),)
        await self._store.save(saved, events)
        return None if evolution.finished else Next(record.id, saved.version)

    async def _failed(self, record: Record, error: Exception) -> Next | None:
        """Tries again with growing delay where that can help; fails the evolution where it cannot."""
        known = error if isinstance(error, DarwinError) else Internal(f"unexpected {type(error).__name__}: {error}")
        if known is not error:
            log.error("%s: a round failed", record.id, exc_info=error)
        failure = Failure(type(known).__name__, known.message, known.field)
        attempts = record.attempts + 1
        hopeless = isinstance(known, DarwinError) and known.grpc_status in (
            "INVALID_ARGUMENT",
            "FAILED_PRECONDITION",
            "NOT_FOUND",
        )
        record = replace(record, version=record.version + 1, attempts=attempts, error=failure)
        if not hopeless and attempts < self._settings.max_attempts:
            log.warning("%s: attempt %d failed: %s", record.id, attempts, known.message)
            await self._store.save(record, ())
            return Next(record.id, record.version, delay_s=min(0.5 * 2**attempts, 8.0))
        record = replace(record, status="failed", finished_at=time.time())
        await self._store.save(record, (Ended("failed", error=failure),))
        return None


def _ended(record: Record, evolution: Evolution) -> Record:
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
