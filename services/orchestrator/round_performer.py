"""Performs one round of an evolution that this worker holds: under its lease, and saved on its way where it is long."""

import asyncio
import logging
import uuid
from contextlib import suppress
from typing import Any, Literal

from services.orchestrator import next_version
from services.orchestrator.adapters import codec
from services.orchestrator.core import machine
from services.orchestrator.core.frozen import changed
from services.orchestrator.core.presets import config_for
from services.orchestrator.endings import Completed, Failed, Interrupted, LeaseLost, RoundEnding
from services.orchestrator.held import HeldEvolution
from services.orchestrator.leases import Leases, StopSignal
from services.orchestrator.ports import Generator, Mutator, Scorer
from services.orchestrator.round import RoundExecution
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.stage_calls import stage_limits
from services.orchestrator.version_writer import VersionWriter
from shared.errors import Conflict, Internal, Unavailable
from shared.records.events import Event
from shared.records.evolution import Message, Record
from shared.records.turns import instruction_of, prefill_of, thought_in
from shared.store.evolutions import Store
from shared.store.leases import Claim, Lease

log = logging.getLogger(__name__)


class RoundPerformer:
    """Performs rounds of evolutions whose leases its caller has taken. It saves none that has ended: that is left to
    the caller, who is told how it did.
    """

    def __init__(
        self,
        store: Store,
        mutator: Mutator,
        generator: Generator,
        scorer: Scorer,
        settings: OrchestratorSettings,
        writer: VersionWriter,
    ) -> None:
        self._mutator = mutator
        self._generator = generator
        self._scorer = scorer
        self._settings = settings
        self._writer = writer
        self._limits = stage_limits()
        self._leases = Leases(store, settings.lease_s, settings.heartbeat_s)

    def has_room(self) -> bool:
        """Whether the stages bear more evolutions: no call waits until a full stage takes it. Call it in any thread."""
        return all(limit.has_room for limit in self._limits.values())

    def interrupt(self) -> None:
        """Interrupts the rounds under way, and each that begins from now on; call it on the running loop."""
        self._leases.interrupt()

    async def perform(self, held: HeldEvolution) -> tuple[HeldEvolution, RoundEnding]:
        """Performs a round; returns how it ended, and the evolution as it was last saved, which long rounds are on
        their way, with what only the model's service could add.
        """
        claim = held.claim
        try:
            if reason_to_stop(claim) is None:
                record = await self._complete(claim.record)
                if record is not claim.record:
                    different = record.request != claim.record.request
                    held = changed(held, claim=changed(claim, record=record), request_changed=different)
        except Exception as error:
            return held, Failed(error)
        return await self._run(held)

    async def _complete(self, record: Record) -> Record:
        """The record of an evolution that begins, with the text of a prompt that was given as token ids, a warning of
        arguments that the chat template does not read, and what of the beginning of an answer is a thought."""
        request = record.request
        if record.state is not None:
            return record
        # The lease is not renewed meanwhile.
        timeout_s = min(self._settings.call_timeout_s, self._settings.lease_s / 2)
        if request.raw_prompt is not None and request.raw_prompt.token_ids:
            text = await self._generator.text_of(request.raw_prompt.token_ids, timeout_s)
            request = changed(request, messages=(Message("user", text),))
        if request.template_arguments:
            unread = request.template_arguments.keys() - await self._generator.template_variables(timeout_s)
            told = (f"chat_template_kwargs.{name} is taken without effect" for name in sorted(unread))
            request = changed(request, warnings=tuple(dict.fromkeys((*request.warnings, *told))))
        if request.raw_prompt is None and (begun := prefill_of(request.messages)):
            opening, closing = await self._generator.reasoning_marks(timeout_s)
            if thought := thought_in(begun, opening, closing) if opening else 0:
                request = changed(request, prefill_thought=thought)
        return record if request is record.request else changed(record, request=request)

    async def _run(self, held: HeldEvolution) -> tuple[HeldEvolution, RoundEnding]:
        claim, record = held.claim, held.claim.record
        if claim.deaths >= self._settings.max_deaths:
            reason = f"{claim.deaths} workers ended while they performed the round from version {record.version}"
            return held, Failed(Internal(reason), self.resumed(held), final=True)
        log.info("%s: round from version %d", record.id, record.version)
        try:
            execution = self._begin(held)
        except Exception as error:
            return held, Failed(error)
        if stopped_by := reason_to_stop(claim):
            execution.stop(stopped_by)
            return held, Completed(execution)
        running = asyncio.ensure_future(execution.run())
        try:
            while (why := await self._wait(held, running)) == "goes on":
                following = await self._save_under_way(held, execution)
                if not isinstance(following, HeldEvolution):
                    return held, following
                held = following
        except Exception as error:
            return held, Failed(error, execution)
        finally:
            if not running.done():
                running.cancel()
                await asyncio.wait({running})
        match why:
            case "lost":
                return held, LeaseLost()
            case "interrupted":
                return held, Interrupted(execution)
            case "cancelled" | "deadline_ms" as reason:
                execution.stop(reason)
        return held, Completed(execution)

    def _begin(self, held: HeldEvolution) -> RoundExecution:
        record, events = held.claim.record, tuple[Event, ...]()
        if record.state is None:
            request = record.request
            instruction = instruction_of(request.messages)
            evolution, events = machine.begin(config_for(request), instruction, request.seed)
        else:
            evolution = held.evolution or codec.restore(record.state)[0]
        stages = (self._mutator, self._generator, self._scorer)
        return RoundExecution(
            evolution,
            events,
            record.request,
            *stages,
            self._settings.call_timeout_s,
            record.trace,
            self._limits,
            record.deadline,
        )

    def resumed(self, held: HeldEvolution) -> RoundExecution | None:
        """The round as it was last saved; None where nothing was, or it cannot be read."""
        if held.claim.record.state is not None:
            with suppress(ValueError):
                return self._begin(held)
        return None

    async def _wait(
        self, held: HeldEvolution, running: "asyncio.Future[None]"
    ) -> Literal["completed", "deadline_ms", "goes on"] | StopSignal:
        """Renews the lease on the round until it is done, must stop, or has gone on for `save_s` seconds.

        Raises the error of the call that ended the round.
        """
        record, left_s = held.claim.record, next_version.seconds_left(held.claim.record)
        with self._leases.held(Lease(record.id, record.version, held.holder)) as signal:
            ends: set[asyncio.Future[Any]] = {running, signal}
            timeout_s = max(0.0, min(left_s, self._settings.save_s))
            await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
            return "completed"
        if signal.done():
            return signal.result()
        return "deadline_ms" if left_s <= self._settings.save_s else "goes on"

    async def _save_under_way(self, held: HeldEvolution, execution: RoundExecution) -> HeldEvolution | RoundEnding:
        """Saves what a round has found so far, while it goes on, so that little is lost with this worker.

        Returns the evolution with the lease on the new version, or how the round ends where it cannot be saved.
        """
        if not execution.journal.outcomes:
            return held
        so_far, holder = await execution.cut(), uuid.uuid4().hex
        if so_far is None:
            return held
        try:
            version = next_version.under_way(held, so_far)
            if not await self._writer.save(version, holder, held.request_changed):
                return LeaseLost()
        except Conflict:
            return LeaseLost()
        except Unavailable as error:
            log_left_to_sweep(held.claim.record.id, error)
            return LeaseLost()
        except Exception as error:
            return Failed(error, self.resumed(held))
        return HeldEvolution(Claim(version.record, False), holder, so_far.evolution, version.written)


def reason_to_stop(claim: Claim) -> Literal["cancelled", "deadline_ms"] | None:
    """Why an evolution is to end before its next round; None where it is not."""
    if claim.cancelled:
        return "cancelled"
    return "deadline_ms" if next_version.seconds_left(claim.record) <= 0 else None


def log_left_to_sweep(evolution_id: str, error: Unavailable) -> None:
    """Says that a round is not saved, because Redis stays away, so that the sweep has it performed again."""
    log.warning("%s waits for the sweep: %s", evolution_id, error.message)
