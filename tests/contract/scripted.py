"""A language model that writes what it is given, and mutations by it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence

from services.mutation import demands
from services.mutation.fidelity import SimulatedFidelity
from services.mutation.language_model import RewriteCompletion, RewritePrompt
from services.mutation.messages import AcceptedMutant, MutationEvent, MutationRequest
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import JSON_SCHEMA, OPERATORS
from services.mutation.templates import pool
from shared.records.evolution import Message

ORIGINAL = "Name three rivers in Peru and say where each begins."
GOOD = "In Peru, name three rivers and say where each of them begins."
# A list: the templates that ask for paragraphs are left out.
POOL = pool(demands.read((Message("user", ORIGINAL),)))


class Script:
    """A language model that writes what it is given, one output per prompt, the last prompt's first."""

    def __init__(self, outputs: Sequence[str], fails: Exception | None = None) -> None:
        self.outputs = outputs
        self.fails = fails
        self.prompts: list[RewritePrompt] = []
        self.timeouts: list[float | None] = []
        self.schemas: list[str] = []
        self.closed = False

    async def rewrite(
        self,
        prompts: Sequence[RewritePrompt],
        timeout: float | None,
        cache_salt: str = "",
        json_schema: str = JSON_SCHEMA,
    ) -> AsyncGenerator[RewriteCompletion, None]:
        self.prompts += prompts
        self.timeouts.append(timeout)
        self.schemas.append(json_schema)
        try:
            for index, output in reversed(list(enumerate(self.outputs[: len(prompts)]))):
                await asyncio.sleep(0)
                yield RewriteCompletion(index, output, 100, 10)
            if self.fails:
                raise self.fails
        finally:
            self.closed = True


def mutator(llm: Script, operators: Sequence[str] = tuple(OPERATORS), max_tokens: int = 96) -> InstructionMutator:
    return InstructionMutator(
        llm,
        SimulatedFidelity(),
        threshold=0.5,
        operators=[OPERATORS[name] for name in operators],
        max_tokens=max_tokens,
    )


def request(
    count: int = 5, parent: str = ORIGINAL, original: str = ORIGINAL, exclude: Sequence[str] = (), seed: int | None = 1
) -> MutationRequest:
    return MutationRequest((Message("user", original),), parent, count, tuple(exclude), seed)


async def events(llm: Script, wanted: MutationRequest) -> list[MutationEvent]:
    return [event async for event in mutator(llm).mutate(wanted)]


def mutants(found: Sequence[MutationEvent]) -> list[AcceptedMutant]:
    return [event for event in found if isinstance(event, AcceptedMutant)]


def answer(text: str) -> str:
    return json.dumps({"instruction": text})
