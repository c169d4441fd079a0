"""The life of an evolution across tasks: take the lease, perform a round, save, say what comes next."""

import asyncio
import logging
import math
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, stop_when_event_set, wait_random

from services.orchestrator import metrics, next_version
from services.orchestrator.adapters import codec
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.leases import Leases
from services.orchestrator.ports import Generator, Mutator, Scorer
from services.orchestrator.round import RoundExecution
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Conflict, DarwinError, Internal, Unavailable
from shared.records.attempts import Attempt
from shared.records.evolution import TERMINAL, Ended, Event, Failure, Record, StoppedBy, TraceContext
from shared.store.evolutions import Store
from shared.store.leases import Claim, Lease
from shared.telemetry import tracing

log = logging.getLogger(__name__)

# Longer than channels differ in noticing that a peer is gone, shorter than `stalled_s`, which the sweep goes by.
_MAX_DELAY_S = 4.0
_HOPELESS = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND")


Saved = Callable[[Record, Attempt, Sequence[Event]], Awaitable[None]]
"""Told of a save: the record as it stands now, the attempt that made it, and its events."""


@dataclass(frozen=True)
class Next:
    """The message that follows a task: this evolution at this version, after `delay_s` seconds; and its trace."""

    evolution_id: str
    version: int
    delay_s: float = 0.0
    trace: TraceContext | None = None


class _LeaseLost(Exception):
    """Somebody else may be performing this round by now."""


class _Interrupted(Exception):
    """This worker is stopping and waits no longer."""


class RoundRunner:
    """Performs one round per `advance`. Safe to call twice, late, or from two workers: one of them saves.

    `saved` are told of each save.
    """

    def __init__(
        self,
        store: Store,
        mutator: Mutator,
        generator: Generator,
        scorer: Scorer,
        settings: OrchestratorSettings,
        saved: Sequence[Saved] = (),
    ) -> None:
        self._store = store
        self._mutator = mutator
        self._generator = generator
        self._scorer = scorer
        self._settings = settings
        self._saved = saved
        self._interrupted = asyncio.Event()
        self._leases = Leases(store, settings.lease_s, settings.heartbeat_s)

    def interrupt(self) -> None:
        """Gives up the rounds under way, for other workers to perform; call it on the running loop."""
        self._interrupted.set()
        self._leases.interrupt()

    async def advance(self, evolution_id: str, version: int) -> Next | None:
        """Performs the round that follows `version`; None where nothing is left to do or somebody else does it."""
        holder = uuid.uuid4().hex
        try:
            claim = await self._claim(evolution_id, version, holder)
        except Unavailable as error:
            log.warning("%s waits for the sweep: %s", evolution_id, error.message)
            return None
        if claim is None:
            return None
        metrics.ROUNDS_ACTIVE.add(1)
        try:
            with tracing.use_context(claim.record.trace, evolution_id):
                return await self._hold(claim, holder)
        finally:
            metrics.ROUNDS_ACTIVE.add(-1)

    async def stalled(self) -> list[Next]:
        """Unfinished evolutions that nobody holds and nobody saved for a while."""
        found = await self._store.stalled(self._settings.stalled_s)
        return [Next(evolution_id, version, trace=trace) for evolution_id, version, trace in found]

    async def _claim(self, evolution_id: str, version: int, holder: str) -> Claim | None:
        try:
            claim = await self._store.claim(evolution_id, version, holder, self._settings.lease_s)
        except Internal as error:
            log.error("%s", error.message)
            await self._store.abandon(evolution_id, Failure(type(error).__name__, error.message))
            metrics.abandoned(type(error).__name__)
            return None
        if claim is not None and claim.record.status in TERMINAL:
            await self._store.release(evolution_id, holder)
            return None
        return claim

    async def _hold(self, claim: Claim, holder: str) -> Next | None:
        """Releases the lease where the round ended without a save."""
        record = claim.record
        try:
            try:
                return await self._advance(claim, holder)
            except BaseException:
                with suppress(Unavailable):
                    await self._store.release(record.id, holder)
                raise
        except (_LeaseLost, Conflict):
            metrics.lease_lost()
            log.info("%s: somebody else performs the round from version %d", record.id, record.version)
        except _Interrupted:
            return await self._handed_on(record)
        except Unavailable as error:
            log.warning("%s waits for the sweep: %s", record.id, error.message)
        return None

    async def _handed_on(self, record: Record) -> Next:
        try:
            await self._store.send(record.id, record.version)
        except Unavailable as error:
            log.warning("%s waits for the sweep: %s", record.id, error.message)
        return Next(record.id, record.version, trace=record.trace)

    async def _advance(self, claim: Claim, holder: str) -> Next | None:
        record = claim.record
        if claim.deaths >= self._settings.max_deaths:
            reason = f"{claim.deaths} workers ended while they performed the round from version {record.version}"
            return await self._failed(claim, None, holder, Internal(reason), final=True)
        log.info("%s: round from version %d", record.id, record.version)
        round_: RoundExecution | None = None
        try:
            round_ = self._begin(record)
            await self._perform(claim, round_, holder)
        except _LeaseLost:
            raise
        except _Interrupted:
            assert round_ is not None
            return await self._paused(claim, round_, holder)
        except Exception as error:
            return await self._failed(claim, round_, holder, error)
        try:
            return await self._finish(claim, round_, holder)
        except (Conflict, Unavailable):
            raise
        except Exception as error:
            return await self._failed(claim, None, holder, error)

    def _begin(self, record: Record) -> RoundExecution:
        events: tuple[Event, ...] = ()
        if record.state is None:
            request = record.request
            instruction = request.messages[-1].content
            evolution, events = machine.begin(config_for(request), instruction, request.seed)
        else:
            evolution = codec.load(record.state)
        timeout_s = self._settings.call_timeout_s
        stages = (self._mutator, self._generator, self._scorer)
        return RoundExecution(evolution, events, record.request, *stages, timeout_s, record.trace)

    async def _perform(self, claim: Claim, round_: RoundExecution, holder: str) -> None:
        """Runs the round until it ends, its deadline passes, a cancel is asked for or the lease is lost."""
        if claim.cancelled:
            round_.stop("cancelled")
            return
        work = asyncio.ensure_future(round_.run())
        try:
            reason = await self._watch(claim.record, holder, work)
        finally:
            work.cancel()
            await asyncio.wait({work})
        if reason is not None:
            round_.stop(reason)
        else:
            work.result()

    async def _watch(self, record: Record, holder: str, work: asyncio.Future[None]) -> StoppedBy | None:
        """Renews the lease while `work` runs; says why it must stop, None where it ended by itself."""
        left_s = next_version.seconds_left(record)
        if left_s <= 0:
            return "deadline_ms"
        with self._leases.held(Lease(record.id, record.version, holder)) as ending:
            until: set[asyncio.Future[Any]] = {work, ending}
            timeout_s = None if left_s == math.inf else left_s
            await asyncio.wait(until, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return None
            if not ending.done():
                return "deadline_ms"
            match ending.result():
                case "interrupted":
                    raise _Interrupted
                case "lost":
                    raise _LeaseLost
            return "cancelled"

    async def _finish(self, claim: Claim, round_: RoundExecution, holder: str) -> Next | None:
        record, evolution, events = claim.record, round_.evolution, round_.events
        saved = replace(next_version.progress(record, round_), attempts=0, error=None, unfinished="")
        if evolution.finished:
            saved = next_version.ended(saved, evolution)
            events += (Ended(saved.status, evolution.stopped_by, saved.error),)
        await self._save(saved, events, next_version.attempt(claim, holder, round_), round_.tokens)
        return None if evolution.finished else Next(record.id, saved.version, trace=record.trace)

    async def _paused(self, claim: Claim, round_: RoundExecution, holder: str) -> Next:
        """Keeps what the round has found so far, for another worker to go on from."""
        saved = replace(next_version.progress(claim.record, round_), unfinished=holder)
        await self._save(saved, round_.events, next_version.attempt(claim, holder, round_), round_.tokens)
        return Next(saved.id, saved.version, trace=saved.trace)

    async def _failed(
        self, claim: Claim, round_: RoundExecution | None, holder: str, error: Exception, final: bool = False
    ) -> Next | None:
        """Tries again with growing delay where that can help; fails the evolution where it cannot.

        What the round found before it failed is kept.
        """
        record = claim.record
        known = error if isinstance(error, DarwinError) else Internal(f"unexpected {type(error).__name__}: {error}")
        if known is not error:
            log.error("%s: a round failed", record.id, exc_info=error)
        failure = Failure(type(known).__name__, known.message, known.field)
        attempts = record.attempts + 1
        saved = next_version.progress(record, round_) if round_ else replace(record, version=record.version + 1)
        saved = replace(saved, attempts=attempts, error=failure, unfinished=holder)
        attempt = next_version.attempt(claim, holder, round_, failure)
        events, tokens = (round_.events, round_.tokens) if round_ else ((), 0)
        if not (final or known.grpc_status in _HOPELESS or attempts >= self._settings.max_attempts):
            lost = round_.decoding if round_ else 0
            log.warning("%s: attempt %d failed, %d responses under way: %s", record.id, attempts, lost, known.message)
            delay_s = min(2.0**attempts, _MAX_DELAY_S) * random.uniform(0.5, 1.0)
            delay_s = min(delay_s, max(0.0, next_version.seconds_left(record)))
            await self._save(saved, events, attempt, tokens, delay_s)
            return Next(record.id, saved.version, delay_s, record.trace)
        log.error("%s failed: %s", record.id, known.message)
        saved = replace(saved, status="failed", finished_at=time.time())
        await self._save(saved, (*events, Ended("failed", error=failure)), attempt, tokens)
        return None

    async def _save(
        self, record: Record, events: tuple[Event, ...], attempt: Attempt, tokens: int, delay_s: float = 0.0
    ) -> None:
        """Saves and sends the next message, waiting for Redis to come back where it is away."""
        attempt = replace(attempt, events=len(events))
        save = partial(self._store.save, record, events, attempt.id, tokens, attempt, delay_s)
        try:
            await save()
        except Unavailable:
            patience = stop_after_delay(self._settings.save_patience_s) | stop_when_event_set(self._interrupted)  # type: ignore[arg-type]
            again = retry_if_exception_type(Unavailable)
            await AsyncRetrying(retry=again, stop=patience, wait=wait_random(0.1, 0.5), reraise=True)(save)
        metrics.saved(record, events, attempt)
        for tell in self._saved:
            await tell(record, attempt, events)
