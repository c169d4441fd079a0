"""As integration/test_fuzz_services, against real models: extremes that a simulated engine would not feel."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cli.stack import Stack
from shared.pb import generation_pb2 as pb
from shared.pb import reward_pb2
from tests.integration.processes import process, until
from tests.integration.test_fuzz_services import FUZZ, GENERATE, NASTY, SCORE, Client
from tests.unit.generation.test_grammars import HOSTILE

FEW = hypothesis_settings(FUZZ, max_examples=6)
# Every token of a text is computed: of the long ones, their beginnings. One is sent whole.
TEXTS = [text.encode()[:800].decode(errors="ignore") for text in NASTY]
LONGEST = max(NASTY, key=len)


# What its logger says is a defect.
DEFECT = "shared.rpc.interceptor"


def ready(address: str) -> Client:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        request, serving = health_pb2.HealthCheckRequest(), health_pb2.HealthCheckResponse.SERVING

        def is_serving() -> bool:
            return bool(stub.Check(request, wait_for_ready=True, timeout=30).status == serving)

        asyncio.run(until(is_serving, 150))
    return Client(address)


@pytest.fixture(scope="module", params=["transformers", "stack"])
def generation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    if request.param == "stack":
        stack = request.getfixturevalue("stack")
        yield from asked(stack, "generation")
        return
    env = {"DARWIN_GENERATION_ENGINE": request.param, "DARWIN_GENERATION_MAX_MODEL_LEN": "512"}
    with process("generation", tmp_path_factory.mktemp("generation"), env) as child:
        yield ready(child.address(60))
        assert DEFECT not in child.log.read_text()


@pytest.fixture(scope="module")
def reward(stack: Stack) -> Iterator[Client]:
    yield from asked(stack, "reward")


def asked(stack: Stack, service: str) -> Iterator[Client]:
    yield Client(stack.addresses[service])
    stack.check()
    assert DEFECT not in (stack.folder / f"{service}.log").read_text()


def request(
    content: str = "Name a river.", ids: list[int] | None = None, seed: int | None = None, **sampling: Any
) -> bytes:
    sequence = pb.GenerateRequest.Sequence(
        id="a", messages=[{"role": "user", "content": content}], max_new_tokens=4, response_token_ids=ids, seed=seed
    )
    chosen = pb.GenerateRequest.Sampling(**{"temperature": 1.0, "top_p": 1.0, **sampling})
    return pb.GenerateRequest(sequences=[sequence], sampling=chosen, cache_salt="x").SerializeToString()


def test_sampling_tokens_and_stop_strings(generation: Client) -> None:
    seen = set()

    @FEW
    @given(
        content=st.sampled_from(TEXTS),
        ids=st.lists(st.integers(0, 49_151), max_size=40),
        seed=st.none() | st.sampled_from([0, 2**63, 2**64 - 1]),
        temperature=st.sampled_from([0.0, 1e-300, 1e-5, 1.0, 2.0]),
        top_p=st.sampled_from([5e-324, 1e-9, 0.5, 1.0, math.nan]),
        top_k=st.sampled_from([0, 1, 49_152, 2**31, 2**32 - 1]),
        stop=st.lists(st.sampled_from(["a", " ", "\x00", "🌱", "é\u0301", "<|im_end|>", "x" * 256]), max_size=4),
    )
    def check(content: str, ids: list[int], seed: int | None, **sampling: Any) -> None:
        seen.add(generation.check(GENERATE, request(content, ids, seed, **sampling)))

    check()
    assert "OK" in seen
    generation.check(GENERATE, request(LONGEST))


def test_schemas(generation: Client) -> None:
    plain = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 10_000}}, "required": ["b", "b"]}
    odd: list[Any] = [
        {"anyOf": [{"anyOf": [{"type": "array", "items": {}}]}] * 20},
        {"type": "array", "minItems": 10_000, "items": {"type": "array", "minItems": 10_000}},
        {"properties": {'\x00🌱\\"': {"const": "\ud7ff\n\x00"}}, "additionalProperties": False},
        {"enum": [1e308, -0.0, 10**4000, "", "\\", '"', None, True]},
        {"type": "string", "items": {"type": "null"}, "minLength": 9_999},
        {"required": ["a"], "additionalProperties": False},
        {"const": ""},
    ]
    for schema in (plain, *odd, *(definition for kind, definition in HOSTILE if kind == "json_schema")):
        generation.ends(GENERATE, request(json_schema=json.dumps(schema)))
    generation.check(GENERATE, request())


def test_scores_of_anything(reward: Client) -> None:
    @FEW
    @given(content=st.sampled_from(TEXTS), texts=st.lists(st.sampled_from(TEXTS) | st.text(max_size=30), max_size=2))
    def check(content: str, texts: list[str]) -> None:
        candidates = [{"id": str(i), "text": text} for i, text in enumerate(texts)]
        message = reward_pb2.ScoreRequest(messages=[{"role": "user", "content": content}], candidates=candidates)
        reward.check(SCORE, message.SerializeToString())

    check()
    long = {"messages": [{"role": "user", "content": "Why?"}], "candidates": [{"id": "a", "text": LONGEST}]}
    reward.check(SCORE, reward_pb2.ScoreRequest(**long).SerializeToString())
