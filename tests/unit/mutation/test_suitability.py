"""Who writes mutants unasked: measured on the shipped instructions, against rewrites as a careful writer makes them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence

import pytest

from services.mutation.fidelity import EncoderFidelity, Fidelity, SimulatedFidelity
from services.mutation.language_model import RewriteCompletion, RewritePrompt
from services.mutation.messages import AcceptedMutant, MutationRequest, TextSource
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import JSON_SCHEMA, OPERATORS
from services.mutation.settings import AUTO_SHARE
from services.mutation.suitability import INSTRUCTIONS, REWRITES, AutoMode, Suitability, measure
from shared.errors import Unavailable
from shared.process.tasks import end
from shared.records.evolution import Message
from shared.text.embedded_models import EMBEDDED_ENCODER
from shared.text.languages import language_of
from tests.metrics import measured

# Three of each, in the order of the instructions.
GOOD = (
    (
        "What is the best way to keep basil alive indoors?",
        "How can I keep a basil plant alive indoors?",
        "Please tell me how to keep my basil alive indoors.",
    ),
    (
        "What is the difference between weather and climate?",
        "How does weather differ from climate? Explain the difference between weather and climate.",
        "Explain how weather and climate differ, and where the difference between weather and climate lies.",
    ),
    (
        "Write a friendly and polite email to a neighbour about the loud music that is played at night.",
        "Draft a polite email to my neighbour about loud music at night.",
        "Please write a polite email that I can send to a neighbour about their loud music at night.",
    ),
    (
        "List the advantages and disadvantages of remote work.",
        "What are the main advantages and disadvantages of remote work? Explain each of them.",
        "Describe the advantages and the disadvantages of doing remote work.",
    ),
    (
        "Write a Python function that takes a word and checks whether the word is a palindrome.",
        "In Python, write a function that checks if a given word is a palindrome.",
        "Create a Python function that checks whether a word is a palindrome.",
    ),
    (
        "If a train leaves at 9:40 and the ride takes 85 minutes, when does the train arrive?",
        "A train leaves at 9:40 and its ride takes 85 minutes. At what time does it arrive?",
        "When does a train arrive that leaves at 9:40 if the ride takes 85 minutes? Say when it does arrive.",
    ),
    (
        "How do vaccines train the immune system?",
        "Explain how vaccines train the immune system.",
        "Describe step by step how vaccines train the immune system.",
    ),
    (
        "Plan a weekend trip to Lisbon for a family with 2 children.",
        "Make a plan for a weekend in Lisbon for a family that has 2 children.",
        "Help me plan a weekend in Lisbon for a family with 2 children.",
    ),
    (
        "Write a story about a lighthouse keeper who finds a letter.",
        "Tell a short story in which a lighthouse keeper finds a letter.",
        "Tell a story of a lonely lighthouse keeper who one day finds a letter.",
    ),
    (
        "Was hilft mir, damit ich besser einschlafen kann?",
        "Erkläre, wie ich abends besser einschlafen kann.",
        "Wie kann ich am Abend besser und schneller einschlafen?",
    ),
    (
        "Explique pourquoi le ciel est bleu.",
        "Pourquoi voit-on que le ciel est bleu ?",
        "Pour quelle raison le ciel est-il bleu ?",
    ),
    (
        "¿De qué manera puedo ahorrar agua en casa?",
        "Explica cómo puedo ahorrar agua en mi casa.",
        "¿Cómo puedo ahorrar más agua en casa cada día?",
    ),
)


class Writer:
    """A language model that gives the rewrites of the instruction at the end of each prompt."""

    def __init__(self, rewrites: Callable[[str], Sequence[str]]) -> None:
        self.rewrites = rewrites
        self.calls = 0
        self.failing = 0

    async def rewrite(
        self,
        prompts: Sequence[RewritePrompt],
        timeout: float | None,
        cache_salt: str = "",
        json_schema: str = JSON_SCHEMA,
    ) -> AsyncGenerator[RewriteCompletion, None]:
        self.calls += 1
        if self.failing:
            self.failing -= 1
            raise Unavailable("away")
        instruction = prompts[0].messages[-1].content.partition(": ")[2]
        for index, text in enumerate(self.rewrites(instruction)[: len(prompts)]):
            yield RewriteCompletion(index, json.dumps({"instruction": text}), 10, 10)


def good(instruction: str) -> Sequence[str]:
    return GOOD[INSTRUCTIONS.index(instruction)]


def poor(instruction: str) -> Sequence[str]:
    return [f"The answer to this is number {number}." for number in range(REWRITES)]


def mutator(llm: Writer, fidelity: Fidelity, threshold: float = 0.8) -> InstructionMutator:
    return InstructionMutator(llm, fidelity, threshold=threshold, operators=(), max_tokens=96)


@pytest.fixture(scope="module")
def fidelity() -> Fidelity:
    return EncoderFidelity(EMBEDDED_ENCODER)


def test_a_dozen_instructions_in_several_languages() -> None:
    assert len(INSTRUCTIONS) == len(GOOD) == 12
    assert {language_of(text) for text in INSTRUCTIONS} == {"en", "de", "fr", "es"}


async def test_a_good_writer_is_above_the_share_and_a_poor_one_below(fidelity: Fidelity) -> None:
    found = [await measure(mutator(Writer(rewrites), fidelity)) for rewrites in (good, poor)]
    assert [each.asked for each in found] == [36, 36]
    assert found[0].accepted >= 30
    assert found[0].share > AUTO_SHARE > found[1].share


async def sources(writer: InstructionMutator) -> list[TextSource]:
    """Of the mutants of a request that leaves the mode open."""
    request = MutationRequest((Message("user", INSTRUCTIONS[0]),), INSTRUCTIONS[0], 1, seed=1)
    return [event.source async for event in writer.mutate(request) if isinstance(event, AcceptedMutant)]


class Named:
    """A model whose name may change; every question for it is told of by `asked`."""

    def __init__(self) -> None:
        self.now = "first"
        self.asked = asyncio.Queue[None]()

    async def name(self, timeout: float) -> str:
        self.asked.put_nowait(None)
        return self.now

    async def looks(self, times: int) -> None:
        """Returns once the name has been asked for so many times more."""
        while not self.asked.empty():
            self.asked.get_nowait()
        for _ in range(times):
            await self.asked.get()


async def test_it_measures_once_for_each_model_and_again_where_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    llm, named = Writer(good), Named()
    llm.failing = 1
    writer = mutator(llm, SimulatedFidelity(), -1)
    task = asyncio.create_task(AutoMode(writer, named.name, 0.5, check_s=0.001).follow())
    try:
        await named.looks(4)
        assert llm.calls == 12 + 12
        assert writer.operators == tuple(OPERATORS.values())
        assert measured()["darwin.mutation.auto.by_model", ()] == 1
        assert "the model writes mutants" in caplog.text
        assert await sources(writer) == [TextSource.MODEL]
        named.now, llm.rewrites = "second", poor
        await named.looks(4)
        assert llm.calls == 12 + 12 + 1 + 12
        assert await sources(writer) == [TextSource.TEMPLATE]
        assert measured()["darwin.mutation.auto.by_model", ()] == 0
        assert measured()["darwin.mutation.auto.share", ()] == 0
        assert "0 of 36 rewrites by second accepted" in caplog.text
        named.now = "first"
        await named.looks(3)
        assert llm.calls == 12 + 12 + 1 + 12
        assert writer.operators == tuple(OPERATORS.values())
    finally:
        await end(task)


def test_the_share() -> None:
    assert Suitability(9, 36).share == 0.25
