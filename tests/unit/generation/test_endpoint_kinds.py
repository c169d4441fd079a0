"""One suite over endpoints of many kinds, each as its server behaves: it starts, and rounds continue what was said."""

import logging
from dataclasses import replace
from functools import cache

import pytest

from services.generation import openai_engine
from services.generation.bootstrap import build_engine, build_generator
from services.generation.checkpoint import read_checkpoint
from services.generation.endpoint import probing
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence, SequenceResult
from services.generation.settings import GenerationSettings
from shared.errors import DarwinError
from shared.records.evolution import Message
from tests.openai_endpoint import SAYS, FakeEndpoint, running, tokenizer

PLAIN = FakeEndpoint(returns_ids=False, fields=frozenset(), max_model_len=None)
KINDS = {
    "vllm": FakeEndpoint(),
    "sglang": replace(
        PLAIN, fields=frozenset({"top_k", "min_p", "repetition_penalty", "response_format"}), shape="message"
    ),
    "openai": replace(PLAIN, unknown="refused", models=("a", "served", "z")),
    "litellm": replace(PLAIN, takes_ids=False, misfit="fails"),
    "tgi": replace(
        PLAIN, takes_ids=False, shape="text", refuses=(("top_p", 1.0),), reasons=("eos_token", "length")
    ),
    "llama.cpp": replace(
        PLAIN, fields=frozenset({"top_k", "min_p"}), misfit="fails", refuses=(("seed", 2**63 - 1),),
        reasons=("eos", "limit"),
    ),
    "ollama": replace(PLAIN, takes_ids=False, unknown="ignored"),
    "text-generation-webui": replace(
        PLAIN, fields=frozenset({"top_k", "min_p", "repetition_penalty"}), shape="detail", refuses=(("top_k", -1),)
    ),
    "mistral": replace(
        PLAIN, takes_ids=False, unknown="refused", shape="detail", refuses=(("seed", 2**63 - 1), ("seed", 2**31 - 1)),
        reasons=("stop", "model_length"),
    ),
    "mlx": replace(PLAIN, takes_ids=False, misfit="breaks", usage=False),
    "taciturn": replace(PLAIN, takes_ids=False, shape="html", misfit="hangs", usage=False, reasons=(None, "")),
    "anthropic": replace(PLAIN, takes_ids=False, reasons=("end_turn", "max_tokens")),
    "deepseek": replace(
        PLAIN, completions=False, chat=True, continues="prefix", unknown="refused", takes_ids=False,
    ),
    "flaky": FakeEndpoint(flaky=4),
    "flaky chats": replace(PLAIN, completions=False, chat=True, continues="flags", takes_ids=False, flaky=7),
}  # fmt: skip
REFUSED = {
    "anthropic's own": (replace(PLAIN, completions=False), "DARWIN_GENERATION_ENDPOINT"),
    "neither": (replace(PLAIN, limit="max_tokens_to_sample"), "refuses a plain completion"),
}
QUESTION = (Message("user", "How does spring come?"),)
READ = cache(read_checkpoint)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_engine, "read_checkpoint", lambda model, _: READ(model))


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_endpoint_serves(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = replace(KINDS[kind], bodies=[])
    if fake.misfit == "hangs":
        monkeypatch.setattr(probing, "_PROBE_S", 0.3)
    caplog.set_level(logging.INFO)
    with running(fake) as url:
        settings = GenerationSettings(engine="openai", endpoint=url, endpoint_model="served")
        engine = build_engine(settings)
        await engine.start()
        fake.flaky = 0
        generator = build_generator(engine, settings)
        rounds: list[SequenceResult] = []
        while not rounds or rounds[-1].finish == "length":
            given = sum((result.token_ids for result in rounds), ())
            wanted = Sequence("s", QUESTION, given, max_new_tokens=5, seed=2**50)
            request = GenerateRequest((wanted,), SamplingOptions(0.7, top_k=40))
            (results,) = [results async for results in generator.generate(request)]
            rounds += results
            assert len(rounds) < 20
        await engine.stop()
    assert (rounds[-1].text, rounds[-1].finish) == (SAYS, "stop")
    assert len(rounds) == -(-len(tokenizer()(SAYS)["input_ids"]) // 5)
    (logged,) = [record.message for record in caplog.records if "the endpoint serves served" in record.message]
    assert ("does without top_k" in logged) == ("top_k" not in fake.fields)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_cannot_continue_text_is_refused_in_a_sentence(kind: str) -> None:
    fake, says = REFUSED[kind]
    with running(replace(fake, bodies=[])) as url:
        engine = build_engine(GenerationSettings(engine="openai", endpoint=url, endpoint_model="served"))
        with pytest.raises(DarwinError, match=says) as refused:
            await engine.start()
        await engine.stop()
    assert not refused.value.retryable
    assert "\n" not in refused.value.message
