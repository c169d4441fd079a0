"""Who may call, and what one tenant learns of another."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from shared.store.api_keys import ApiKeys, new_key
from shared.store.evolutions import Store
from tests.integration.gateway.running import BODY, MESSAGES, Gateway, free_port, new_caller, told

CHAT = "/v1/chat/completions"


def refused(response: httpx.Response) -> str:
    """Checks a 401; its message."""
    error: dict[str, Any] = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (401, "invalid_api_key", "invalid_request_error")
    assert (response.headers["www-authenticate"], response.headers["x-should-retry"]) == ("Bearer", "false")
    assert response.headers["x-request-id"].startswith("req_")
    return str(error["message"])


@pytest.mark.parametrize("path", [CHAT, "/v1/evolutions", "/v1/models", "/v1/evolutions/evo_x/events", "/v1/nothing"])
async def test_strangers_are_refused(guarded: Gateway, keys: ApiKeys, path: str) -> None:
    text, known = new_key("acme")
    await keys.add(known)
    unknown, _ = new_key("acme")
    wrong_secret = text[:-64] + unknown[-64:]
    async with httpx.AsyncClient(base_url=guarded.url) as http:
        assert "Bearer dk_" in refused(await http.post(path, json=BODY))
        for header in ("", "Bearer", f"Basic {text}", text, f"Bearer {text} x", f"Bearer {text}\xff".encode("latin-1")):
            refused(await http.post(path, json=BODY, headers={"authorization": header}))
        for key in (unknown, wrong_secret, text[:-1], text.upper(), "dk__"):
            message = refused(await http.post(path, json=BODY, headers={"authorization": f"Bearer {key}"}))
            assert key not in message
        twice = [("authorization", f"Bearer {text}"), ("authorization", f"Bearer {text}")]
        refused(await http.post(path, json=BODY, headers=twice))
        refused(await http.post(path, json=BODY, headers={"api-key": text}))


async def test_probes_and_reference_are_open(guarded: Gateway) -> None:
    async with httpx.AsyncClient(base_url=guarded.url) as http:
        for path in ("/healthz", "/readyz", "/openapi.json"):
            response = await http.get(path, headers={"host": "darwin.example.org"})
            assert response.status_code == 200
            assert "redis" not in response.text.replace("Redis", "")


async def test_strangers_are_refused_before_their_body_is_read(guarded: Gateway) -> None:
    reader, writer = await asyncio.open_connection(*guarded.url.removeprefix("http://").split(":"))
    writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n".encode())
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 20)
    writer.close()


@pytest.mark.parametrize(
    "path", ["/v1//models", "//v1/models", "/%76%31/models", "/v1%2Fmodels", "/x/../v1/models", "/V1/models"]
)
async def test_no_spelling_of_a_path_gets_around_the_key(guarded: Gateway, path: str) -> None:
    reader, writer = await asyncio.open_connection(*guarded.url.removeprefix("http://").split(":"))
    for target in (path, f"http://localhost{path}"):
        writer.write(f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert head.split()[1] in (b"401", b"404")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    writer.close()


async def test_openais_sdk(guarded: Gateway, keys: ApiKeys) -> None:
    text, key = new_key("acme")
    await keys.add(key)
    async with openai.AsyncOpenAI(base_url=f"{guarded.url}/v1", api_key=text, max_retries=0) as client:
        answer = await client.chat.completions.create(model="darwin", messages=MESSAGES)
        assert answer.choices[0].message.content == "answer 0"
        await keys.revoke(key.id)
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.chat.completions.create(model="darwin", messages=MESSAGES)
    assert caught.value.code == "invalid_api_key"


async def test_a_revoked_key_is_refused_at_the_next_call(guarded: Gateway, keys: ApiKeys) -> None:
    text, key = new_key("acme")
    await keys.add(key)
    async with httpx.AsyncClient(base_url=guarded.url, headers={"authorization": f"bearer {text}"}) as http:
        assert (await http.post(CHAT, json=BODY)).status_code == 200
        assert await keys.revoke(key.id)
        refused(await http.post(CHAT, json=BODY))
        assert not await keys.revoke(key.id)


async def test_another_tenants_evolution_is_an_unknown_one(guarded: Gateway, keys: ApiKeys, store: Store) -> None:
    async with (
        await new_caller(keys, guarded, "acme") as owner,
        await new_caller(keys, guarded, "acme") as colleague,
        await new_caller(keys, guarded, "other") as other,
    ):
        evolution_id = (await owner.post("/v1/evolutions", json=BODY | {"user": "hang"})).json()["id"]
        assert (await store.load(evolution_id)).request.tenant == "acme"  # whose caches it shares
        path = f"/v1/evolutions/{evolution_id}"
        for method, suffix in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
            foreign = await other.request(method, path + suffix)
            unknown = await other.request(method, f"/v1/evolutions/evo_{'0' * 32}{suffix}")
            assert foreign.status_code == unknown.status_code == 404
            assert told(foreign, evolution_id) == told(unknown, "evo_" + "0" * 32)
            assert list(foreign.headers) == list(unknown.headers)
            assert "x-darwin-evolution-id" not in foreign.headers
        assert (await colleague.get(path)).json()["status"] in ("queued", "running")
        assert (await colleague.delete(path)).status_code == 202


async def test_no_key_in_logs_answers_and_the_store(guarded: Gateway, keys: ApiKeys, redis_url: str) -> None:
    text, key = new_key("acme", requests_per_minute=1)
    await keys.add(key)
    secret = text.rpartition("_")[2]
    async with httpx.AsyncClient(base_url=guarded.url, headers={"authorization": f"Bearer {text}"}) as http:
        answers = [
            await http.post(CHAT, json=BODY),
            await http.post(CHAT, json=BODY),
            await http.post(CHAT, content="{"),
            await http.get("/v1/evolutions/none"),
            await http.post(CHAT, json=BODY, headers={"authorization": f"Bearer {text[:-1]}0x"}),
            await http.get("/openapi.json"),
        ]
    assert [answer.status_code for answer in answers] == [200, 429, 415, 404, 401, 200]
    for answer in answers:
        assert secret[:20] not in answer.text + str(answer.headers)
    assert secret[:20] not in guarded.process.log.read_text()
    assert secret not in json.dumps([repr(kept) for kept in await keys.all()])


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "", "[::"])
async def test_without_keys_web_pages_are_refused(http: httpx.AsyncClient, host: str) -> None:
    for response in (
        await http.post(CHAT, json=BODY, headers={"host": host}),
        await http.get("/openapi.json", headers={"host": host}),
    ):
        assert response.status_code == 421
        assert response.json()["error"]["code"] == "misdirected_request"
        assert "127.0.0.1" in response.json()["error"]["message"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "127.8.8.8", "[::1]:80", "localhost."])
async def test_without_keys_this_machine_is_welcome(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.get("/v1/models", headers={"host": host})).status_code == 200


async def test_keys_cannot_be_checked_without_redis(tmp_path: Path) -> None:
    text, _ = new_key("acme")
    url = f"redis://127.0.0.1:{free_port()}/0"
    with Gateway(url, tmp_path, DARWIN_GATEWAY_KEYS="required") as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            response = await http.get("/v1/models", headers={"authorization": f"Bearer {text}"})
        assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
        assert response.headers["retry-after"] == "1"


def darwin(redis_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"DARWIN_REDIS_URL": redis_url, "COLUMNS": "200"}
    command = [sys.executable, "-m", "cli.main", "keys", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


async def test_the_command_makes_shows_and_revokes_keys(guarded: Gateway, redis_url: str) -> None:
    added = darwin(redis_url, "add", "shell", "--note", "a [b] note", "--tokens-per-day", "500")
    text = added.stdout.strip()
    assert text.startswith("dk_")
    assert text not in added.stderr
    async with httpx.AsyncClient(base_url=guarded.url, headers={"authorization": f"Bearer {text}"}) as http:
        assert (await http.post(CHAT, json=BODY)).status_code == 200
        listed = json.loads(darwin(redis_url, "list", "--json").stdout)
        [shown] = [key for key in listed if key["tenant"] == "shell"]
        assert (shown["note"], shown["tokens_per_day"], shown["tokens_today"]) == ("a [b] note", 500, 120)
        assert "digest" not in shown
        table = darwin(redis_url, "list").stdout
        assert "a [b] note" in table
        assert text.rpartition("_")[2][:20] not in table
        assert darwin(redis_url, "revoke", shown["id"]).returncode == 0
        refused(await http.get("/v1/models"))
    away = darwin(f"redis://127.0.0.1:{free_port()}/0", "list")
    assert (away.returncode, "Redis cannot be reached" in away.stderr, "Traceback" in away.stderr) == (1, True, False)
