"""The physical limit: the same core and the same engines in one process, without RPC, queue or store."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Self

from services.generation.bootstrap import build_engine, build_generator
from services.generation.engine import Engine, TokenSequence
from services.generation.generator import SequenceGenerator
from services.generation.messages import SHAPING, GenerateRequest, SamplingOptions, SequenceResult
from services.generation.messages import Sequence as GenerationSequence
from services.generation.settings import GenerationSettings
from services.mutation import fidelity
from services.mutation.language_model import TOP_P, RewriteCompletion, RewritePrompt
from services.mutation.messages import AcceptedMutant, MutationRequest, MutationSummary
from services.mutation.mutator import InstructionMutator, Pool
from services.mutation.operators import JSON_SCHEMA, OPERATORS
from services.mutation.settings import MutationSettings
from services.mutation.templates import pool as allowed
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import (
    EvolutionState,
    Generate,
    Generated,
    Mutate,
    Mutated,
    MutationEnded,
    Score,
    Scored,
)
from services.orchestrator.round import RoundExecution
from services.reward.bootstrap import build_rewarder
from services.reward.rewarder import Rewarder
from services.reward.settings import RewardSettings
from services.reward.validation import ResponseCandidate
from shared.records.events import Event
from shared.records.evolution import EvolutionRequest, Message
from shared.records.formats import ResponseFormat
from shared.records.turns import as_question, instruction_of, prefill_of, with_instruction

_TIMEOUT_S = 600.0


class DirectLanguageModel:
    """The generator as the mutator's language model."""

    def __init__(self, generator: SequenceGenerator, temperature: float) -> None:
        self._generator = generator
        self._temperature = temperature

    async def rewrite(
        self,
        prompts: Sequence[RewritePrompt],
        timeout: float | None,
        cache_salt: str = "",
        json_schema: str = JSON_SCHEMA,
    ) -> AsyncGenerator[RewriteCompletion, None]:
        held = bool(json_schema) and self._generator.info.structured_output
        wanted = ResponseFormat("json_schema", json_schema) if held else None
        request = GenerateRequest(
            sequences=tuple(
                GenerationSequence(
                    id=str(index),
                    messages=prompt.messages,
                    max_new_tokens=prompt.max_new_tokens,
                    seed=prompt.seed,
                )
                for index, prompt in enumerate(prompts)
            ),
            sampling=SamplingOptions(temperature=self._temperature, top_p=TOP_P, format=wanted),
        )
        async with aclosing(self._generator.generate(request)) as generated:
            async for results in generated:
                for result in results:
                    usage = result.usage
                    yield RewriteCompletion(int(result.id), result.text, usage.prompt_tokens, usage.generated_tokens)


class DirectStages:
    """The orchestrator's three ports, answered by calls instead of RPCs."""

    def __init__(self, generator: SequenceGenerator, mutator: InstructionMutator, rewarder: Rewarder) -> None:
        self._generator = generator
        self._mutator = mutator
        self._rewarder = rewarder

    async def mutate(
        self, effect: Mutate, request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Mutated | MutationEnded]:
        seed = effect.seed if request.seeded else None
        fixed, asked = request.sampling.format is not None, as_question(request.messages)
        wanted = MutationRequest(
            asked,
            effect.parent,
            effect.count,
            effect.exclude,
            seed,
            form_fixed=fixed,
            max_generated_tokens=effect.max_tokens,
            crossover=effect.crossover,
            refine=effect.refine,
        )
        tokens = 0
        async with aclosing(self._mutator.mutate(wanted)) as events:
            async for event in events:
                if isinstance(event, AcceptedMutant):
                    yield Mutated(effect.cycle, event.text, event.operator, event.source.value)
                elif isinstance(event, MutationSummary):
                    tokens = event.generated_tokens
        yield MutationEnded(effect.cycle, tokens)

    async def text_of(self, token_ids: Sequence[int], timeout_s: float) -> str:
        return await self._generator.text_of(tuple(token_ids))

    async def reasoning_marks(self, timeout_s: float) -> tuple[str, str]:
        marks = self._generator.info.reasoning
        return (marks.open, marks.close) if marks else ("", "")

    async def template_variables(self, timeout_s: float) -> frozenset[str]:
        return self._generator.info.template_variables

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        by_id = {str(effect.state): effect for effect in effects}
        sampling = request.sampling
        wanted = GenerateRequest(
            sequences=tuple(
                GenerationSequence(
                    id=name,
                    messages=with_instruction(request.messages, effect.instruction),
                    response_token_ids=effect.token_ids,
                    max_new_tokens=effect.max_new_tokens,
                    lookahead_tokens=effect.lookahead,
                )
                for name, effect in by_id.items()
            ),
            sampling=SamplingOptions(
                sampling.temperature,
                sampling.top_p,
                sampling.top_k,
                sampling.stop,
                sampling.format,
                **{name: getattr(sampling, name) for name in SHAPING},
            ),
        )
        async with aclosing(self._generator.generate(wanted)) as generated:
            async for results in generated:
                for result in results:
                    yield _generated(by_id[result.id], result)

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        scored = await self._rewarder.score(
            as_question(request.messages),
            [ResponseCandidate(str(e.state), prefill_of(request.messages) + e.text) for e in effects],
            json_values=request.sampling.format is not None and request.sampling.format.is_json,
        )
        for effect, score in zip(effects, scored.scores, strict=True):
            yield Scored(effect.cycle, effect.round, effect.state, score.reward)


def _generated(effect: Generate, result: SequenceResult) -> Generated:
    return Generated(
        effect.cycle,
        effect.round,
        effect.state,
        result.token_ids,
        result.text,
        result.lookahead_text,
        result.finish,
        result.usage.generated_tokens,
        result.usage.prompt_tokens,
        result.usage.cached_tokens,
        reasoning=result.reasoning,
        reasoning_tokens=result.reasoning_tokens,
        thinking=result.thinking,
    )


class Limit:
    """Engines in this process. Use as an async context manager. `pool` says which templates mutants are made of."""

    def __init__(self, engine: str, pool: Pool = allowed) -> None:
        self._pool = pool
        self._settings = GenerationSettings.model_validate({"engine": engine})
        self._resources = AsyncExitStack()
        self._stages: DirectStages | None = None
        self._engine: Engine | None = None

    async def __aenter__(self) -> Self:
        engine = self._engine = build_engine(self._settings)
        self._resources.push_async_callback(engine.stop)
        await engine.start()
        generator = build_generator(engine, self._settings)
        rewarder = build_rewarder(RewardSettings())
        self._resources.push_async_callback(rewarder.stop)
        await rewarder.start()
        mutation = MutationSettings()
        mutator = InstructionMutator(
            DirectLanguageModel(generator, mutation.temperature),
            fidelity.load(mutation.encoder),
            threshold=mutation.threshold,
            operators=[OPERATORS[name] for name in mutation.operators],
            max_tokens=mutation.max_tokens,
            pool=self._pool,
        )
        self._stages = DirectStages(generator, mutator, rewarder)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()

    async def run(self, request: EvolutionRequest) -> EvolutionState:
        """One evolution, from begin to end."""
        evolution, _ = await self.run_with_events(request)
        return evolution

    async def run_with_events(self, request: EvolutionRequest) -> tuple[EvolutionState, list[Event]]:
        """One evolution, and what happened to it after it was begun."""
        assert self._stages is not None
        stages, events = self._stages, list[Event]()
        evolution, _ = machine.begin(config_for(request), instruction_of(request.messages), request.seed)
        while not evolution.finished:
            round_ = RoundExecution(evolution, (), request, stages, stages, stages, _TIMEOUT_S)
            await round_.run()
            evolution = round_.evolution
            events += round_.events
        return evolution, events

    async def measure(self, requests: Sequence[EvolutionRequest]) -> tuple[float, int]:
        """Wall seconds and tokens sampled for all requests at once."""
        started = time.perf_counter()
        evolutions = await asyncio.gather(*map(self.run, requests))
        return time.perf_counter() - started, sum(evolution.spent.generated for evolution in evolutions)

    async def plain(self, prompts: Sequence[Sequence[Message]], max_tokens: int) -> tuple[float, int]:
        """Wall seconds and tokens sampled where the engine alone decodes `max_tokens` for each prompt, all at once."""
        assert self._engine is not None
        engine, sampling = self._engine, SamplingOptions(temperature=0.7, top_k=40, ignore_eos=True)
        sequences = [TokenSequence(engine.encode_chat(prompt), max_tokens, sampling, None) for prompt in prompts]
        started = time.perf_counter()
        done = await asyncio.gather(*map(engine.complete, sequences))
        return time.perf_counter() - started, sum(len(completion.token_ids) for completion in done)
