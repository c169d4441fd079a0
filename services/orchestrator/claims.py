"""How a worker comes to hold an evolution."""

import logging
from contextlib import suppress

from services.orchestrator import metrics
from services.orchestrator.adapters import codec
from services.orchestrator.adapters.packing import NOTHING_WRITTEN, Written
from services.orchestrator.core.values import EvolutionState
from services.orchestrator.held import HeldEvolution
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import Internal
from shared.records.evolution import TERMINAL, Failure
from shared.records.schema import UnknownSchema
from shared.store.evolutions import Store
from shared.store.leases import Claim

log = logging.getLogger(__name__)


class Claims:
    """Takes evolutions, and leaves those that this version of the program does not know to other workers."""

    def __init__(self, store: Store, settings: OrchestratorSettings) -> None:
        self._store = store
        self._settings = settings

    async def take(self, evolution_id: str, version: int, holder: str) -> HeldEvolution | None:
        """Takes the lease on an evolution; None where there is no round for this worker to perform.

        Raises:
            Unavailable: Redis is away.
        """
        try:
            claim = await self._store.claim(evolution_id, version, holder, self._settings.lease_s)
            if claim is None:
                return None
            if claim.record.status in TERMINAL:
                await self._store.release(evolution_id, holder)
                return None
            return HeldEvolution(claim, holder, *_state(claim))
        except UnknownSchema as error:
            await self._hand_back(evolution_id, holder, error)
        except Internal as error:
            await self._abandon(evolution_id, error)
        return None

    async def _hand_back(self, evolution_id: str, holder: str, unknown: UnknownSchema) -> None:
        """Leaves the evolution to a worker that knows its schema; it ends where none comes for a long time."""
        since_s = await self._store.hand_back(evolution_id, holder, self._settings.stalled_s)
        if since_s > self._settings.schema_patience_s:
            await self._abandon(evolution_id, Internal(f"{unknown}, and no worker that knows it has come since"))
        else:
            log.warning("%s is left to other workers: %s", evolution_id, unknown)

    async def _abandon(self, evolution_id: str, error: Internal) -> None:
        log.error("%s", error.message)
        await self._store.abandon(evolution_id, Failure(type(error).__name__, error.message))
        metrics.abandoned(type(error).__name__)


def _state(claim: Claim) -> tuple[EvolutionState | None, Written]:
    with suppress(ValueError):  # whoever begins the round meets it again, and counts it as a failure
        if claim.record.state is not None:
            return codec.restore(claim.record.state)
    return None, NOTHING_WRITTEN
