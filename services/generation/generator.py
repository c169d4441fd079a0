"""Continues responses on an engine, and sees to context, lookahead, stop strings and the end of sequence."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from typing import TypedDict

from services.generation import metrics
from services.generation.decoding import Decoded, decode
from services.generation.engine import Completion, ContextFull, Engine, ModelInfo
from services.generation.grammars import Matcher
from services.generation.messages import (
    GenerateRequest,
    SequenceFinish,
    SequenceResult,
    TokenUsage,
)
from services.generation.planning import Plan, Planner
from services.generation.progress import pauses
from services.generation.prompt_cache import PromptCache
from services.generation.reasoning.reading import Reading
from services.generation.shaping import uncontinued
from services.generation.token_logprobs import certainties_of, told
from services.generation.validation import GenerationLimits, check, check_vocabulary
from shared.errors import InvalidRequest

_LONG_CHARACTERS = 50_000
_TOO_COMPLEX = "the format became too complex to be followed while a response was decoded: simplify it"


class _Thought(TypedDict):
    """The fields of a result that say what was thought."""

    reasoning: str
    reasoning_tokens: int
    thinking: bool


class SequenceGenerator:
    """The service's behaviour over any engine, in plain Python."""

    def __init__(self, engine: Engine, limits: GenerationLimits, prompt_cache_bytes: int = 0) -> None:
        """The token ids of prompts take `prompt_cache_bytes` at most between calls."""
        self._engine = engine
        self._limits = limits
        self._planner = Planner(engine, PromptCache(prompt_cache_bytes))
        # How many tokens each sequence that the engine holds may sample, by the id of its `Plan` object; the order is
        # that in which the engine got them.
        self._budgets: dict[int, int] = {}

    @property
    def waiting_tokens(self) -> int:
        """How many tokens the sequences may sample that the engine has not begun; it begins first what came first."""
        budgets = tuple(self._budgets.values())
        return sum(budgets[max(0, len(budgets) - self._engine.waiting) :])

    @property
    def info(self) -> ModelInfo:
        """What the engine serves; raises Unavailable until it has started."""
        return self._engine.info

    async def text_of(self, token_ids: tuple[int, ...]) -> str:
        """The text of token ids; raises InvalidRequest where one is not in the vocabulary."""
        check_vocabulary(token_ids, self.info, "prompt")
        return await asyncio.to_thread(self._engine.decode, token_ids)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[list[SequenceResult], None]:
        """Yields one result per sequence as soon as it completes, in lists of those that complete together, and where
        they are wanted partial ones before.

        Closing the iterator frees the sequences that have not completed.

        Raises:
            InvalidRequest: a field is out of range, or the model's template refuses a conversation.
            Unsupported: a format that the engine cannot follow, or cannot continue a response under.
            Unavailable: the engine does not run.
        """
        arrived = time.perf_counter()
        check(request, self.info, self._limits)
        # Encoding long prompts takes seconds, and so may a format, while other calls and health checks must be served.
        long = sum(sequence.characters for sequence in request.sequences) > _LONG_CHARACTERS
        long = long or request.sampling.format is not None
        metrics.called(len(request.sequences))
        plan = self._planner.plans
        plans = await asyncio.to_thread(plan, request, arrived) if long else plan(request, arrived)
        tasks = {asyncio.ensure_future(self._run(plan)): plan for plan in plans}
        ended: asyncio.Queue[asyncio.Task[SequenceResult]] = asyncio.Queue()
        for task in tasks:
            task.add_done_callback(ended.put_nowait)
        under_way = dict(tasks)
        every = pauses() if any(plan.so_far for plan in plans) else repeat(math.inf)
        due = time.perf_counter() + next(every)
        try:
            while under_way:
                together = []
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if due == math.inf else max(0.0, due - time.perf_counter())):
                        together.append(await ended.get())
                while not ended.empty():
                    together.append(ended.get_nowait())
                for task in together:
                    del under_way[task]
                if together:
                    yield [_rest(tasks[task], task.result()) for task in together]
                if time.perf_counter() >= due:
                    due = time.perf_counter() + next(every)
                    if partial := [result for plan in under_way.values() if (result := self._partial(plan))]:
                        yield partial
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, plan: Plan) -> SequenceResult:
        sequence = plan.sequence
        budget = min(sequence.max_new_tokens + sequence.lookahead_tokens, plan.room)
        given = sequence.response_token_ids
        ended = plan.matcher is not None and plan.matcher.ended()
        if budget == 0 or ended or plan.read(given).stop(given, len(given)) is not None:
            return self._result(plan, Decoded(Completion((), 0)))
        began = time.perf_counter()
        key = id(plan)
        self._budgets[key] = budget
        try:
            decoded = await decode(self._engine, plan, budget)
        except ContextFull:
            plan, decoded = replace(plan, room=0), Decoded(Completion((), 0))
        finally:
            del self._budgets[key]
        seconds = time.perf_counter() - began
        metrics.completed(self.info, len(plan.prompt_ids) + len(given), seconds, decoded.completion)
        return self._result(plan, decoded)

    def _partial(self, plan: Plan) -> SequenceResult | None:
        """What the caller does not know yet of a sequence under way; None where that is nothing."""
        if plan.so_far is None or not plan.so_far.grown:
            return None
        sequence, sampled = plan.sequence, tuple(plan.so_far.ids)
        given = sequence.response_token_ids
        ends = not plan.sampling.ignore_eos and sampled[-1] in self.info.end_ids
        # Whoever goes on from here must have a token left to ask for.
        kept = (sampled[:-1] if ends else sampled)[: min(sequence.max_new_tokens, plan.room) - 1]
        reading = plan.read(given + kept)
        if reading.stop(given + kept, len(given)) is not None:
            return None
        text = reading.text(given + kept)
        usage = TokenUsage(len(plan.prompt_ids), 0, len(sampled))
        seconds = time.perf_counter() - plan.arrived
        result = SequenceResult(
            sequence.id, kept, text, text, "length", usage, seconds, partial=True, **_thought(reading)
        )
        if plan.sampling.logprobs is not None:
            completion = Completion(sampled, 0, logprobs=tuple(plan.so_far.logprobs))
            result = replace(result, logprobs=told(completion, kept, self.info))
        if plan.sampling.self_certainty:
            result = replace(result, certainties=certainties_of(plan.so_far.logprobs, kept, self.info))
        if plan.calls is not None:
            result = replace(result, calling=plan.calls(reading.spelled(given + kept)).begun)
        return plan.so_far.told(result)

    def _result(self, plan: Plan, decoded: Decoded) -> SequenceResult:
        sequence, completion = plan.sequence, decoded.completion
        sampled = completion.token_ids
        given = sequence.response_token_ids
        ends = not plan.sampling.ignore_eos and sampled and sampled[-1] in self.info.end_ids
        content = sampled[:-1] if ends else sampled
        counted = completion.counted is not None
        kept = content if counted and not sequence.lookahead_tokens else content[: sequence.max_new_tokens]
        if counted and len(kept) < len(content):
            kept = plan.reader.whole(given, kept)
        reading = plan.read(given + kept, complete=bool(ends) and len(kept) == len(content))
        stop = reading.stop(given + kept, len(given))
        if stop is not None:
            kept = kept[: stop[0] - len(given)]
        formed = plan.matcher is not None and _formed(plan.matcher, _new_answer(plan, reading, kept))
        stopped = formed or stop is not None or (counted and bool(ends) and len(kept) == len(content))
        finish = _finish(plan, len(kept), stopped, completion.unfinished or counted)
        if finish == "length" and (not self.info.continues or uncontinued(plan.sampling, self.info) is not None):
            finish = "context"
        complete = plan.matcher is None or reading.thinking or plan.matcher.complete()
        if finish == "stop" and stop is None and not complete:
            raise InvalidRequest(_TOO_COMPLEX, field="sampling.format")
        text = stop[1] if stop is not None else reading.text(given + kept, complete=finish == "stop")
        lookahead_text = text
        if finish != "stop" and len(content) > len(kept):
            further = plan.read(given + content)
            ahead = further.stop(given + content, len(given + kept))
            ended = len(content) < len(sampled)
            lookahead_text = ahead[1] if ahead is not None else further.text(given + content, complete=ended)
        usage = _usage(plan, decoded, len(kept), len(content))
        seconds = time.perf_counter() - plan.arrived
        result = SequenceResult(
            *(sequence.id, kept, text, lookahead_text, finish, usage, seconds),
            queue_seconds=completion.queue_seconds,
            served_by=completion.served_by,
            **_thought(reading),
        )
        if plan.sampling.logprobs is not None:
            result = replace(result, logprobs=told(completion, kept, self.info))
        if plan.sampling.self_certainty:
            result = replace(result, certainties=certainties_of(completion.logprobs, kept, self.info))
        if plan.calls is None or reading.thinking:
            return result
        # Some models write their calls between tokens that decoding hides; a stop string cuts the text within them.
        spelled = text if stop is not None else reading.spelled(given + kept)
        read = plan.calls(spelled)
        return replace(result, tool_calls=read.calls, content=read.content, calling=read.begun)


def _rest(plan: Plan, result: SequenceResult) -> SequenceResult:
    """The result without what partial ones have told."""
    return plan.so_far.told(result) if plan.so_far else result


def _usage(plan: Plan, decoded: Decoded, kept: int, content: int) -> TokenUsage:
    """Where whoever sampled has counted, so many of those tokens are kept as is the share of the ids that is kept."""
    completion = decoded.completion
    prompt = len(plan.prompt_ids) if completion.prompt_tokens is None else completion.prompt_tokens
    if completion.counted is None:
        return TokenUsage(prompt, completion.cached_tokens, len(completion.token_ids) + decoded.dropped)
    share = completion.counted if kept == content else round(completion.counted * kept / content)
    return TokenUsage(prompt, completion.cached_tokens, completion.counted + decoded.dropped, share)


def _thought(reading: Reading) -> _Thought:
    return {"reasoning": reading.reasoning, "reasoning_tokens": reading.skipped, "thinking": reading.thinking}


def _new_answer(plan: Plan, reading: Reading, kept: tuple[int, ...]) -> Sequence[int]:
    """The part of the new ids that a format concerns."""
    given = plan.sequence.response_token_ids
    return reading.answer(given + kept)[max(0, len(given) - reading.skipped) :]


def _formed(matcher: Matcher, kept: Sequence[int]) -> bool:
    """Advances the matcher; whether the response is complete and could only end.

    Raises:
        InvalidRequest: the format has exceeded its limits, after which an engine cannot follow it.
    """
    if not matcher.accept(kept):
        raise InvalidRequest(_TOO_COMPLEX, field="sampling.format")
    return matcher.ended()


def _finish(plan: Plan, kept: int, stopped: bool, unfinished: bool) -> SequenceFinish:
    if stopped:
        return "stop"
    if kept >= plan.room:
        return "context"
    return "length" if unfinished or kept == plan.sequence.max_new_tokens else "stop"
