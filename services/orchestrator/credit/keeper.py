"""Keeps what mutants earn, and gives new searches what was earned on instructions like theirs."""

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from services.orchestrator.credit.gains import cycle_gains
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import DarwinError
from shared.records.attempts import Attempt
from shared.records.credit import Credit, Observation
from shared.records.events import CycleFinished, Event
from shared.records.evolution import EvolutionRequest, Record
from shared.records.turns import instruction_of
from shared.store.credit import CreditLog
from shared.store.evolutions import Store

log = logging.getLogger(__name__)

# Credit is worth no wait: a search that gets none draws all lines alike.
_TIMEOUT_S = 2.0
# What of an instruction is embedded: less than encoders read in any script.
_CHARACTERS = 400
_TENANTS, _VECTORS = 50, 1000


class Encoder(Protocol):
    """Embeds a text as a unit vector of little-endian float32 numbers."""

    async def vector(self, text: str, timeout_s: float) -> bytes: ...


class CreditKeeper:
    """Credit by tenant, profile and the instruction's neighbourhood, for searches that want it.

    What cannot be read or kept now costs a search nothing but its credit, and is logged.
    """

    def __init__(self, kept: CreditLog, store: Store, encoder: Encoder, settings: OrchestratorSettings) -> None:
        self._kept = kept
        self._store = store
        self._encoder = encoder
        self._settings = settings
        self._known: OrderedDict[str | None, dict[str, Observation]] = OrderedDict()
        self._vectors: OrderedDict[str, str] = OrderedDict()
        self._memories: OrderedDict[tuple[str | None, tuple[str, str]], Any] = OrderedDict()
        self._searching = threading.Lock()

    async def credit_for(self, request: EvolutionRequest) -> Credit | None:
        """What lines and operators have earned in the searches on the nearest instructions; None where that is not
        known, or the search does not want it."""
        if not request.search.credit:
            return None
        try:
            observations = [each for each in await self._observations(self._owner(request)) if _fits(each, request)]
        except DarwinError as error:
            log.warning("a search goes on without credit: %s", error.message)
            return None
        vector = await self._vector(request)
        return await asyncio.to_thread(self._credit, self._owner(request), _profile(request), observations, vector)

    def _credit(
        self, owner: str | None, profile: tuple[str, str], observations: Sequence[Observation], vector: str
    ) -> Credit | None:
        """The credit from those of the nearest instructions; from all where nothing is embedded."""
        from services.orchestrator.credit import memory, statistics

        comparable = [each for each in observations if len(each.vector) == len(vector)]
        if vector and comparable:
            with self._searching:
                of = self._memories.setdefault((owner, profile), memory.Memory())
                self._memories.move_to_end((owner, profile))
                observations = of.nearest(comparable, vector, self._settings.credit_near)
            while len(self._memories) > _TENANTS:
                self._memories.popitem(last=False)
        return statistics.credit_of(observations, self._settings.credit_half_life)

    async def on_saved(self, record: Record, attempt: Attempt, events: Sequence[Event]) -> None:
        """A listener for saves: keeps the gains of the cycles that this save has finished."""
        request = record.request
        finished = {event.cycle for event in events if isinstance(event, CycleFinished)}
        if not (request.search.credit and finished):
            return
        try:
            told = [stored.event for stored in await self._store.events(record.id)]
            for cycle in cycle_gains(told):
                if cycle.cycle in finished and cycle.gains:
                    vector = await self._vector(request)
                    made = Observation(
                        f"{record.id}:{cycle.cycle}",
                        attempt.ended_at,
                        request.profile,
                        cycle.gains,
                        vector,
                        request.profile_owner or "",
                    )
                    most, ttl_s = self._settings.credit_kept, self._settings.credit_ttl_s
                    await self._kept.add(self._owner(request), made, most, ttl_s)
        except DarwinError as error:
            log.warning("%s: what its mutants earned is not kept: %s", record.id, error.message)

    def _owner(self, request: EvolutionRequest) -> str | None:
        return None if self._settings.credit_shared else request.tenant

    async def _observations(self, owner: str | None) -> list[Observation]:
        """All that is kept, the oldest first; what is known already is not read again."""
        ids = await self._kept.ids(owner)
        known = self._known.pop(owner, {})
        new = await self._kept.load(owner, [each for each in ids if each not in known])
        known |= {each.id: each for each in new}
        self._known[owner] = {each: known[each] for each in ids if each in known}
        while len(self._known) > _TENANTS:
            self._known.popitem(last=False)
        return list(self._known[owner].values())

    async def _vector(self, request: EvolutionRequest) -> str:
        """The packed embedding of the instruction's beginning; empty where there is none."""
        from services.orchestrator.credit import neighbours

        text = instruction_of(request.messages)[:_CHARACTERS]
        if text not in self._vectors:
            try:
                self._vectors[text] = neighbours.packed(await self._encoder.vector(text, _TIMEOUT_S))
            except DarwinError as error:
                log.warning("an instruction is not embedded, so that credit is not of its like: %s", error.message)
                return ""
            while len(self._vectors) > _VECTORS:
                self._vectors.popitem(last=False)
        return self._vectors[text]


def _fits(observation: Observation, request: EvolutionRequest) -> bool:
    return (observation.profile, observation.profile_owner) == _profile(request)


def _profile(request: EvolutionRequest) -> tuple[str, str]:
    """The profile and whose own it is: a tenant's may have the name of one that all may use."""
    return request.profile, request.profile_owner or ""
