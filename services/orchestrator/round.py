"""Performs an evolution's effects, all that are possible at once, up to the next checkpoint."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import cast

from services.orchestrator.core import machine
from services.orchestrator.core.values import (
    Effect,
    Evolution,
    Generate,
    Generated,
    Mutate,
    Mutated,
    Outcome,
    Score,
    Scored,
    Stopped,
)
from services.orchestrator.journal import Journal
from services.orchestrator.ports import Generator, Mutator, Scorer
from shared.records.attempts import Stage
from shared.records.evolution import Event, EvolutionRequest, StoppedBy, TraceContext
from shared.telemetry import tracing

# Results that an engine has at the same step come one by one, so that one call can score them all only a moment later.
_TOGETHER_S = 0.005


class RoundExecution:
    """One checkpoint's worth of work. `evolution`, `events` and `journal` are true at every moment, so that a round
    that is interrupted can be concluded, or gone on with, from where it stands.
    """

    def __init__(
        self,
        evolution: Evolution,
        events: tuple[Event, ...],
        request: EvolutionRequest,
        mutator: Mutator,
        generator: Generator,
        scorer: Scorer,
        timeout_s: float,
        trace: TraceContext | None = None,
    ) -> None:
        self.evolution = evolution
        self.events = events
        self.journal = Journal()
        self.cycle = evolution.cycle
        self.round = evolution.round
        self._spent_before = evolution.spent.generated
        self._request = request
        self._mutator = mutator
        self._generator = generator
        self._scorer = scorer
        self._timeout_s = timeout_s
        self._trace = trace
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._started: set[tuple[object, ...]] = set()
        self._decoding = 0
        self._scoring = 0

    @property
    def tokens(self) -> int:
        """Sampled in this round so far."""
        return self.evolution.spent.generated - self._spent_before

    @property
    def decoding(self) -> int:
        """Responses whose piece was begun and has not come."""
        return sum(
            isinstance(effect, Generate) and effect.key in self._started
            for effect in machine.next_effects(self.evolution)
        )

    async def run(self) -> None:
        """Performs effects until the checkpoint; the first error of a call cancels the others and is raised."""
        checkpoint = self.evolution.checkpoint
        try:
            async with asyncio.TaskGroup() as calls:
                while self.evolution.checkpoint == checkpoint and not self.evolution.finished:
                    for stage, effects in self._due():
                        calls.create_task(self._perform(stage, effects))
                    await self._absorb()
        except BaseExceptionGroup as group:
            raise _first(group) from None

    def stop(self, reason: StoppedBy) -> None:
        """Ends the search here, with the best so far."""
        if not self.evolution.finished:
            self._apply(Stopped(reason))

    def _due(self) -> list[tuple[Stage, Sequence[Effect]]]:
        new = [effect for effect in machine.next_effects(self.evolution) if effect.key not in self._started]
        if self._scoring:  # what comes meanwhile goes together into the next call
            new = [effect for effect in new if not isinstance(effect, Score)]
        self._scoring += sum(isinstance(effect, Score) for effect in new)
        self._decoding += sum(isinstance(effect, Generate) for effect in new)
        self._started.update(effect.key for effect in new)
        stages: dict[Stage, type[Effect]] = {"mutation": Mutate, "generation": Generate, "reward": Score}
        grouped = [(stage, [e for e in new if isinstance(e, kind)]) for stage, kind in stages.items()]
        return [(stage, effects) for stage, effects in grouped if effects]

    async def _perform(self, stage: Stage, effects: Sequence[Effect]) -> None:
        journal = self.journal
        with (
            journal.call(stage, effects, self.cycle, self.round) as call,
            tracing.use_context(self._span(call.span_id)),
        ):
            async with aclosing(self._call(effects)) as outcomes:  # type: ignore[type-var]
                async for outcome in outcomes:
                    call.note(outcome, journal.now())
                    self._outcomes.put_nowait(outcome)

    def _span(self, span_id: str) -> TraceContext | None:
        return replace(self._trace, span_id=span_id) if self._trace else None

    def _call(self, effects: Sequence[Effect]) -> AsyncIterator[Outcome]:
        match effects[0]:
            case Mutate() as effect:
                return self._mutator.mutate(effect, self._request, self._timeout_s)
            case Generate():
                return self._generator.generate(cast(Sequence[Generate], effects), self._request, self._timeout_s)
            case _:
                return self._scorer.score(cast(Sequence[Score], effects), self._request, self._timeout_s)

    async def _absorb(self) -> None:
        """Applies everything that has arrived, at least one outcome, so that what became due together runs together."""
        first = await self._outcomes.get()
        if isinstance(first, Generated | Mutated):
            await self._gathered()
        self._apply(first)
        while not self._outcomes.empty():
            self._apply(self._outcomes.get_nowait())

    async def _gathered(self) -> None:
        """Waits while results keep coming, beside the one that is there already, until all have."""
        had, awaited = 0, self._decoding + sum(state.instruction is None for state in self.evolution.population)
        while had < (have := 1 + self._outcomes.qsize()) < awaited:
            had = have
            await asyncio.sleep(_TOGETHER_S)

    def _apply(self, outcome: Outcome) -> None:
        self._scoring -= isinstance(outcome, Scored)
        self._decoding -= isinstance(outcome, Generated)
        self.evolution, events = machine.apply(self.evolution, outcome)
        self.journal.outcomes.append(outcome)
        self.events += events


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
