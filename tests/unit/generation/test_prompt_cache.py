"""Prompts are rendered and tokenised once: what is kept, for whom, and how much of it."""

from collections.abc import Sequence as AnySequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from services.generation.generator import SequenceGenerator
from services.generation.messages import GenerateRequest, RawPrompt, Sequence, SequenceResult
from services.generation.prompt_cache import PromptCache, PromptKeys
from services.generation.simulated_engine import SimulatedEngine
from services.generation.validation import GenerationLimits
from shared.errors import InvalidRequest
from shared.records.evolution import Message
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.records.tools import Tool, ToolCall
from tests.metrics import Measured

SAID = (Message("system", "Be kind."), Message("user", "How do I learn to swim?"))
AT = TemplateInputs(now=7.0)


class Counting(SimulatedEngine):
    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def encode_chat(self, messages: AnySequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        self.encoded += 1
        return super().encode_chat(messages, inputs)

    def encode_raw(self, text: str) -> tuple[int, ...]:
        self.encoded += 1
        return super().encode_raw(text)


def call(*sequences: Sequence, salt: str = "", inputs: TemplateInputs = AT) -> GenerateRequest:
    return GenerateRequest(sequences, cache_salt=salt, inputs=inputs)


def piece(messages: tuple[Message, ...] = SAID, name: str = "s", given: tuple[int, ...] = ()) -> Sequence:
    return Sequence(name, messages, given, max_new_tokens=2)


async def results(generator: SequenceGenerator, request: GenerateRequest) -> list[SequenceResult]:
    return [result async for together in generator.generate(request) for result in together]


async def test_a_round_after_the_first_encodes_nothing() -> None:
    engine, plain = Counting(), Counting()
    generator = SequenceGenerator(engine, GenerationLimits(), 1 << 20)
    without = SequenceGenerator(plain, GenerationLimits())
    mutant = (SAID[0], Message("user", "How do I learn to swim, please?"))
    given: list[tuple[int, ...]] = [(), ()]
    with Measured() as found:
        for round_number in range(3):
            request = call(piece(name="0", given=given[0]), piece(mutant, "1", given[1]))
            kept = sorted(await results(generator, request), key=lambda result: result.id)
            anew = sorted(await results(without, request), key=lambda result: result.id)
            # Without seeds tokens are drawn at random, so the prompts are compared.
            assert [one.usage.prompt_tokens for one in kept] == [one.usage.prompt_tokens for one in anew]
            given = [before + one.token_ids for before, one in zip(given, kept, strict=True)]
            assert (engine.encoded, plain.encoded) == (2, 2 * (round_number + 1))
    assert found.of("darwin.generation.prompts", outcome="reused") == 4


async def test_what_shapes_a_prompt_and_whose_it_is_tells_prompts_apart() -> None:
    called = Message("assistant", "", (ToolCall("f", "{}", "1"),))
    engine = Counting()
    generator = SequenceGenerator(engine, GenerationLimits(), 1 << 20)
    different = [
        call(piece()),
        call(piece(), salt="acme"),
        call(piece(), inputs=replace(AT, now=8.0)),
        call(piece(), inputs=replace(AT, arguments={"mood": "merry"})),
        call(piece(), inputs=replace(AT, tools=(Tool("f"),))),
        call(piece(), inputs=replace(AT, tools=(Tool("g"),))),
        call(piece((Message("user", "Be kind."), SAID[1]))),
        call(piece((Message("system", "Be kind.How"), Message("user", " do I learn to swim?")))),
        call(piece((*SAID, called, Message("tool", "1", tool_call_id="1"), SAID[1]))),
        call(piece((*SAID, called, Message("tool", "1", tool_call_id="2"), SAID[1]))),
        call(Sequence("s", (), max_new_tokens=2, raw_prompt=RawPrompt("Be kind."))),
        call(Sequence("s", (), max_new_tokens=2, raw_prompt=RawPrompt("Be kind"))),
    ]
    for request in different * 2:
        await results(generator, request)
    assert engine.encoded == len(different)


async def test_what_prints_the_time_of_each_call_is_not_kept() -> None:
    engine = Counting()
    generator = SequenceGenerator(engine, GenerationLimits(), 1 << 20)
    for _ in range(2):
        await results(generator, call(piece(), inputs=NOTHING_ELSE))
    assert engine.encoded == 2


def test_the_least_recently_used_go_once_there_are_too_many_bytes() -> None:
    cache = PromptCache(3 * (256 + 4 * 100))
    encoded: list[bytes] = []

    def get(key: bytes, length: int = 100) -> tuple[int, ...]:
        return cache.get(key, lambda: encoded.append(key) or tuple(range(length)))[0]  # type: ignore[func-returns-value]

    for key in (b"a", b"b", b"c", b"a", b"d", b"a", b"b"):
        assert get(key) == tuple(range(100))
    assert encoded == [b"a", b"b", b"c", b"d", b"b"]
    assert cache.size == 3 * (256 + 4 * 100)
    get(b"huge", 10_000)
    get(b"huge", 10_000)
    assert encoded[-2:] == [b"huge", b"huge"]
    assert cache.size <= 3 * (256 + 4 * 100)


def test_a_prompt_that_cannot_be_encoded_is_not_kept() -> None:
    cache = PromptCache(10_000)

    def refuse() -> tuple[int, ...]:
        raise InvalidRequest("no", field="messages")

    for _ in range(2):
        with pytest.raises(InvalidRequest):
            cache.get(b"a", refuse)
    assert cache.get(b"a", lambda: (1,)) == ((1,), False)


def test_several_threads_use_it_at_once() -> None:
    cache = PromptCache(20 * (256 + 4 * 50))

    def use(number: int) -> bool:
        key = number % 40
        return cache.get(str(key).encode(), lambda: (key,) * 50)[0] == (key,) * 50

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(4_000)))
    assert 0 < cache.size <= 20 * (256 + 4 * 50)


def test_messages_that_sequences_share_are_digested_once() -> None:
    keys = PromptKeys(call())
    mutants = [piece((SAID[0], Message("user", f"mutant {number}"))) for number in range(5)]
    assert len({keys.of(mutant) for mutant in mutants}) == 5
    assert len(keys._digests) == 6
