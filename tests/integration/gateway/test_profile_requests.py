"""What a request finds of managed profiles: its price of tokens, and what is promoted now, in one call of Redis."""

from typing import Any

import httpx
import pytest
import redis.asyncio
from redis.asyncio.connection import AbstractConnection

from services.gateway.profiles.managed import Change, ManagedProfiles
from shared.store.rollouts import Rollouts
from tests.integration.gateway.test_profiles import BRIEF, LONG, App, Reward, guarded_app, url

__all__ = ["guarded_app", "url"]


async def test_tokens_cost_what_the_profile_in_use_says_whoever_names_it(url: str) -> None:
    app = App(url, Reward(), "required", token_prices='{"": 0.5, "brief": 0.25, "pairs": 1}')
    async with (
        app.caller("ops", manages_profiles=True) as operator,
        app.caller("acme") as plain,
        app.caller("acme", default_profile="brief") as by_default,
        app.caller("own", own_profiles=True, default_profile="brief") as owner,
    ):
        await operator.put("/v1/profiles/brief", json={"content": BRIEF})
        await operator.put("/v1/profiles/other", json={"content": BRIEF})
        await operator.put("/v1/profiles/pairs", json={"content": "compares"})

        async def price(http: httpx.AsyncClient, **darwin: Any) -> float | None:
            begun = await app.begun(http, **{"cycles": 2, **darwin})
            assert begun.profile_priced or begun.search.token_price == darwin.get("token_price")
            return begun.search.token_price

        assert [await price(http) for http in (plain, by_default, owner)] == [0.5, 0.25, 0.25]
        assert [await price(plain, profile=name) for name in ("brief", "brief@1", "other", "pairs")] == [
            *(0.25, 0.25, None, None)
        ]
        assert await price(by_default, profile="default@1") is None
        assert await price(by_default, token_price=3) == 3
        assert await price(by_default, token_price=None) is None
        assert await price(by_default, cycles=1) is None
        assert await price(by_default, preset="paper") is None
        await owner.put("/v1/profiles/brief", json={"content": LONG})
        assert [await price(http) for http in (owner, by_default)] == [None, 0.25]
    await app.backends.close()


async def test_a_request_asks_redis_once_for_its_profile_and_finds_what_is_promoted_now(
    guarded_app: App, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = list[object]()
    send = AbstractConnection.send_packed_command

    async def counted(self: AbstractConnection, command: Any, *args: Any, **options: Any) -> None:
        trips.append(command)
        await send(self, command, *args, **options)

    elsewhere = ManagedProfiles(Rollouts(url), guarded_app.reward)
    async with guarded_app.caller("acme") as http, guarded_app.caller("ops", manages_profiles=True) as operator:
        await operator.put("/v1/profiles/brief", json={"content": BRIEF})
        await operator.put("/v1/profiles/brief", json={"content": LONG})
        for reference in ("", "brief"):
            await guarded_app.profiles.resolve("acme", reference)
        await guarded_app.begun(http)
        monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
        for reference, found in (("", "default@1"), ("brief", "brief@1"), ("brief@2", "brief@2")):
            await guarded_app.profiles.resolve("acme", reference)
            trips.clear()
            assert (await guarded_app.profiles.resolve("acme", reference)).reference == found
            assert len(trips) == 1
        trips.clear()
        body = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}]}
        assert (await http.post("/v1/evolutions", json=body)).status_code == 202
        # The key, the profile, the search.
        assert len(trips) == 3
        # Promoted by another gateway.
        await elsewhere.promote("brief", 2, Change("", "ops"))
        assert (await guarded_app.begun(http, profile="brief")).profile == "brief@2"
    await elsewhere.close()


async def test_a_default_that_is_gone_is_not_remembered(url: str) -> None:
    store = Rollouts(url)
    await store.seed({"default": BRIEF}, "default")
    assert (await store.resolve("", "")).reference == "default@1"
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.flushdb()
    assert (await store.resolve("", "kind")).owner is None
    await store.seed({"other": BRIEF}, "other")
    assert (await store.resolve("", "")).reference == "other@1"
    await store.close()
