"""A real vLLM server as the endpoint, beyond what every engine promises."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest_asyncio

from cli.stack import Stack, StackSettings
from services.generation.bootstrap import build_engine
from services.generation.endpoint.capabilities import FIELDS
from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.openai_engine import OpenAIEngine
from services.generation.settings import GenerationSettings
from shared.records.evolution import Message
from tests.integration.processes import until
from tests.otlp import Traces, paths
from tests.vllm_server import MODEL

QUESTION = (Message("user", "Describe a walk along a river in spring, in some detail."),)


@pytest_asyncio.fixture
async def engine(vllm_server: str) -> AsyncIterator[OpenAIEngine]:
    engine = build_engine(GenerationSettings(engine="openai", endpoint=vllm_server))
    assert isinstance(engine, OpenAIEngine)
    await engine.start()
    yield engine
    await engine.stop()


async def test_what_vllm_can_do_is_found_out(engine: OpenAIEngine) -> None:
    capabilities = engine._known.capabilities
    assert capabilities.exact
    assert capabilities.fields == set(FIELDS)
    assert (engine.info.model, engine.info.context_length) == (MODEL, 512)
    assert engine.info.structured_output


async def test_cancelling_frees_the_servers_sequence_at_once(engine: OpenAIEngine, vllm_server: str) -> None:
    def running() -> int:
        text = httpx.get(vllm_server.replace("/v1", "/metrics")).text
        return round(sum(map(float, re.findall(r"^vllm:num_requests_running\{.*\} (\S+)$", text, re.MULTILINE))))

    warm = SamplingOptions(temperature=0.8)
    prompt = engine.encode_chat(QUESTION)
    calls = [asyncio.ensure_future(engine.complete(TokenSequence(prompt, 440, warm, None))) for _ in range(3)]
    await until(lambda: running() > 0, 60)
    assert not all(call.done() for call in calls)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert engine.running == 0
    await until(lambda: running() == 0, 6)


def answered(url: str, body: dict[str, Any]) -> Any:
    """Asks again while workers have not yet reported that all stages answer, as clients do."""
    give_up = time.monotonic() + 60
    while (response := httpx.post(url, json=body, timeout=100)).status_code == 503 and time.monotonic() < give_up:
        time.sleep(1)
    assert response.status_code == 200, response.text
    return response.json()


def test_an_evolution_on_an_endpoint_and_one_trace_of_both(vllm_server: str, vllm_traces: Traces) -> None:
    body = {
        "model": "darwin",
        "messages": [{"role": "user", "content": QUESTION[0].content}],
        "max_tokens": 24,
        "darwin": {"period": 8, "mutants": 3},
    }
    env = {"DARWIN_GENERATION_ENDPOINT": vllm_server, **vllm_traces.env}
    with Stack(replace(StackSettings.simulated(env), engine="openai")) as stack:
        answer = answered(f"{stack.url}/v1/chat/completions", body)
        spans = vllm_traces.until(answer["darwin"]["trace_id"], lambda spans: "evolution" in {s.name for s in spans})
        assert set(stack.stop().values()) == {0}
    assert answer["choices"][0]["message"]["content"]
    usage = answer["usage"]["darwin"]
    tokens = usage["tokens"]
    assert usage["rounds"] >= 2
    assert tokens["generated"] == tokens["mutation"] + tokens["kept"] + tokens["discarded"] > 24
    assert [path for path in paths(spans) if path.endswith("GenerationService/Generate > vllm llm_request")], paths(
        spans
    )


async def test_by_chats_vllm_continues_a_message(vllm_server: str) -> None:
    """As a hosted model is asked, which publishes neither completions nor its tokenizer."""
    engine = build_engine(GenerationSettings(engine="openai", endpoint=vllm_server, endpoint_api="chat"))
    assert isinstance(engine, OpenAIEngine)
    await engine.start()
    try:
        capabilities = engine._known.capabilities
        assert (capabilities.chat, capabilities.continuing, capabilities.repeats) == (True, "flags", False)
        assert engine.info.lacks == ("raw_prompts",)
        greedy = SamplingOptions()
        whole = await engine.complete(TokenSequence((), 24, greedy, None, messages=QUESTION))
        begun = whole.token_ids[:8]
        rest = await engine.complete(TokenSequence(begun, 16, greedy, None, response_tokens=8, messages=QUESTION))
        assert engine.decode((*begun, *rest.token_ids)) == engine.decode(whole.token_ids)
        assert whole.counted == 24
    finally:
        await engine.stop()
