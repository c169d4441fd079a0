"""What workers do with evolutions that have ended, for shadows and judges: over a real Redis, with scripted rewards."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
import redis.asyncio

from services.orchestrator.core.values import Score, Scored
from services.orchestrator.rollouts.follower import RolloutFollower
from shared.errors import Unavailable
from shared.records.attempts import Attempt
from shared.records.evolution import EvolutionRequest, Record
from shared.records.profiles import Traits
from shared.records.rollouts import Canary
from shared.records.search import Search
from shared.store.evolutions import Store
from shared.store.rollouts import Rollouts
from tests.integration.stages import REQUEST, Stages, accept, finish, round_runner
from tests.metrics import Measured

ASKED = replace(REQUEST, search=Search(period=6), profile="brief@1", profile_owner="")


class Rewards:
    """Scores by a number for each profile: of 0, as the search itself did, else against it."""

    def __init__(self) -> None:
        self.world = Stages().world
        self.against = False
        self.calls: list[tuple[str, str | None, int]] = []
        self.away = False

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        if self.away:
            raise Unavailable("no answer from reward")
        self.calls.append((request.profile, request.profile_owner, len(effects)))
        for effect in effects:
            [scored] = self.world.perform(effect)
            assert isinstance(scored, Scored)
            yield replace(scored, reward=-scored.reward) if self.against else scored


@pytest.fixture
async def rollouts(redis_url: str) -> AsyncIterator[Rollouts]:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        if there := await client.keys("darwin:profile*"):
            await client.delete(*there)
    kept = Rollouts(redis_url)
    for content in ("a: 1", "a: 2"):
        await kept.push("", "brief", content, "me", "", promote=False)
    yield kept
    await kept.close()


async def searched(store: Store, request: EvolutionRequest = ASKED) -> Record:
    due = await accept(store, request)
    await finish(store, round_runner(store, Stages()), due)
    return await store.load(due.evolution_id)


async def test_a_shadow_scores_every_population_again_and_agrees_with_itself(store: Store, rollouts: Rollouts) -> None:
    shadow = (await rollouts.start_shadow("", "brief", 2, 1.0, "me", "")).shadow
    assert shadow
    rewards = Rewards()
    follower = RolloutFollower(rollouts, store, rewards, lambda: True)
    record = await searched(store)
    with Measured() as found:
        for _ in range(2):
            await follower.look_at(record)
    same = await rollouts.compared(shadow, 1)
    assert (same.evolutions, same.picks, same.differing) == (1, 0, 0)
    assert same.decisions > 0
    assert {call[:2] for call in rewards.calls} == {("brief@2", "")}
    assert found.of("darwin.shadow.evolutions", profile="brief@2") == 2
    rewards.against = True
    await follower.look_at(await searched(store, replace(ASKED, seed=12)))
    other = await rollouts.compared(shadow, 1)
    assert other.evolutions == 2
    assert other.differing > 0


async def test_only_a_share_of_those_under_the_promoted_version_is_scored(store: Store, rollouts: Rollouts) -> None:
    rewards = Rewards()
    follower = RolloutFollower(rollouts, store, rewards, lambda: True)
    record = await searched(store)
    await follower.look_at(record)  # there is no shadow
    await rollouts.start_shadow("", "brief", 2, 1e-12, "me", "")
    await follower.look_at(record)  # it does not fall in the share
    await rollouts.end_shadow("", "brief", "me", "")
    await rollouts.start_shadow("", "brief", 2, 1.0, "me", "")
    for profile, owner in (("brief@2", ""), ("brief@1", "acme"), ("brief@1", None)):
        request = replace(record.request, profile=profile, profile_owner=owner)
        await follower.look_at(replace(record, request=request))
    assert rewards.calls == []
    await follower.look_at(record)
    assert rewards.calls


async def test_what_cannot_be_scored_now_is_dropped_and_counted(store: Store, rollouts: Rollouts) -> None:
    shadow = (await rollouts.start_shadow("", "brief", 2, 1.0, "me", "")).shadow
    assert shadow
    rewards, record = Rewards(), await searched(store)
    with Measured() as found:
        await RolloutFollower(rollouts, store, rewards, lambda: False).look_at(record)
        rewards.away = True
        await RolloutFollower(rollouts, store, rewards, lambda: True).look_at(record)
        waiting = RolloutFollower(rollouts, store, rewards, lambda: True)
        for _ in range(101):
            await waiting.on_saved(record, Attempt("0" * 32, 1, 1, 1, 0.0, 0.0), ())
    assert found.of("darwin.rollouts.dropped", why="busy") == 2
    assert found.of("darwin.rollouts.dropped", why="Unavailable") == 1
    assert (await rollouts.compared(shadow, 1)).evolutions == 0


async def test_a_judge_gives_a_canary_its_outcomes(store: Store, rollouts: Rollouts) -> None:
    canary = Canary("c1", 2, 0.5, "evolution", "judge", 0.05, judge="kind@3", judge_owner="acme")
    await rollouts.start_canary("", "brief", canary, "me", "")
    rewards = Rewards()
    follower = RolloutFollower(rollouts, store, rewards, lambda: True)
    record = await searched(store)
    await follower.look_at(record)
    assert rewards.calls == [], "its version was not drawn"
    drawn = replace(record, request=replace(record.request, profile_canary="c1"))
    for _ in range(2):
        await follower.look_at(drawn)
    assert rewards.calls[0] == ("kind@3", "acme", 1)
    found = await rollouts.evidence(canary)
    assert found.outcomes == 1
    assert 0 < sum(found.sums) < 1


async def test_what_compares_responses_is_no_shadow(store: Store, rollouts: Rollouts) -> None:
    await rollouts.push("", "brief", "a: 3", "me", "", promote=False, traits=Traits(relative=True))
    await rollouts.start_shadow("", "brief", 3, 1.0, "me", "")
    rewards = Rewards()
    await RolloutFollower(rollouts, store, rewards, lambda: True).look_at(await searched(store))
    assert rewards.calls == []
