"""Budgets, deadlines and cancels, through every process; models are simulated and slow: LONG takes 100 s."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
import redis

from cli.client import Client
from cli.stack import Stack, StackSettings

LONG = {"model": "darwin", "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 2000}


@pytest.fixture(scope="module")
def slow_stack() -> Iterator[Stack]:
    slow = {
        "DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "20",
        "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0",
    }
    with Stack(StackSettings.simulated(slow)) as running:
        yield running
        running.check()


@pytest.fixture
def client(slow_stack: Stack) -> Iterator[Client]:
    with Client(slow_stack.url) as client:
        yield client


def ended(client: Client, evolution_id: str, within_s: float) -> dict[str, Any]:
    give_up = time.monotonic() + within_s
    while True:
        evolution = client.get(evolution_id)
        if evolution["status"] not in ("queued", "running"):
            return evolution
        assert time.monotonic() < give_up, evolution["status"]
        time.sleep(0.05)


def test_delete_stops_the_search(client: Client) -> None:
    evolution_id = client.start(LONG)["id"]
    time.sleep(1.5)
    client.cancel(evolution_id)
    assert ended(client, evolution_id, within_s=20)["status"] == "cancelled"


def hang_up_on_an_answer(url: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/v1/chat/completions", json=LONG, timeout=1.5)


def hang_up_on_a_stream(url: str) -> None:
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=LONG | {"stream": True}) as stream:
        assert next(stream.iter_lines()).startswith("data:")
        time.sleep(1.5)


@pytest.mark.parametrize("hang_up", [hang_up_on_an_answer, hang_up_on_a_stream])
def test_hanging_up_stops_the_search(slow_stack: Stack, hang_up: Callable[[str], None]) -> None:
    with redis.Redis.from_url(slow_stack.redis_url) as store:
        assert store.zcard("darwin:active") == 0
        hang_up(slow_stack.url)
        give_up = time.monotonic() + 20
        while store.zcard("darwin:active"):
            assert time.monotonic() < give_up
            time.sleep(0.02)


def test_a_budget_of_reward_calls_ends_the_search(client: Client) -> None:
    body = LONG | {"model": "replacement-only", "seed": 1, "darwin": {"period": 2, "max_reward_calls": 12}}
    evolution = ended(client, client.start(body)["id"], within_s=20)
    assert evolution["status"] == "succeeded"
    assert evolution["result"]["stopped_by"] == "max_reward_calls"
    assert evolution["result"]["rounds"] == 2
    calls = [call for attempt in client.recording(evolution["id"])["attempts"] for call in attempt["calls"]]
    scored = [[part["reward"] for part in call["parts"]] for call in calls if call["stage"] == "reward"]
    assert [sum(map(len, scored[:-1])), len(scored[-1])] == [10, 2]
    assert evolution["result"]["choices"][0]["reward"] == max(scored[-1])
    assert evolution["result"]["choices"][0]["finish_reason"] == "length"


def test_a_deadline_answers_in_time_with_the_best_so_far(client: Client) -> None:
    body = LONG | {"darwin": {"period": 10, "deadline_ms": 3000}}
    began = time.monotonic()
    evolution = ended(client, client.start(body)["id"], within_s=30)
    assert time.monotonic() - began > 2.8
    assert (evolution["status"], evolution["result"]["stopped_by"]) == ("succeeded", "deadline_ms")
    assert evolution["result"]["choices"][0]["text"]


def test_a_client_that_would_leave_is_answered_with_the_best_so_far(slow_stack: Stack) -> None:
    with openai.OpenAI(base_url=f"{slow_stack.url}/v1", api_key="none", max_retries=0, timeout=5) as client:
        answer = client.chat.completions.create(**LONG, extra_body={"darwin": {"period": 10}})
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert (answer.usage.model_extra or {})["darwin"]["stopped_by"] == "deadline_ms"
