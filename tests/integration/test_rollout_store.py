"""Shadows and canaries in Redis: what ends them, and that nothing is counted twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import redis.asyncio

from shared.errors import Conflict, InvalidRequest, NotFound
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling
from shared.records.profiles import Resolved
from shared.records.rollouts import Canary, Compared, Shadow
from shared.records.search import Search
from shared.store.rollouts import Rollouts

REQUEST = EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(8), Search(), seed=1, tenant="acme")
RECORD = Record("evo_1", 0, "queued", 0.0, REQUEST)
CANARY = Canary("c1", 2, 0.5, "user", "feedback", 0.05)


@pytest.fixture
async def rollouts(redis_url: str) -> AsyncIterator[Rollouts]:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        if there := await client.keys("darwin:profile*"):
            await client.delete(*there)
    kept = Rollouts(redis_url)
    for content in ("a: 1", "a: 2", "a: 3"):
        await kept.push("", "brief", content, "me", "", promote=False)
    yield kept
    await kept.close()


async def test_a_shadow_is_another_version_and_ends_where_it_is_promoted(rollouts: Rollouts) -> None:
    with pytest.raises(InvalidRequest, match="is promoted"):
        await rollouts.start_shadow("", "brief", 1, 0.5, "me", "")
    with pytest.raises(NotFound):
        await rollouts.start_shadow("", "brief", 4, 0.5, "me", "")
    started = (await rollouts.start_shadow("", "brief", 2, 0.5, "me", "why not")).shadow
    assert started
    assert started == Shadow(started.id, 2, 0.5)
    # Sent again, it goes on.
    assert (await rollouts.start_shadow("", "brief", 2, 0.5, "me", "")).shadow == started
    assert (await rollouts.promote("", "brief", 3, "me", "")).shadow == started
    assert (await rollouts.promote("", "brief", 2, "me", "")).shadow is None
    await rollouts.start_shadow("", "brief", 3, 1.0, "me", "")
    assert (await rollouts.end_shadow("", "brief", "me", "seen")).shadow is None
    assert (await rollouts.end_shadow("", "brief", "me", "seen")).shadow is None
    kinds = [change.kind for change in await rollouts.history("", "brief", 6)]
    assert kinds == ["shadow_ended", "shadow_started", "promoted", "promoted", "shadow_started", "pushed"]


async def test_a_comparison_is_counted_once_and_by_the_promoted_version(rollouts: Rollouts) -> None:
    shadow = Shadow("s1", 2, 0.5)
    for evolution in ("evo_1", "evo_2", "evo_1"):
        await rollouts.count(shadow, 1, evolution, Compared(1, 1, 6, 2))
    await rollouts.count(shadow, 3, "evo_3", Compared(1, 0, 3, 0))
    assert await rollouts.compared(shadow, 1) == Compared(2, 2, 12, 4)
    assert await rollouts.compared(shadow, 3) == Compared(1, 0, 3, 0)


async def test_a_name_means_what_a_canary_draws_and_nothing_else_does(rollouts: Rollouts) -> None:
    await rollouts.seed({"default": "d: 1"}, "default")
    await rollouts.start_canary("", "brief", CANARY, "me", "")
    drawn: dict[str, set[str]] = {}
    for number in range(40):
        user, request = f"u{number % 20}", replace(REQUEST, user=f"u{number % 20}")
        resolved = await rollouts.resolve("acme", "brief", replace(RECORD, id=f"evo_{number}", request=request))
        assert resolved.canary == "c1"
        drawn.setdefault(user, set()).add(resolved.reference)
    # A user has one version, whichever evolution it is; some have the one, some the other.
    assert {len(versions) for versions in drawn.values()} == {1}
    assert set().union(*drawn.values()) == {"brief@1", "brief@2"}
    assert await rollouts.resolve("acme", "brief@1", RECORD) == Resolved("brief@1", "")
    assert await rollouts.resolve("acme", "brief") == Resolved("brief@1", "")
    with pytest.raises(Conflict, match="end it first"):
        await rollouts.start_canary("", "brief", replace(CANARY, id="c2", version=3), "me", "")
    assert (await rollouts.promote("", "brief", 3, "me", "")).canary is None


async def test_each_unit_counts_once_however_many_come_at_once(rollouts: Rollouts) -> None:
    users = [f"user {number}" for number in range(10)]
    await asyncio.gather(*(rollouts.add_outcome(CANARY, user, 0.75) for user in users * 2))
    found = await rollouts.evidence(CANARY)
    assert found.outcomes == 10
    assert found.counts[1] == sum(map(CANARY.takes, users))
    assert found.sums == (0.75 * found.counts[0], 0.75 * found.counts[1])


async def test_a_verdict_is_put_into_effect_once_and_for_its_canary_alone(rollouts: Rollouts) -> None:
    await rollouts.start_canary("", "brief", CANARY, "me", "")
    assert (await rollouts.promote_canary("", "brief", "another", "canary", "better")).promoted == 1
    assert (await rollouts.promote_canary("", "brief", "c1", "canary c1", "better")).promoted == 2
    assert (await rollouts.promote_canary("", "brief", "c1", "canary c1", "better")).promoted == 2
    [promoted, *_] = await rollouts.history("", "brief", 5)
    assert (promoted.kind, promoted.version, promoted.by, promoted.reason) == ("promoted", 2, "canary c1", "better")
    assert (await rollouts.roll_back("", "brief", 2, "me", "")).promoted == 1
    await rollouts.start_canary("", "brief", replace(CANARY, id="c3"), "me", "")
    assert (await rollouts.end_canary("", "brief", "canary c1", "worse", "c1")).canary
    assert (await rollouts.end_canary("", "brief", "canary c3", "worse", "c3")).canary is None
