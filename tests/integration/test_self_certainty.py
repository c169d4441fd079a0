"""Searches that the language model's own certainty steers, over real wires to an engine and to a reward."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.orchestrator.adapters.reward import GrpcScorer
from services.reward.bootstrap import build_over
from services.reward.profiles import parse_profile
from services.reward.servicer import RewardServicer
from services.reward.settings import RewardSettings
from shared.pb.reward_pb2_grpc import RewardServiceStub, add_RewardServiceServicer_to_server
from shared.records.evolution import EvolutionRequest, Record, Sampling
from shared.records.search import Search
from shared.rpc.balancing import Replicas
from shared.rpc.server import Server
from shared.store.evolutions import Store
from tests.integration.simulated_generation import simulated_generation
from tests.integration.stages import REQUEST, Due, Stages, accept, advance, round_runner

SURE = "components: [{name: sure, type: self_certainty, weight: 2}]"
CERTAIN = replace(
    REQUEST,
    profile="sure",
    self_certainty=True,
    seeded=True,
    sampling=Sampling(24),
    search=Search(period=6, cycles=2, mutants=3, survivors=1),
)


@asynccontextmanager
async def stages() -> AsyncIterator[Stages]:
    """Decoding and scoring over gRPC, and mutants out of memory."""
    rewarder = build_over({"sure": parse_profile(SURE, "sure")}, "sure", RewardSettings())
    server, found = Server([]), Stages()
    await rewarder.start()
    server.register(add_RewardServiceServicer_to_server, RewardServicer(rewarder))
    server.set_ready()
    async with (
        Replicas("reward", await server.start("127.0.0.1:0"), RewardServiceStub) as replicas,
        simulated_generation(0.0) as generator,
    ):
        found.generate, found.score = generator.generate, GrpcScorer(replicas).score  # type: ignore[method-assign]
        yield found
    await server.stop(0)
    await rewarder.stop()


async def ended(store: Store, found: Stages, request: EvolutionRequest) -> Record:
    """The search, each of whose rounds another worker performs."""
    due: Due | None = await accept(store, request)
    assert due is not None
    evolution_id = due.evolution_id
    while due is not None:
        due = await advance(store, round_runner(store, found), due)
    return await store.load(evolution_id)


async def test_the_surest_response_answers_and_its_reward_is_the_mean_over_its_tokens(store: Store) -> None:
    async with stages() as found:
        record, again = await ended(store, found, CERTAIN), await ended(store, found, CERTAIN)
    assert record.result is not None
    assert again.result is not None
    assert record.result.choices == again.result.choices
    [answer], base = record.result.choices, record.result.base
    assert base is not None
    assert answer.reward is not None
    assert base.reward is not None
    assert answer.reward > base.reward > 0
    assert answer.components == {"sure": answer.reward / 2}
    outcomes = [outcome for attempt in await store.attempts(record.id) for outcome in attempt.outcomes]
    pieces = [each for each in outcomes if each["kind"] == "Generated" and each["state"] == -1]
    tokens = sum(each["token_ids"] for each in pieces)
    assert tokens == base.completion_tokens == 24
    assert base.reward == 2 * sum(each["certainty"] for each in pieces) / tokens


async def test_without_it_the_search_fails_and_says_what_to_do(store: Store) -> None:
    async with stages() as found:
        record = await ended(store, found, replace(CERTAIN, self_certainty=False))
    assert record.status == "failed"
    assert record.error is not None
    assert "set DARWIN_GATEWAY_REWARD" in record.error.message
