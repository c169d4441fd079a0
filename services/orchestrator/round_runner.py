"""The life of an evolution in a worker's hands: taken, performed round after round and saved, until the search ends."""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress

from services.orchestrator import metrics, next_version
from services.orchestrator.claims import Claims
from services.orchestrator.endings import Completed, Failed, Interrupted, LeaseLost, RoundEnding
from services.orchestrator.held import HeldEvolution
from services.orchestrator.ports import Generator, Mutator, Scorer
from services.orchestrator.round_performer import RoundPerformer, log_left_to_sweep, reason_to_stop
from services.orchestrator.settings import OrchestratorSettings
from services.orchestrator.version_writer import SaveListener, VersionWriter
from shared.errors import Conflict, Unavailable
from shared.records.evolution import TERMINAL, Record
from shared.store.evolutions import Store
from shared.store.leases import DUE_AT_ONCE, Claim, WaitingEvolution
from shared.telemetry import tracing

log = logging.getLogger(__name__)


class RoundRunner:
    """Performs evolutions. What it is asked to perform twice, late, or beside another worker is saved once."""

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
        self._settings = settings
        self._claims = Claims(store, settings)
        self._writer = VersionWriter(store, settings, listeners)
        self._performer = RoundPerformer(store, mutator, generator, scorer, settings, self._writer)
        self._handing_back = False

    def has_room(self) -> bool:
        """Whether the stages bear more evolutions: no call waits until a full stage takes it. Call it in any thread."""
        return self._performer.has_room()

    def hand_back(self) -> None:
        """Leaves each evolution to other workers at its next save; call it on the running loop."""
        self._handing_back = True

    def interrupt(self) -> None:
        """Interrupts the rounds under way, which other workers go on with; call it on the running loop."""
        self.hand_back()
        self._writer.hurry()
        self._performer.interrupt()

    async def advance(self, evolution_id: str, version: int) -> None:
        """Performs the rounds that follow `version` one after another, and saves each, until the search ends, a round
        fails, or this worker hands back. Does nothing where that version is saved already or another worker has it.
        """
        held = await self._take(evolution_id, version)
        if held is None:
            return
        with metrics.round_active(), tracing.use_context(held.claim.record.trace, evolution_id):
            while held is not None:
                held = await self._advance_once(held)

    async def conclude_due(self) -> None:
        """Ends what waits for a worker and was cancelled or is past its deadline, though all places are taken.

        Where there are many it looks again at once, until it finds what it has tried to end: Redis may refuse that.
        """
        tried: set[WaitingEvolution] = set()
        while True:
            due = await self._store.due(time.time())
            await asyncio.gather(*(self.conclude(found.evolution_id, found.version) for found in due))
            if len(due) < DUE_AT_ONCE or not tried.isdisjoint(due):
                break
            tried.update(due)

    async def conclude(self, evolution_id: str, version: int) -> None:
        """Ends an evolution that nobody performs, with the best response so far, where a cancel was asked for or its
        deadline has passed.
        """
        held = await self._take(evolution_id, version)
        if held is None:
            return
        with tracing.use_context(held.claim.record.trace, evolution_id):
            if reason_to_stop(held.claim) is None:
                await self._release(held.claim.record, held.holder)
            else:
                await self._advance_once(held)

    async def _take(self, evolution_id: str, version: int) -> HeldEvolution | None:
        try:
            return await self._claims.take(evolution_id, version, uuid.uuid4().hex)
        except Unavailable as error:
            log_left_to_sweep(evolution_id, error)
            return None

    async def _advance_once(self, held: HeldEvolution) -> HeldEvolution | None:
        """Performs a round and saves it; returns the evolution for the next one, where this worker still has it."""
        saved, next_holder = False, uuid.uuid4().hex
        try:
            held, ending = await self._performer.perform(held)
            saved, following = await self._save(held, ending, next_holder)
            return following
        finally:
            if not saved:
                await self._release(held.claim.record, held.holder, next_holder)

    async def _release(self, record: Record, *holders: str) -> None:
        with suppress(Unavailable):
            for holder in holders:
                await self._store.release(record.id, holder)

    async def _save(
        self, held: HeldEvolution, ending: RoundEnding, next_holder: str
    ) -> tuple[bool, HeldEvolution | None]:
        """Saves the version that follows from how the round ended.

        Returns whether one was saved, and the evolution for the next round where `next_holder` has its lease: after a
        checkpoint that does not end the search, unless this worker hands back.
        """
        record = held.claim.record
        try:
            match ending:
                case Completed(execution):
                    version = next_version.after_checkpoint(held, execution)
                    goes_on = not self._handing_back and version.record.status not in TERMINAL
                    if await self._writer.save(version, next_holder if goes_on else "", held.request_changed):
                        claim = Claim(version.record, False)
                        return True, HeldEvolution(claim, next_holder, execution.evolution, version.written)
                    return True, None
                case Interrupted(execution):
                    version = next_version.after_interruption(held, execution)
                case Failed():
                    version = next_version.after_failure(held, ending, self._settings.max_attempts)
                case LeaseLost():
                    _count_lease_lost(record)
                    return False, None
            await self._writer.save(version, request_changed=held.request_changed)
            return True, None
        except Conflict:
            _count_lease_lost(record)
            return False, None
        except Unavailable as error:
            log_left_to_sweep(record.id, error)
            return False, None
        except Exception as error:
            if not isinstance(ending, Completed):
                raise
            # What the round found cannot be saved, so it is performed again.
            return await self._save(held, Failed(error, self._performer.resumed(held)), next_holder)


def _count_lease_lost(record: Record) -> None:
    metrics.lease_lost()
    log.info("%s: somebody else performs the round from version %d", record.id, record.version)
