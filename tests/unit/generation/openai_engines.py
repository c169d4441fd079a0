"""Engines over endpoints that the tests make up, and a short way to ask them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import pytest

from services.generation import openai_engine, probed_endpoint
from services.generation.bootstrap import build_engine, build_generator
from services.generation.checkpoint import read_checkpoint
from services.generation.endpoint.token_text import TokenText
from services.generation.engine import Engine
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence, SequenceResult
from services.generation.openai_engine import OpenAIEngine
from services.generation.settings import GenerationSettings
from shared.records.evolution import Message
from shared.records.formats import ResponseFormat
from tests.openai_endpoint import FakeEndpoint, running

QUESTION = (Message("user", "How does spring come?"),)
PLAIN = {"fields": frozenset[str](), "returns_ids": False}
TEXT = {"takes_ids": False, "returns_ids": False}
READ = cache(read_checkpoint)
TEXT_OF = cache(TokenText)
SCHEMA = ResponseFormat("json_schema", json.dumps({"type": "object"}))


def read_checkpoint_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every engine here has the same tokenizer; to read it takes a second, and its copies half of one."""
    monkeypatch.setattr(openai_engine, "read_checkpoint", lambda model, _: READ(model))
    monkeypatch.setattr(probed_endpoint, "TokenText", TEXT_OF)


@asynccontextmanager
async def engine_of(fake: FakeEndpoint, **settings: Any) -> AsyncIterator[OpenAIEngine]:
    with running(fake) as url:
        engine = build_engine(GenerationSettings(engine="openai", endpoint=url, **settings))
        assert isinstance(engine, OpenAIEngine)
        await engine.start()
        yield engine
        await engine.stop()


async def ask(engine: Engine, sampling: SamplingOptions = SamplingOptions(), **sequence: Any) -> SequenceResult:  # noqa: B008
    wanted = Sequence("s", **{"messages": QUESTION, "max_new_tokens": 50} | sequence)
    request = GenerateRequest((wanted,), sampling, cache_salt="")
    (results,) = [results async for results in build_generator(engine, GenerationSettings()).generate(request)]
    return results[0]
