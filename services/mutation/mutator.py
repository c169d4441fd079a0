"""One mutation: the language model is asked for rewrites, each is checked as it arrives, and templates fill up."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from random import Random

from services.mutation import credit, critique, demands, filling, guards, operators, recombination, templates
from services.mutation.demands import Demand, Demands
from services.mutation.fidelity import Compare, Fidelity
from services.mutation.language_model import LanguageModel, RewriteCompletion, RewritePrompt
from services.mutation.messages import (
    AcceptedMutant,
    Mode,
    MutationEvent,
    MutationRequest,
    MutationSummary,
    Reason,
    Rejection,
    TextSource,
)
from services.mutation.operators import Operator
from services.mutation.wishes import Wishes, weighed
from shared.errors import Cancelled, DarwinError, DeadlineExceeded
from shared.records.credit import Credit

log = logging.getLogger(__name__)

Pool = Callable[[Demands], tuple[templates.Template, ...]]

# A rewrite may have GROWTH times the tokens of the rewritten text, and MARGIN_TOKENS more.
GROWTH, MARGIN_TOKENS = 1.5, 24
# Of UTF-8. This holds in the usual vocabularies, for other scripts too, whose characters have two to four. Where a
# token has fewer, rewrites are cut, found malformed, and templates step in.
BYTES_PER_TOKEN = 4


class InstructionMutator:
    """Turns an instruction into mutants, by a language model and a measure of fidelity.

    `threshold` is the least cosine of a rewrite to the original; `max_tokens` bounds one rewrite, and an
    instruction too long to be rewritten within it goes straight to the templates, at no tokens: small models lose
    parts of long instructions. `operators` are applied to requests that leave the mode open, and may be set anew;
    without any, there are templates only. A request that wants the language model gets every operator then. `pool`
    says which templates a conversation's demands allow.
    """

    def __init__(
        self,
        llm: LanguageModel,
        fidelity: Fidelity,
        *,
        threshold: float,
        operators: Sequence[Operator],
        max_tokens: int,
        pool: Pool = templates.pool,
    ) -> None:
        self._llm = llm
        self._fidelity = fidelity
        self._threshold = threshold
        self.operators = tuple(operators)
        self._max_tokens = max_tokens
        self._pool = pool
        self._logged: set[type[DarwinError]] = set()

    async def mutate(
        self, request: MutationRequest, timeout: float | None = None
    ) -> AsyncGenerator[MutationEvent, None]:
        """Yields each mutant once accepted, each rejected rewrite, and one summary last.

        There are `request.count` mutants: the crossover where there is one, rewrites, then templates around the
        parent's core, then, where those are used up too, the parent itself, and the refine, which waits for its
        critique. None of them contradicts what the conversation demands of its answer. Where wishes are told, a line of
        theirs stands behind each. With a seed, the operators' order and the templates drawn are the same each time.
        `timeout` bounds the language model, in seconds. A language model that refuses, or answers nonsense, is one that
        gives neither rewrites nor critiques.

        Raises:
            Unavailable, Overloaded, DeadlineExceeded, Cancelled: errors of the language model after which the same call
                may succeed later, or nobody waits for it. Mutants already given stay valid.
        """
        ends_at = None if timeout is None else time.monotonic() + timeout
        rng = Random(request.seed)
        demanded, wishes, core, taken = await asyncio.to_thread(_read, request)
        shaping, order = wishes.shaping(demanded), deque(wishes.order(rng, request.credit))
        compare = await asyncio.to_thread(self._fidelity.compare_to, request.original)
        criticised = _is_criticised(request)
        count, accepted = request.count - criticised, 0
        for text, operator_name in filling.quoting(request, demanded, criticised):
            if guards.normalised(text) in taken or accepted == count:
                continue
            (similarity,) = await asyncio.to_thread(compare, [text])
            taken.add(guards.normalised(text))
            accepted += 1
            yield _dressed(AcceptedMutant(text, operator_name, TextSource.TEMPLATE, similarity), order)
        plan = self._plan(request, core, shaping, rng, count - accepted, critique.MAX_TOKENS if criticised else 0)
        written = prompt_tokens = generated_tokens = 0
        prompts = [prompt for _, prompt in plan]
        async with aclosing(self._completions(prompts, timeout, request.cache_salt)) as completions:
            async for completion in completions:
                written += 1
                prompt_tokens += completion.prompt_tokens
                generated_tokens += completion.generated_tokens
                operator = plan[completion.index][0]
                event = await self._judge(completion.text, operator, core, request.original, shaping, taken, compare)
                if isinstance(event, AcceptedMutant):
                    taken.add(guards.normalised(event.text))
                    accepted += 1
                    event = _dressed(event, order)
                yield replace(event, generated_tokens=completion.generated_tokens)
        around = filling.Around(wishes.bare(request.parent, request.original), wishes.agree(self._pool(shaping)), order)
        for mutant in await asyncio.to_thread(filling.filled, request, count - accepted, around, taken, compare, rng):
            taken.add(guards.normalised(mutant.text))
            yield mutant
        if criticised:
            left = None if ends_at is None else max(0.0, ends_at - time.monotonic())
            said, output = await self._critique(request, rng, left)
            if output is not None:
                written += 1
                prompt_tokens += output.prompt_tokens
                generated_tokens += output.generated_tokens
            text = recombination.refine(request.original, request.refine, said, demanded)
            if guards.normalised(text) in taken:
                (mutant,) = await asyncio.to_thread(filling.filled, request, 1, around, taken, compare, rng)
            else:
                (similarity,) = await asyncio.to_thread(compare, [text])
                source = TextSource.MODEL if said else TextSource.TEMPLATE
                mutant = _dressed(AcceptedMutant(text, recombination.REFINE, source, similarity), order)
            yield replace(mutant, generated_tokens=output.generated_tokens if output else 0)
        unwritten = len(plan) + criticised - written
        yield MutationSummary(prompt_tokens, generated_tokens, unwritten, wishes.withheld)

    async def _critique(
        self, request: MutationRequest, rng: Random, timeout: float | None
    ) -> tuple[str, RewriteCompletion | None]:
        """The language model's critique of the response that is refined, empty where it gives none that can be used,
        and what it wrote.
        """
        seed = None if request.seed is None else rng.getrandbits(32)
        chat = critique.chat(request.messages, request.refine)
        prompts = [RewritePrompt(chat, critique.MAX_TOKENS, seed)]
        async with aclosing(self._completions(prompts, timeout, request.cache_salt, json_schema="")) as completions:
            async for found in completions:
                cut = found.generated_tokens >= critique.MAX_TOKENS
                said = await asyncio.to_thread(critique.usable, found.text, request.original, request.refine, cut=cut)
                return said, found
        return "", None

    def _plan(
        self, request: MutationRequest, core: str, demanded: Demands, rng: Random, count: int, set_aside: int
    ) -> list[tuple[Operator, RewritePrompt]]:
        """The operators of at most `count` rewrites, each at most once more than any other, with their prompts: none of
        them where the instruction is a text to work on rather than a request for something, and no more than the
        request has tokens for, of which some are `set_aside`.
        """
        # A rewrite of a part of a long instruction would lose the rest of it.
        tokens = math.ceil(max(len(text.encode()) for text in (core, request.original)) / BYTES_PER_TOKEN)
        chosen = [operator for operator in self._chosen(request.mode) if not operator.imposes & demanded.forbids]
        if not chosen or demanded.on_text or tokens + operators.SHAPE_TOKENS > self._max_tokens:
            return []
        limit = min(self._max_tokens, math.ceil(GROWTH * tokens) + MARGIN_TOKENS + operators.SHAPE_TOKENS)
        order = _ordered(chosen, request.credit, rng)
        plan = []
        bound = request.max_generated_tokens
        for index in range(count if bound is None else min(count, (bound - set_aside) // limit)):
            operator = order[index % len(order)]
            seed = None if request.seed is None else rng.getrandbits(32)
            plan.append((operator, RewritePrompt(operators.chat(operator, core), limit, seed)))
        return plan

    def _chosen(self, mode: Mode) -> Sequence[Operator]:
        match mode:
            case Mode.TEMPLATES:
                return ()
            case Mode.MODEL:
                return self.operators or tuple(operators.OPERATORS.values())
            case _:
                return self.operators

    async def _completions(
        self,
        prompts: Sequence[RewritePrompt],
        timeout: float | None,
        cache_salt: str,
        json_schema: str = operators.JSON_SCHEMA,
    ) -> AsyncGenerator[RewriteCompletion, None]:
        if not prompts:
            return
        try:
            async with aclosing(self._llm.rewrite(prompts, timeout, cache_salt, json_schema)) as completions:
                async for completion in completions:
                    yield completion
        except DarwinError as error:
            if error.retryable or isinstance(error, (DeadlineExceeded, Cancelled)):
                raise
            self._log_once(error)

    def _log_once(self, error: DarwinError) -> None:
        """Logs the first error of each class; `MutationSummary.unwritten` counts them all."""
        if type(error) not in self._logged:
            self._logged.add(type(error))
            log.warning(
                "the language model gives no rewrites, templates step in (said once): %s: %s",
                type(error).__name__,
                error.message,
            )

    async def _judge(
        self,
        output: str,
        operator: Operator,
        core: str,
        original: str,
        demanded: Demands,
        taken: set[str],
        compare: Compare,
    ) -> AcceptedMutant | Rejection:
        if not output.strip():
            return Rejection(output, operator.name, Reason.EMPTY)
        text = operators.parse(output)
        if text is None:
            return Rejection(output, operator.name, Reason.MALFORMED)
        reason = guards.form(text, core, operators.example_texts(operator), taken) or guards.content(text, original)
        if reason is None and not await asyncio.to_thread(demands.keeps, text, original, demanded):
            reason = Reason.MEANING_LOST
        if reason is not None:
            return Rejection(text, operator.name, reason)
        (similarity,) = await asyncio.to_thread(compare, [text])
        if similarity < self._threshold:
            return Rejection(text, operator.name, Reason.MEANING_LOST, similarity)
        return AcceptedMutant(text, operator.name, TextSource.MODEL, similarity)


def _ordered(chosen: Sequence[Operator], earned: Credit | None, rng: Random) -> list[Operator]:
    """The operators in an order drawn by `rng`, and by what they have earned where that is known."""
    order, names = rng.sample(chosen, len(chosen)), [operator.name for operator in chosen]
    if earned is None:
        return order
    worth = {name: credit.draw(earned, name, names, rng) for name in names}
    return sorted(order, key=lambda operator: -worth[operator.name])


def _is_criticised(request: MutationRequest) -> bool:
    """Whether there is a refine for which the language model is asked for a critique."""
    bound = request.max_generated_tokens
    affordable = bound is None or bound >= critique.MAX_TOKENS
    return request.mode is not Mode.TEMPLATES and affordable and filling.lacks_refine(request)


def _read(request: MutationRequest) -> tuple[Demands, Wishes, str, set[str]]:
    """What is demanded, what is wished, the parent without wishes and wrappings, and the normalised texts that must not
    come again, with and without wishes.
    """
    demanded = demands.read(request.messages)
    if request.form_fixed:
        demanded = replace(demanded, kinds=demanded.kinds | {Demand.FORMAT})
    wishes = weighed(request.wishes, demanded)
    given = (request.original, request.parent, *request.exclude)
    bare = [wishes.bare(text, request.original) for text in given]
    core = templates.core_of(bare[1], request.original)
    return demanded, wishes, core, {guards.normalised(text) for text in (*given, *bare, core)}


def _dressed(mutant: AcceptedMutant, order: deque[templates.Template]) -> AcceptedMutant:
    """The mutant with the line of wishes whose turn it is, where there are any."""
    if not order:
        return mutant
    line = order[0]
    order.rotate(-1)
    return replace(mutant, text=line.wrap(mutant.text), operator=f"{line.name}+{mutant.operator}")
