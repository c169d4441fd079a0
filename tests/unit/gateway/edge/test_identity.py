"""Callers whom a proxy names, by where the call comes from."""

from typing import Any

import httpx
import pytest

from tests.unit.gateway.apps import URL, Refusing, app_with, shaped

HEADER = "x-forwarded-email"
WHO = {HEADER: "ann@example.org"}
BEARER = {"authorization": "Bearer dk_0123456789ab_" + "0" * 64}


async def viewer(peer: str, headers: Any, **settings: Any) -> httpx.Response:
    """What `GET /v1/viewer` answers to a peer with this address."""
    trusting: dict[str, Any] = {
        "keys": "required",
        "identity_header": "X-Forwarded-Email",
        "trusted_proxies": "10.0.0.0/8,fd00::7",
    }
    app = app_with(Refusing(URL, ttl_s=60), **trusting | settings)
    transport = httpx.ASGITransport(app=app, client=(peer, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.get("/v1/viewer", headers=headers)


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7"])
async def test_a_trusted_proxy_says_who_calls(peer: str) -> None:
    answer = await viewer(peer, WHO)
    assert answer.status_code == 200
    assert (answer.json()["tenant"], answer.json()["all_tenants"]) == ("user:ann@example.org", False)


@pytest.mark.parametrize("peer", ["11.1.2.3", "127.0.0.1", "::1", "fd00::8", "testclient", ""])
async def test_nobody_else_does(peer: str) -> None:
    forwarded = WHO | {"x-forwarded-for": "10.1.2.3", "forwarded": "for=10.1.2.3"}
    for headers in (WHO, WHO | BEARER, forwarded, {HEADER: ""}):
        message = shaped(await viewer(peer, headers), 401, code="untrusted_identity")
        assert HEADER in message
        assert "ann" not in message


@pytest.mark.parametrize(
    "headers",
    [
        [(HEADER, "ann@example.org"), (HEADER, "eve@example.org")],
        [(HEADER, "ann@example.org"), (HEADER, "")],
        {HEADER: "ann example"},
        {HEADER: "änn".encode()},
        {HEADER: "a" * 129},
        WHO | BEARER,
    ],
)
async def test_a_name_that_cannot_be_taken_is_refused(headers: Any) -> None:
    message = shaped(await viewer("10.1.2.3", headers), 401, code="untrusted_identity")
    assert "dk_0123" not in message


async def test_whom_a_proxy_does_not_name_needs_a_key() -> None:
    for headers in ({}, {HEADER: ""}):
        assert "Bearer dk_" in shaped(await viewer("10.1.2.3", headers), 401, code="invalid_api_key")
    answer = await viewer("10.1.2.3", WHO | {"authorization": "Bearer eyJhbGciOi.of.the.proxy"})
    assert answer.json()["tenant"] == "user:ann@example.org"


async def test_without_the_setting_the_header_means_nothing() -> None:
    answer = await viewer("10.1.2.3", WHO, identity_header="", trusted_proxies=())
    assert "Bearer dk_" in shaped(answer, 401, code="invalid_api_key")
