"""The life of an evolution across tasks. Each task performs a round of it: decide, act, save."""

import asyncio
import logging
import math
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, stop_when_event_set, wait_random

from services.orchestrator import metrics, next_version
from services.orchestrator.adapters import codec
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.endings import Completed, Failed, Interrupted, LeaseLost, RoundEnding
from services.orchestrator.leases import Leases, StopSignal
from services.orchestrator.next_version import NextVersion
from services.orchestrator.ports import Generator, Mutator, Scorer
from services.orchestrator.round import RoundExecution
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.stage_calls import stage_limits
from shared.errors import Conflict, Internal, Unavailable
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import TERMINAL, Failure, Message, Record
from shared.records.turns import instruction_of
from shared.store.evolutions import Store
from shared.store.leases import Claim, Lease
from shared.telemetry import tracing

log = logging.getLogger(__name__)

SaveListener = Callable[[Record, Attempt, Sequence[Event]], Awaitable[None]]
"""Called after each save with the record as it stands now, the attempt that made it, and its events."""


class RoundRunner:
    """Performs one round per `advance`. Safe to call twice, late, or from two workers: one of them saves."""

    def __init__(
        self,
        store: Store,
        mutator: Mutator,
        generator: Generator,
        scorer: Scorer,
        settings: OrchestratorSettings,
        listeners: Sequence[SaveListener] = (),
    ) -> None:
        self._store = store
        self._mutator = mutator
        self._generator = generator
        self._scorer = scorer
        self._settings = settings
        self._listeners = listeners
        self._limits = stage_limits()
        self._interrupted = asyncio.Event()
        self._leases = Leases(store, settings.lease_s, settings.heartbeat_s)

    def interrupt(self) -> None:
        """Interrupts the rounds under way, which other workers go on with; call it on the running loop."""
        self._interrupted.set()
        self._leases.interrupt()

    async def advance(self, evolution_id: str, version: int) -> None:
        """Performs the round that follows `version`, unless it is saved already or another worker performs it."""
        holder = uuid.uuid4().hex
        try:
            claim = await self._decide(evolution_id, version, holder)
        except Unavailable as error:
            _log_left_to_sweep(evolution_id, error)
            return
        if claim is None:
            return
        with metrics.round_active(), tracing.use_context(claim.record.trace, evolution_id):
            saved = False
            try:
                claim, ending = await self._act(claim, holder)
                saved = await self._save(claim, holder, ending)
            finally:
                if not saved:
                    with suppress(Unavailable):
                        await self._store.release(evolution_id, holder)

    async def _decide(self, evolution_id: str, version: int, holder: str) -> Claim | None:
        """Takes the lease on the evolution; None where there is no round to perform."""
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

    async def _act(self, claim: Claim, holder: str) -> tuple[Claim, RoundEnding]:
        """Performs the round; returns how it ended, and the claim with what only the model's service could add."""
        try:
            claim = replace(claim, record=await self._complete(claim.record))
        except Exception as error:
            return claim, Failed(error)
        return claim, await self._perform_round(claim, holder)

    async def _complete(self, record: Record) -> Record:
        """The record of an evolution that begins, with the text of a prompt that was given as token ids, and a warning
        of arguments that the chat template does not read."""
        request = record.request
        if record.state is not None:
            return record
        # The lease is not renewed meanwhile.
        timeout_s = min(self._settings.call_timeout_s, self._settings.lease_s / 2)
        if request.raw_prompt is not None and request.raw_prompt.token_ids:
            text = await self._generator.text_of(request.raw_prompt.token_ids, timeout_s)
            request = replace(request, messages=(Message("user", text),))
        if request.template_arguments:
            unread = request.template_arguments.keys() - await self._generator.template_variables(timeout_s)
            told = (f"chat_template_kwargs.{name} is taken without effect" for name in sorted(unread))
            request = replace(request, warnings=tuple(dict.fromkeys((*request.warnings, *told))))
        return replace(record, request=request)

    async def _perform_round(self, claim: Claim, holder: str) -> RoundEnding:
        record = claim.record
        if claim.deaths >= self._settings.max_deaths:
            reason = f"{claim.deaths} workers ended while they performed the round from version {record.version}"
            return Failed(Internal(reason), self._resume(record), final=True)
        log.info("%s: round from version %d", record.id, record.version)
        execution: RoundExecution | None = None
        try:
            execution = self._begin(record)
            match await self._perform(claim, holder, execution):
                case "lost":
                    return LeaseLost()
                case "interrupted":
                    return Interrupted(execution)
                case "cancelled" | "deadline_ms" as reason:
                    execution.stop(reason)
            return Completed(execution)
        except Exception as error:
            return Failed(error, execution)

    def _begin(self, record: Record) -> RoundExecution:
        events: tuple[Event, ...] = ()
        if record.state is None:
            request = record.request
            instruction = instruction_of(request.messages)
            evolution, events = machine.begin(config_for(request), instruction, request.seed)
        else:
            evolution = codec.load(record.state)
        timeout_s = self._settings.call_timeout_s
        stages = (self._mutator, self._generator, self._scorer)
        return RoundExecution(evolution, events, record.request, *stages, timeout_s, record.trace, self._limits)

    def _resume(self, record: Record) -> RoundExecution | None:
        """The round as it was last saved; None where nothing was, or it cannot be read."""
        if record.state is not None:
            with suppress(ValueError):
                return self._begin(record)
        return None

    async def _perform(
        self, claim: Claim, holder: str, execution: RoundExecution
    ) -> Literal["completed", "deadline_ms"] | StopSignal:
        """Runs the round, and renews its lease meanwhile, until one of the two ends or the deadline passes."""
        record, left_s = claim.record, next_version.seconds_left(claim.record)
        if claim.cancelled:
            return "cancelled"
        if left_s <= 0:
            return "deadline_ms"
        running = asyncio.ensure_future(execution.run())
        try:
            with self._leases.held(Lease(record.id, record.version, holder)) as signal:
                ends: set[asyncio.Future[Any]] = {running, signal}
                timeout_s = None if left_s == math.inf else left_s
                await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()  # raises the error of the call that failed
                return "completed"
            return signal.result() if signal.done() else "deadline_ms"
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def _save(self, claim: Claim, holder: str, ending: RoundEnding) -> bool:
        """Saves the version that follows from how the round ended; returns whether one was saved."""
        record = claim.record
        try:
            match ending:
                case Completed(execution):
                    version = next_version.after_checkpoint(claim, holder, execution)
                case Interrupted(execution):
                    version = next_version.after_interruption(claim, holder, execution)
                case Failed():
                    version = next_version.after_failure(claim, holder, ending, self._settings.max_attempts)
                case LeaseLost():
                    _count_lease_lost(record)
                    return False
            await self._save_version(version)
            return True
        except Conflict:
            _count_lease_lost(record)
            return False
        except Unavailable as error:
            _log_left_to_sweep(record.id, error)
            return False
        except Exception as error:
            if not isinstance(ending, Completed):
                raise
            # What the round found cannot be saved, so it is performed again.
            return await self._save(claim, holder, Failed(error, self._resume(record)))

    async def _save_version(self, version: NextVersion) -> None:
        """Saves a version, with the message for the next round, and notifies the listeners.

        Where Redis is away this waits for it to come back, up to `save_patience_s` seconds or until an interrupt.
        """
        record, attempt, events = version.record, version.attempt, version.events
        save = partial(self._store.save, record, events, attempt.id, version.spent, attempt, version.delay_s)
        try:
            await save()
        except Unavailable:
            patience = stop_after_delay(self._settings.save_patience_s) | stop_when_event_set(self._interrupted)  # type: ignore[arg-type]
            again = retry_if_exception_type(Unavailable)
            await AsyncRetrying(retry=again, stop=patience, wait=wait_random(0.1, 0.5), reraise=True)(save)
        metrics.saved(record, events, attempt)
        for notify in self._listeners:
            await notify(record, attempt, events)


def _count_lease_lost(record: Record) -> None:
    metrics.lease_lost()
    log.info("%s: somebody else performs the round from version %d", record.id, record.version)


def _log_left_to_sweep(evolution_id: str, error: Unavailable) -> None:
    log.warning("%s waits for the sweep: %s", evolution_id, error.message)
