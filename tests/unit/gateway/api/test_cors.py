"""Web pages of other origins."""

from typing import Any

import httpx
import pytest

from tests.unit.gateway.apps import BODY, CHAT, URL, Refusing, app_with

PAGE = "https://chat.example.org"
PREFLIGHT = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


def browser(**fields: Any) -> httpx.AsyncClient:
    app = app_with(Refusing(URL, ttl_s=60), **fields)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.mark.parametrize("keys", ["required", "off"])
async def test_browsers_ask_first_and_need_no_key_for_it(keys: str) -> None:
    async with browser(keys=keys, cors_origins=(PAGE, "http://localhost:3000")) as http:
        allowed = await http.options(CHAT, headers=PREFLIGHT)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert "x-stainless-lang" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed.headers


async def test_a_page_reads_answers_and_refusals() -> None:
    async with browser(cors_origins=(PAGE,)) as http:
        for response in (await http.get("/v1/models", headers={"origin": PAGE}), await http.post(CHAT, json=BODY)):
            assert ("access-control-allow-origin" in response.headers) == (response.status_code == 200)
        refused = await http.post(CHAT, json=BODY, headers={"origin": PAGE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (409, PAGE)
    assert refused.headers["vary"] == "Origin"
    readable = refused.headers["access-control-expose-headers"].split(", ")
    for name in (
        *("x-request-id", "x-darwin-trace-id", "x-darwin-evolution-id", "retry-after", "x-should-retry"),
        *("x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens", "idempotent-replayed"),
    ):
        assert name in readable


async def test_a_page_still_needs_a_key() -> None:
    async with browser(keys="required", cors_origins=("*",)) as http:
        assert (await http.options(CHAT, headers=PREFLIGHT)).headers["access-control-allow-origin"] == "*"
        refused = await http.post(CHAT, json=BODY, headers={"origin": PAGE})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


@pytest.mark.parametrize("origin", ["https://evil.example", "http://chat.example.org", f"{PAGE}.evil.example", "null"])
async def test_other_origins_are_not_admitted(origin: str) -> None:
    async with browser(cors_origins=(PAGE,)) as http:
        asked = await http.options(CHAT, headers=PREFLIGHT | {"origin": origin})
        called = await http.get("/v1/models", headers={"origin": origin})
    assert asked.status_code == 400
    for response in (asked, called):
        assert "access-control-allow-origin" not in response.headers


async def test_by_default_no_page_is_admitted() -> None:
    async with browser() as http:
        asked = await http.options(CHAT, headers=PREFLIGHT)
        called = await http.get("/v1/models", headers={"origin": PAGE})
    assert (asked.status_code, called.status_code) == (405, 200)
    assert not any(name.startswith("access-control") for name in (*asked.headers, *called.headers))


async def test_without_keys_a_page_under_another_host_name_is_refused_though_its_origin_is_listed() -> None:
    async with browser(cors_origins=(PAGE,)) as http:
        response = await http.post(CHAT, json=BODY, headers={"origin": PAGE, "host": "chat.example.org"})
    assert response.status_code == 421
