"""`/v1/chat/completions` through OpenAI's SDK."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from shared.records.evolution import Record
from shared.store.evolutions import Store
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import MESSAGES, Gateway, appeared, status, unfinished


def test_answers_with_honest_usage(client: openai.OpenAI, orchestrator: FakeOrchestrator) -> None:
    raw = client.chat.completions.with_raw_response.create(model="darwin", messages=MESSAGES, max_tokens=50)
    answer = raw.parse()

    assert answer.object == "chat.completion"
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "answer 0", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (21, 10, 31)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 15
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


@pytest.mark.parametrize("model", ["darwin", "best-of-n", "sample"])
@pytest.mark.parametrize(
    ("path", "asked"), [("chat/completions", {"messages": MESSAGES}), ("completions", {"prompt": "x"})]
)
async def test_a_stream_tells_numbers_texts_or_nothing(
    http: httpx.AsyncClient, documented: Callable[[str, Any], None], model: str, path: str, asked: dict[str, Any]
) -> None:
    told: dict[str, list[dict[str, Any]]] = {}
    for progress in ("on", "full", "off"):
        darwin = {"progress": progress} if progress != "on" else {}
        body = {"model": model, **asked, "user": "replaced", "stream": True, "darwin": darwin}
        lines = (await http.post(f"/v1/{path}", json=body)).text.splitlines()
        chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
        for chunk in chunks:
            documented("ChatCompletionChunk" if "messages" in asked else "CompletionChunk", chunk)
        told[progress] = [chunk["darwin"] for chunk in chunks if "type" in (chunk.get("darwin") or {})]
    assert told["off"] == []
    assert [each["type"] for each in told["on"]] == [each["type"] for each in told["full"]]
    assert [each for each in told["on"] if each["type"] in ("base.scored", "round.finished")] == [
        {"type": "base.scored", "best_reward": 0.25, "tokens": 4},
        {
            "type": "round.finished", "cycle": 1, "round": 1, "best_reward": 0.5, "tokens": 80, "states": 2,
            "finished": 2, "replacements": 1,
        },
    ]  # fmt: skip
    (whole,) = [each for each in told["full"] if each["type"] == "round.finished"]
    assert (whole["texts"], whole["rewards"]) == (["good", "bad"], [0.5, -0.5])


async def test_says_what_stopped_the_search(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "stop=max_reward_calls"}
    answer = await http.post("/v1/chat/completions", json=body | {"darwin": {"max_reward_calls": 5}})
    evolution_id = answer.headers["x-darwin-evolution-id"]
    trace_id = answer.headers["x-darwin-trace-id"]
    stopped = {
        "evolution_id": evolution_id, "trace_id": trace_id, "stopped_by": "max_reward_calls", "warnings": [],
    }  # fmt: skip
    assert answer.json()["darwin"] == stopped
    assert answer.json()["usage"]["darwin"]["stopped_by"] == "max_reward_calls"
    assert (await http.get(f"/v1/evolutions/{evolution_id}")).json()["settings"]["max_reward_calls"] == 5
    streamed = (await http.post("/v1/chat/completions", json=body | {"stream": True})).text
    chunks = [json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if line.startswith("data: {")]
    [finish] = [chunk for chunk in chunks if chunk["choices"][0]["finish_reason"]]
    assert finish["darwin"]["stopped_by"] == "max_reward_calls"
    assert chunks[0]["darwin"]["stopped_by"] is None


async def test_says_what_had_no_effect(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "store": True, "safety_identifier": "x"}
    warnings = ["safety_identifier is taken without effect", "store is taken without effect"]
    answer = await http.post("/v1/chat/completions", json=body)
    assert answer.json()["darwin"]["warnings"] == warnings
    evolution = await http.get(f"/v1/evolutions/{answer.headers['x-darwin-evolution-id']}")
    assert evolution.json()["warnings"] == warnings
    streamed = (await http.post("/v1/chat/completions", json=body | {"stream": True})).text
    chunks = [json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if line.startswith("data: {")]
    [finish] = [chunk for chunk in chunks if chunk["choices"][0]["finish_reason"]]
    assert finish["darwin"]["warnings"] == warnings


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
            "darwin", "best-of-n", "mutation-only", "replacement-only", "sample", "embedder",
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
    assert ("no luck" in caught.value.message) == (status == 400)
    assert status == 400 or caught.value.response.headers["x-darwin-evolution-id"] in caught.value.message
    assert caught.value.response.headers["x-darwin-evolution-id"].startswith("evo_")
    retry = caught.value.response.headers["x-should-retry"]
    assert retry == ("true" if status in (429, 503) else "false")


def test_failure_within_a_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="darwin", messages=MESSAGES, stream=True, user="fail=Unavailable")
    with pytest.raises(openai.APIError, match="away: try again later") as caught:
        list(stream)
    assert caught.value.code == "unavailable"


@pytest.mark.parametrize("stream", [False, True])
async def test_hanging_up_cancels(http: httpx.AsyncClient, redis_url: str, stream: bool) -> None:
    before = await unfinished(redis_url)
    body = {"model": "darwin", "messages": MESSAGES, "user": "hang", "stream": stream}
    waiting = asyncio.ensure_future(http.post("/v1/chat/completions", json=body))
    evolution_id = await appeared(redis_url, before)
    assert waiting.cancel()
    await status(http, evolution_id, "cancelled")


async def test_silent_streams_are_kept_alive(http: httpx.AsyncClient) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "wait=1.5", "stream": True}
    async with http.stream("POST", "/v1/chat/completions", json=body) as response:
        text = (await response.aread()).decode()
    assert "\n: ping" in text
    assert text.endswith("data: [DONE]\n\n")


def test_streams_the_answer_alone_where_progress_is_off(client: openai.OpenAI) -> None:
    text = "One two three four five six."
    chunks = list(
        client.chat.completions.create(
            model="darwin",
            messages=MESSAGES,
            user=f"text={text}",
            stream=True,
            extra_body={"darwin": {"progress": "off"}},
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [delta.content for delta in deltas] == ["", "One two three four ", "five six.", None]
    assert (deltas[0].role, chunks[-1].choices[0].finish_reason) == ("assistant", "stop")


async def test_a_client_that_would_leave_gets_a_deadline(client: openai.OpenAI, store: Store) -> None:
    async def deadline_ms(timeout: float, **body: dict[str, object]) -> int | None:
        raw = await asyncio.to_thread(
            client.with_options(timeout=timeout).chat.completions.with_raw_response.create,
            model="darwin",
            messages=MESSAGES,
            extra_body=body,
        )
        return (await store.load(raw.headers["x-darwin-evolution-id"])).request.search.deadline_ms

    assert await deadline_ms(20) == 18_000
    assert await deadline_ms(20, darwin={"deadline_ms": 60_000}) == 60_000
    raw = client.chat.completions.with_raw_response.create(model="darwin", messages=MESSAGES, stream=True, timeout=20)
    assert (await store.load(raw.headers["x-darwin-evolution-id"])).request.search.deadline_ms is None


def test_answers_echo_the_name_of_the_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="openai/darwin/best-of-n", messages=MESSAGES)
    assert answer.model == "openai/darwin/best-of-n"
    assert answer.usage is not None
    assert (answer.usage.model_extra or {})["darwin"]["method"] == "best-of-n"
    stream = client.chat.completions.create(model="openai/darwin", messages=MESSAGES, stream=True)
    assert {chunk.model for chunk in stream} == {"openai/darwin"}
    assert client.models.retrieve("openai/best-of-n").id == "openai/best-of-n"


async def test_a_conversation_that_fills_the_context_is_named_as_openai_does(
    http: httpx.AsyncClient, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="darwin", messages=MESSAGES, user="fail=ContextLengthExceeded")
    assert (caught.value.code, caught.value.type) == ("context_length_exceeded", "invalid_request_error")
