"""Evolutions over a real Redis, with the other stages answered in memory."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence

from services.orchestrator.core.values import Generate, Generated, Mutate, Mutated, MutationEnded, Score, Scored
from services.orchestrator.round_runner import Next, RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import DarwinError
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling, Search
from shared.store.evolutions import Store
from tests.unit.orchestrator.strategies import World

REQUEST = EvolutionRequest("darwin", (Message("user", "Explain tides."),), Sampling(24), Search(period=6), seed=11)


class Stages:
    """All three ports; counts calls in flight, can be slow, can fail.

    Late failures are those of a call that has told everything: a cycle's last scoring.
    """

    def __init__(
        self,
        delay_s: float = 0.0,
        failures: Sequence[DarwinError] = (),
        scoring_failures: Sequence[DarwinError] = (),
        late_failures: Sequence[DarwinError] = (),
    ) -> None:
        self.world = World(5)
        self.delay_s = delay_s
        self.failures = list(failures)
        self.scoring_failures = list(scoring_failures)
        self.late_failures = list(late_failures)
        self.in_flight = 0
        self.called = asyncio.Event()
        self.generated: list[Generate] = []

    async def mutate(
        self, effect: Mutate, request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Mutated | MutationEnded]:
        for outcome in self.world.perform(effect):
            yield outcome  # type: ignore[misc]

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        self.in_flight += 1
        self.called.set()
        try:
            if self.failures:
                raise self.failures.pop(0)
            await asyncio.sleep(self.delay_s)
            for effect in effects:
                self.generated.append(effect)
                for outcome in self.world.perform(effect):
                    yield outcome  # type: ignore[misc]
        finally:
            self.in_flight -= 1

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        if self.scoring_failures:
            raise self.scoring_failures.pop(0)
        for effect in effects:
            for outcome in self.world.perform(effect):
                yield outcome  # type: ignore[misc]
        if effects[0].final and self.late_failures:
            await asyncio.sleep(0.05)
            raise self.late_failures.pop(0)


def evolving(store: Store, stages: Stages, **settings: float) -> RoundRunner:
    return RoundRunner(store, stages, stages, stages, OrchestratorSettings(**settings))  # type: ignore[arg-type]


def record_of(request: EvolutionRequest) -> Record:
    return Record(f"evo_{uuid.uuid4().hex}", 0, "queued", time.time(), request)


async def accept(store: Store, request: EvolutionRequest = REQUEST) -> Next:
    record = await store.create(record_of(request))
    return Next(record.id, 0)


def key(due: Next, part: str = "") -> str:
    return f"darwin:evo:{{{due.evolution_id}}}" + (f":{part}" if part else "")


async def finish(worker: RoundRunner, due: Next | None) -> None:
    while due is not None:
        due = await worker.advance(due.evolution_id, due.version)
