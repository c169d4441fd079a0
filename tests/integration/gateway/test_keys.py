"""`/v1/keys`: operators make, read, change, rotate and revoke keys."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.store.api_keys import ApiKeys
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import BODY, Gateway, new_caller

CHAT = "/v1/chat/completions"


@pytest.fixture
async def operator(guarded: Gateway, keys: ApiKeys) -> AsyncIterator[httpx.AsyncClient]:
    async with await new_caller(keys, guarded, "operators", manages_keys=True) as caller:
        yield caller


async def made(operator: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    response = await operator.post("/v1/keys", json={"tenant": "made"} | body)
    assert response.status_code == 201, response.text
    key: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/keys/{key['id']}"
    return key


async def call(guarded: Gateway, text: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=guarded.url, headers={"authorization": f"Bearer {text}"}) as http:
        return await http.post(CHAT, json=BODY)


def use_of(key: dict[str, Any], unit: str, period: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [use for use in key["use"] if (use["unit"], use["period"]) == (unit, period)]
    [use] = found
    return use


async def test_a_query_that_nobody_knows_is_refused(operator: httpx.AsyncClient) -> None:
    refused = await operator.get("/v1/keys", params={"tenants": "made"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tenants")


async def test_a_keys_life(guarded: Gateway, operator: httpx.AsyncClient) -> None:
    terms = {"note": "for tests", "models": ["darwin"], "tokens_per_day": 500, "expires_at": time.time() + 60}
    key = await made(operator, **terms)
    assert {name: key[name] for name in terms} == terms
    assert key["key"].startswith(f"dk_{key['id']}_")
    assert (await call(guarded, key["key"])).status_code == 200
    shown = (await operator.get(f"/v1/keys/{key['id']}")).json()
    assert "key" not in shown
    day = use_of(shown, "tokens", "day")
    assert (day["limit"], day["used"], day["reserved"]) == (500, 120, 0)
    assert 0 < day["ends_at"] - time.time() <= 86_400
    assert (use_of(shown, "tokens", "hour")["limit"], use_of(shown, "tokens", "hour")["used"]) == (None, 120)
    listed = (await operator.get("/v1/keys", params={"tenant": "made"})).json()["data"]
    assert key["id"] in [each["id"] for each in listed]
    assert {each["tenant"] for each in listed} == {"made"}
    changed = (await operator.patch(f"/v1/keys/{key['id']}", json={"models": ["sample"], "expires_at": None})).json()
    assert (changed["models"], changed["expires_at"], changed["tokens_per_day"]) == (["sample"], None, 500)
    assert (await call(guarded, key["key"])).status_code == 403
    revoked = await operator.delete(f"/v1/keys/{key['id']}")
    assert revoked.json() == {"id": key["id"], "object": "api_key.deleted", "deleted": True}
    assert (await call(guarded, key["key"])).status_code == 401
    for response in (
        await operator.get(f"/v1/keys/{key['id']}"),
        await operator.patch(f"/v1/keys/{key['id']}", json={}),
        await operator.post(f"/v1/keys/{key['id']}/rotate", json={}),
        await operator.delete(f"/v1/keys/{key['id']}"),
    ):
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


async def test_rotation(guarded: Gateway, operator: httpx.AsyncClient) -> None:
    key = await made(operator, tokens_per_day=500)
    await call(guarded, key["key"])
    rotated = (await operator.post(f"/v1/keys/{key['id']}/rotate", json={})).json()
    assert (rotated["id"], rotated["previous_until"]) == (key["id"], None)
    assert (await call(guarded, key["key"])).status_code == 401
    assert (await call(guarded, rotated["key"])).headers["x-ratelimit-remaining-tokens"] == "380"
    again = (await operator.post(f"/v1/keys/{key['id']}/rotate", json={"grace_s": 2})).json()
    assert 0 < again["previous_until"] - time.time() <= 2
    for text, expected in ((rotated["key"], 200), (again["key"], 200), (key["key"], 401)):
        assert (await call(guarded, text)).status_code == expected
    await asyncio.sleep(2.1)
    assert (await call(guarded, rotated["key"])).status_code == 401
    assert (await operator.get(f"/v1/keys/{key['id']}")).json()["previous_until"] is None


@pytest.mark.parametrize("all_tenants", [False, True])
async def test_other_keys_may_not(guarded: Gateway, keys: ApiKeys, all_tenants: bool) -> None:
    async with await new_caller(keys, guarded, all_tenants=all_tenants) as http:
        mine = http.headers["authorization"].split("_")[1]
        for response in (
            await http.get("/v1/keys"),
            await http.post("/v1/keys", json={"tenant": "acme"}),
            await http.get(f"/v1/keys/{mine}"),
            await http.patch(f"/v1/keys/{mine}", json={"manages_keys": True}),
            await http.post(f"/v1/keys/{mine}/rotate", json={}),
            await http.delete(f"/v1/keys/{mine}"),
        ):
            assert (response.status_code, response.json()["error"]["code"]) == (403, "permission_denied")
            assert "--manages-keys" in response.json()["error"]["message"]
        assert (await http.get("/v1/models")).status_code == 200


async def test_without_keys_there_are_none_to_manage(http: httpx.AsyncClient) -> None:
    for response in (await http.get("/v1/keys"), await http.post("/v1/keys", json={"tenant": "acme"})):
        assert response.status_code == 403
        assert "DARWIN_GATEWAY_KEYS=required" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tenant": "no tenant"}, "tenant"),
        ({"tenant": "user:ann"}, "tenant"),
        ({"tenant": None}, "tenant"),
        ({"tokens_per_day": 0}, "tokens_per_day"),
        ({"tokens_per_day": 1.5}, "tokens_per_day"),
        ({"tokens_per_year": 5}, "tokens_per_year"),
        ({"money_per_day": 0}, "money_per_day"),
        ({"money_per_day": 1}, "money_per_day"),
        ({"expires_at": 5}, "expires_at"),
        ({"expires_at": "2027-01-01"}, "expires_at"),
        ({"models": []}, "models"),
        ({"models": ["gpt-none"]}, "models"),
        ({"models": "darwin"}, "models"),
        ({"methods": ["none"]}, "methods.0"),
        ({"profiles": ["no profile"]}, "profiles.0"),
        ({"note": "two\nlines"}, "note"),
        ({"manages_keys": None}, "manages_keys"),
        ({"id": "0" * 12}, "id"),
    ],
)
async def test_what_cannot_be_is_refused(operator: httpx.AsyncClient, body: dict[str, Any], param: str) -> None:
    key = await made(operator)
    refused = [await operator.post("/v1/keys", json={"tenant": "made"} | body)]
    if "tenant" not in body:
        refused.append(await operator.patch(f"/v1/keys/{key['id']}", json=body))
    for response in refused:
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, param), error
    assert (await operator.get(f"/v1/keys/{key['id']}")).json() == {
        name: value for name, value in key.items() if name != "key"
    }


async def test_changes_at_once_all_hold(operator: httpx.AsyncClient) -> None:
    key = await made(operator)
    path = f"/v1/keys/{key['id']}"
    terms = {"note": "n", "max_active": 7, "tokens_per_hour": 8, "tokens_per_week": 9, "models": ["sample"]}
    answers = await asyncio.gather(*(operator.patch(path, json={name: value}) for name, value in terms.items()))
    assert [answer.status_code for answer in answers] == [200] * len(terms)
    shown = (await operator.get(path)).json()
    assert {name: shown[name] for name in terms} == terms


async def test_no_secret_in_the_log(guarded: Gateway, operator: httpx.AsyncClient) -> None:
    key = await made(operator)
    rotated = (await operator.post(f"/v1/keys/{key['id']}/rotate", json={"grace_s": 60})).json()
    seen = [await operator.get("/v1/keys"), await operator.get(f"/v1/keys/{key['id']}")]
    for text in (key["key"], rotated["key"]):
        secret = text.rpartition("_")[2][:20]
        assert secret not in guarded.process.log.read_text()
        assert not any(secret in response.text for response in seen)
    assert not any("digest" in response.text for response in seen)


async def test_identities_of_a_proxy_have_the_terms_of_the_key_that_is_named(
    redis_url: str, orchestrator: FakeOrchestrator, operator: httpx.AsyncClient, tmp_path: Any
) -> None:
    terms = await made(operator, tokens_per_day=200, models=["darwin", "sample"], all_tenants=True, manages_keys=True)
    env = {
        "DARWIN_GATEWAY_KEYS": "required",
        "DARWIN_GATEWAY_IDENTITY_HEADER": "x-forwarded-email",
        "DARWIN_GATEWAY_TRUSTED_PROXIES": "127.0.0.1",
        "DARWIN_GATEWAY_IDENTITY_KEY": terms["id"],
    }

    def named(who: str) -> httpx.AsyncClient:
        # Whatever the proxy says of where its own client is, its word counts.
        headers = {"x-forwarded-email": who, "x-forwarded-for": "203.0.113.9"}
        return httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30)

    with Gateway(redis_url, tmp_path, **env) as gateway:
        async with named("ann@example.org") as ann, named("bob@example.org") as bob:
            begun = (await ann.post("/v1/evolutions", json=BODY)).json()["id"]
            assert (await ann.get(f"/v1/evolutions/{begun}")).status_code == 200
            assert (await bob.get(f"/v1/evolutions/{begun}")).status_code == 404
            assert (await bob.get("/v1/viewer")).json()["all_tenants"] is False
            assert (await ann.get("/v1/keys")).status_code == 403
            assert (await ann.post(CHAT, json=BODY | {"model": "best-of-n"})).status_code == 403
            assert (await ann.post(CHAT, json=BODY)).status_code in (200, 429)
            assert (await bob.post(CHAT, json=BODY)).headers["x-ratelimit-remaining-tokens"] == "200"
            async with httpx.AsyncClient(base_url=gateway.url, headers=operator.headers) as through:
                shown = (await through.get("/v1/keys/user:bob@example.org")).json()
            assert (shown["tenant"], use_of(shown, "tokens", "day")["used"]) == ("user:bob@example.org", 120)
            await operator.patch(f"/v1/keys/{terms['id']}", json={"models": ["sample"]})
            assert (await bob.post(CHAT, json=BODY)).status_code == 403
            await operator.delete(f"/v1/keys/{terms['id']}")
            gone = await bob.get("/v1/models")
            assert (gone.status_code, terms["id"] in gone.json()["error"]["message"]) == (401, True)
