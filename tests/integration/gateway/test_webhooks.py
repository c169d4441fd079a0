"""Webhooks to a receiver of our own, through OpenAI's SDK."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import redis

from shared.store.api_keys import ApiKeys
from tests.integration.gateway.drivers.driving import CHAT, line
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.receiver import Receiver
from tests.integration.gateway.running import Gateway, new_caller, wait_for

LOCAL = {
    "DARWIN_GATEWAY_WEBHOOK_HTTP": "true",
    "DARWIN_GATEWAY_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "DARWIN_GATEWAY_WEBHOOK_TIMEOUT_S": "2",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def own_url(redis_url: str) -> Iterator[str]:
    url = redis_url.removesuffix("/9") + "/4"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    with FakeOrchestrator(url):
        yield url


@pytest.fixture(scope="module")
def sending(own_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(own_url, tmp_path_factory.mktemp("sending"), **LOCAL) as gateway:
        yield gateway


@pytest.fixture
def caller(sending: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{sending.url}/v1", api_key="none", max_retries=0, timeout=30) as client:
        yield client


def next_attempt_now(url: str) -> None:
    """Has the next attempt of what has failed, or was under way in a gateway that died, be due."""
    with redis.Redis.from_url(url) as client:
        due = client.zrange("darwin:webhook-due", 0, -1)
        assert due
        for name in due:
            client.zadd("darwin:webhook-due", {name: 0})


def test_a_batch_and_a_background_response_are_told(caller: openai.OpenAI, receiver: Receiver, own_url: str) -> None:
    made = caller.webhooks.create(event_types=["batch.completed", "response.completed"], name="n", url=receiver.url)
    receiver.statuses = [500]
    file = caller.files.create(file=("in.jsonl", line("a").encode()), purpose="batch")
    batch = caller.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    with redis.Redis.from_url(own_url) as client:
        wait_for(lambda: bool(client.keys("darwin:webhook-delivery:*:attempts")))
    next_attempt_now(own_url)
    wait_for(lambda: len(receiver.received) == 2)
    first, second = receiver.received
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[0]["host"] == receiver.url.split("/")[2]
    event: Any = caller.webhooks.unwrap(second[1], second[0], secret=made.signing_secret)
    assert (event.type, event.data.id) == ("batch.completed", batch.id)
    told = caller.responses.create(model="sample", input="Why?", background=True)
    wait_for(lambda: len(receiver.received) == 3)
    event = caller.webhooks.unwrap(receiver.received[2][1], receiver.received[2][0], secret=made.signing_secret)
    assert (event.type, event.data.id) == ("response.completed", told.id)
    caller.webhooks.delete(made.id)


def test_an_endpoint_from_first_to_last(caller: openai.OpenAI, receiver: Receiver) -> None:
    made = caller.webhooks.create(event_types=["batch.failed"], name="one", url=receiver.url)
    shown = caller.webhooks.retrieve(made.id)
    assert made.signing_secret not in shown.model_dump_json()
    assert [each.id for each in caller.webhooks.list()] == [made.id]
    assert caller.webhooks.update(made.id, name="two").event_types == ["batch.failed"]
    rotated = caller.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    assert caller.webhooks.test(made.id, event_type="batch.failed").status_code == 200
    for secret in (made.signing_secret, rotated.signing_secret):
        caller.webhooks.unwrap(receiver.received[0][1], receiver.received[0][0], secret=secret)
    assert "batch.failed" in caller.webhooks.event_types.list().data
    assert caller.webhooks.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        caller.webhooks.retrieve(made.id)


def test_redirects_are_not_followed(caller: openai.OpenAI, receiver: Receiver) -> None:
    made = caller.webhooks.create(event_types=["batch.failed"], name="one", url=receiver.url)
    receiver.statuses = [307]
    assert caller.webhooks.test(made.id, event_type="batch.failed").status_code == 307
    assert len(receiver.received) == 1
    caller.webhooks.delete(made.id)


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "http://example.org/", "https://[::1]/"])
async def test_where_a_deployment_does_not_send_to(http: httpx.AsyncClient, url: str) -> None:
    body = {"event_types": ["batch.failed"], "name": "n", "url": url}
    refused = await http.post("/v1/webhook_endpoints", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "url")


async def test_tenants_are_apart(guarded: Gateway, keys: ApiKeys) -> None:
    mine, other = await new_caller(keys, guarded, "mine"), await new_caller(keys, guarded, "other")
    operator = await new_caller(keys, guarded, "ops", all_tenants=True)
    body = {"event_types": ["batch.failed"], "name": "n", "url": "https://8.8.8.8/never-called"}
    made = (await mine.post("/v1/webhook_endpoints", json=body)).json()["id"]
    path = f"/v1/webhook_endpoints/{made}"
    assert [(await each.get(path)).status_code for each in (mine, other, operator)] == [200, 404, 200]
    listed = [(await each.get("/v1/webhook_endpoints")).json()["data"] for each in (mine, other, operator)]
    assert [made in [each["id"] for each in found] for found in listed] == [True, False, True]
    assert [(await each.delete(path)).status_code for each in (other, operator, mine)] == [404, 404, 200]
    for each in (mine, other, operator):
        await each.aclose()


@pytest.fixture
def lone_url(own_url: str) -> Iterator[str]:
    """A database that no other gateway delivers from."""
    url = own_url.removesuffix("/4") + "/15"
    with FakeOrchestrator(url):
        yield url


def test_kill_9_loses_no_event(lone_url: str, tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "one").mkdir()
    first = Gateway(lone_url, tmp_path / "one", **LOCAL)
    receiver.statuses = [503]
    with openai.OpenAI(base_url=f"{first.url}/v1", api_key="none") as client:
        made = client.webhooks.create(event_types=["response.completed"], name="n", url=receiver.url)
        told = client.responses.create(model="sample", input="Why?", background=True)
        wait_for(lambda: len(receiver.received) >= 1)
    first.process.kill()
    next_attempt_now(lone_url)
    (tmp_path / "two").mkdir()
    with Gateway(lone_url, tmp_path / "two", **LOCAL) as second:
        wait_for(lambda: len(receiver.received) >= 2)
        with openai.OpenAI(base_url=f"{second.url}/v1", api_key="none") as client:
            headers, body = receiver.received[1]
            event: Any = client.webhooks.unwrap(body, headers, secret=made.signing_secret)
            assert event.data.id == told.id
            client.webhooks.delete(made.id)
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
