"""Has an engine decode one piece of a response, in one go or thought and answer apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.generation.engine import Completion, Engine, Progress, TokenSequence
from services.generation.planning import Plan
from services.generation.reasoning.reading import ThoughtReader
from services.generation.shaping import uncontinued


@dataclass(frozen=True)
class Decoded:
    """What was sampled for a response, and how many `dropped` tokens beside it."""

    completion: Completion
    dropped: int = 0


async def decode(engine: Engine, plan: Plan, budget: int) -> Decoded:
    """Adds at most `budget` tokens to the response of a plan. Raises as `Engine.complete` does.

    Stop strings and formats begin behind a thought, of which engines know nothing: where there are any, the thought is
    decoded without them, up to its closing mark, and then the answer with them.
    """
    sampling, given = plan.sampling, plan.sequence.response_token_ids
    progress, reading = plan.so_far.add if plan.so_far else None, plan.read(given)
    limited = bool(sampling.stop) or sampling.format is not None
    if plan.thoughts is not None and limited and reading.stage != "answering":
        if engine.info.continues and uncontinued(replace(sampling, format=None), engine.info) is None:
            return await _Apart(engine, plan, plan.thoughts, progress).decode(budget)
        # The answer would be decoded as if it were the whole response: the caller finds stop strings in it.
        plan = replace(plan, sampling=replace(sampling, stop=()))
    answer = len(reading.answer(given))
    return Decoded(await engine.complete(_sequence(plan, given, budget, progress, answer)))


class _Apart:
    """Decodes the thought of a response, and then its answer.

    Whether the model thinks at all may be known by its first tokens only. Under a format these are drawn freely, and
    dropped where they begin no thought.
    """

    def __init__(self, engine: Engine, plan: Plan, thoughts: ThoughtReader, progress: Progress | None) -> None:
        self._engine = engine
        self._plan = plan
        self._progress = progress
        bare = replace(plan.sampling, stop=(), format=None)
        self._beginning = replace(plan, sampling=bare)
        self._thinking = replace(plan, sampling=replace(bare, stop=(thoughts.marks.close,)))
        self._ids = plan.sequence.response_token_ids
        self._parts: list[Completion] = []
        self._dropped = 0

    async def decode(self, budget: int) -> Decoded:
        free, whole = self._plan.sampling.format is None, budget
        while budget > 0:
            reading = self._plan.read(self._ids)
            begins = reading.begins
            if begins:
                part = await self._engine.complete(_sequence(self._beginning, self._ids, 1, None, 0))
                if not free and not self._plan.read(self._ids + part.token_ids).thinking:
                    self._drop(part)
                    await self._answer(whole, 0)
                    break
                budget -= self._add(part)
                if free:
                    self._report([part])
                elif not self._plan.read(self._ids).begins:
                    self._report(self._parts)
            elif reading.thinking:
                part = await self._engine.complete(_sequence(self._thinking, self._ids, budget, self._progress, 0))
                part = self._thought_alone(part)
                budget -= self._add(part)
            else:
                budget -= await self._answer(budget, len(reading.answer(self._ids)))
                break
            if self._over(part) or (not begins and self._plan.read(self._ids).thinking):
                break
        return Decoded(_together(self._parts), self._dropped)

    async def _answer(self, tokens: int, answer: int) -> int:
        return self._add(await self._engine.complete(_sequence(self._plan, self._ids, tokens, self._progress, answer)))

    def _add(self, part: Completion) -> int:
        self._parts.append(part)
        self._ids += part.token_ids
        return len(part.token_ids)

    def _drop(self, part: Completion) -> None:
        """Drops what was drawn freely, a last part of it included."""
        self._dropped += sum(len(each.token_ids) for each in (*self._parts, part))
        self._ids, self._parts = self._plan.sequence.response_token_ids, []

    def _report(self, parts: Sequence[Completion]) -> None:
        if self._progress is not None:
            for part in parts:
                self._progress(part.token_ids, part.logprobs)

    def _over(self, part: Completion) -> bool:
        """Whether the model has ended the response, or the engine cannot go on."""
        ends = not self._plan.sampling.ignore_eos and part.token_ids[-1:]
        return not part.token_ids or (bool(ends) and part.token_ids[-1] in self._engine.info.end_ids)

    def _thought_alone(self, part: Completion) -> Completion:
        """The part without what an engine has sampled behind the thought, having overlooked its closing mark."""
        reading = self._plan.read(self._ids + part.token_ids)
        if reading.thinking:
            return part
        kept = reading.skipped - len(self._ids)
        self._dropped += len(part.token_ids) - kept
        return replace(part, token_ids=part.token_ids[:kept], logprobs=part.logprobs[:kept])


def _sequence(plan: Plan, ids: tuple[int, ...], tokens: int, progress: Progress | None, answer: int) -> TokenSequence:
    """Prompt and response so far, the last `answer` ids of which are the answer, to be continued as the plan says."""
    return TokenSequence(
        plan.prompt_ids + ids,
        tokens,
        plan.sampling,
        plan.sequence.seed,
        plan.cache_salt,
        response_tokens=len(ids),
        formed_tokens=answer,
        progress=progress,
        messages=plan.sequence.messages,
        origin=plan.origin,
    )


def _together(parts: Sequence[Completion]) -> Completion:
    """Completions that follow one another as one."""
    counts = [part.counted for part in parts if part.counted is not None]
    return replace(
        parts[0],
        counted=sum(counts) if counts else None,
        token_ids=tuple(token for part in parts for token in part.token_ids),
        unfinished=parts[-1].unfinished,
        logprobs=tuple(each for part in parts for each in part.logprobs),
    )
