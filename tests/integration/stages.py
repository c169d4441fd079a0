"""Evolutions over a real Redis, with the other stages answered in memory."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.orchestrator.core.values import Generate, Generated, Mutate, Mutated, MutationEnded, Score, Scored
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import DarwinError
from shared.records.evolution import TERMINAL, EvolutionRequest, Idempotency, Message, Record, Sampling
from shared.records.search import Search
from shared.store.evolutions import Store
from shared.store.queue import QUEUE
from shared.store.redis_keys import RedisKeys
from shared.store.shards import Shard, new_evolution_id
from tests.unit.orchestrator.strategies import World

REQUEST = EvolutionRequest("darwin", (Message("user", "Explain tides."),), Sampling(24), Search(period=6), seed=11)


@dataclass(frozen=True)
class Due:
    """The round of an evolution that follows a version."""

    evolution_id: str
    version: int = 0


class Stages:
    """All three ports; counts calls in flight, can be slow, can fail.

    Late failures are those of a call that has yielded every outcome: a round's last scoring.
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

    async def text_of(self, token_ids: Sequence[int], timeout_s: float) -> str:
        return " ".join(f"token{token}" for token in token_ids)

    async def reasoning_marks(self, timeout_s: float) -> tuple[str, str]:
        return "", ""

    async def template_variables(self, timeout_s: float) -> frozenset[str]:
        return frozenset({"enable_thinking"})

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        if self.scoring_failures:
            raise self.scoring_failures.pop(0)
        for effect in effects:
            for outcome in self.world.perform(effect):
                yield outcome  # type: ignore[misc]
        if self.late_failures and effects[-1].state == request.search.mutants - 1:
            await asyncio.sleep(0.05)
            raise self.late_failures.pop(0)


def round_runner(store: Store, stages: Stages, **settings: float) -> RoundRunner:
    return RoundRunner(store, stages, stages, stages, OrchestratorSettings(**settings))  # type: ignore[arg-type]


def record_of(request: EvolutionRequest, idempotency: Idempotency | None = None) -> Record:
    return Record(new_evolution_id(idempotency), 0, "queued", time.time(), request, idempotency=idempotency)


def record_on(store: Store, shard: int, request: EvolutionRequest = REQUEST) -> Record:
    """One that lies on this shard."""
    while True:
        record = record_of(request)
        if store.shard_of(record.id) == shard % len(store._shards):
            return record


async def accept(store: Store, request: EvolutionRequest = REQUEST) -> Due:
    record = await store.create(record_of(request))
    return Due(record.id)


def key(due: Due, part: str = "") -> str:
    return RedisKeys().record(due.evolution_id) + (f":{part}" if part else "")


def shard_of(store: Store, due: Due) -> Shard:
    return store._shards.of(due.evolution_id)


async def advance(store: Store, worker: RoundRunner, due: Due) -> Due | None:
    """Performs a round, after which the worker hands back, from now on; the round that follows it, None where the
    evolution ended, or nothing was saved.
    """
    worker.hand_back()
    await worker.advance(due.evolution_id, due.version)
    record = await store.load(due.evolution_id)
    return None if record.status in TERMINAL or record.version == due.version else Due(record.id, record.version)


async def delay_s(store: Store, due: Due) -> float:
    """Seconds that the message for this round still has to wait; 0.0 where it is due at once, as a first round is."""
    if due.version == 0:
        return 0.0
    sent = [json.loads(raw) for raw in await store._redis.lrange(QUEUE, 0, -1)]
    (message,) = [one for one in sent if json.loads(one["body"])[0] == [due.evolution_id, due.version]]
    eta = message["headers"]["eta"]
    return max(0.0, datetime.fromisoformat(eta).timestamp() - time.time()) if eta else 0.0


async def finish(store: Store, worker: RoundRunner, due: Due | None) -> None:
    while due is not None:
        due = await advance(store, worker, due)
    await store.settled()
