"""The execution of a round: calls to the stages for everything that the core can do now, up to its next checkpoint."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass, replace
from typing import cast

from services.orchestrator.core import machine
from services.orchestrator.core.values import (
    Effect,
    EvolutionState,
    Generate,
    Generated,
    Mutate,
    Mutated,
    Outcome,
    Score,
    Scored,
    ScoredTogether,
    ScoreTogether,
    Stopped,
)
from services.orchestrator.journal import Journal
from services.orchestrator.ports import Generator, Mutator, Scorer
from services.orchestrator.stage_calls import Retries, StageLimits, stage_limits
from services.orchestrator.works import Work, ends, work_of
from shared.errors import DarwinError, Internal
from shared.records.attempts import Stage
from shared.records.events import Event
from shared.records.evolution import EvolutionRequest, StoppedBy, TraceContext
from shared.records.spending import Spending
from shared.telemetry import tracing

log = logging.getLogger(__name__)

# An engine returns the results of one step one after another. Waiting this long between two of them lets one call score
# them all.
_GATHER_S = 0.005
# A call ends so long after the deadline, by which time the round has been cut short, with what the call has brought.
_AFTER_DEADLINE_S = 1.0


@dataclass(frozen=True)
class _Due:
    """Work that a call has not delivered is to be done by another call."""

    works: frozenset[Work]


class RoundExecution:
    """One attempt at the work between two checkpoints.

    `before` is the evolution as the execution began, at `began_at` (Unix seconds), or as it was when it was last cut.
    `evolution`, `events` and `journal` hold everything that has happened since, at every moment. So an execution that
    is cut short can be concluded from there, or saved for another worker to go on with.

    A call that fails is made again while the others go on, for what it has not delivered; `stage_calls.Retries` says
    how often. What a full stage refuses is asked for again until the execution is cut short.
    """

    def __init__(
        self,
        evolution: EvolutionState,
        events: tuple[Event, ...],
        request: EvolutionRequest,
        mutator: Mutator,
        generator: Generator,
        scorer: Scorer,
        timeout_s: float,
        trace: TraceContext | None = None,
        limits: StageLimits | None = None,
        deadline: float | None = None,
    ) -> None:
        """`events` are those that led to `evolution` and are not saved yet; `timeout_s` bounds each call, once it has
        its place under `limits`, which the rounds of a worker share. So does `deadline`, in Unix seconds: no stage
        waits for what comes too late.
        """
        self.before = evolution
        self.evolution = evolution
        self.events = events
        self.journal = Journal()
        self.began_at = self.journal.started_at
        self.cycle = evolution.cycle
        self.round = evolution.round
        self._spent_before = _spending(evolution)
        self._request = request
        self._mutator = mutator
        self._generator = generator
        self._scorer = scorer
        self._timeout_s = timeout_s
        self._deadline = deadline
        self._trace = trace
        self._limits = limits or stage_limits()
        self._retries: Retries[Work] = Retries()
        self._outcomes: asyncio.Queue[Outcome | _Due] = asyncio.Queue()
        self._under_way: set[Work] = set()
        self._arrived = 0
        self._cut_wanted: asyncio.Future[RoundExecution | None] | None = None

    @property
    def spent(self) -> Spending:
        """What this execution has spent so far."""
        return _spending(self.evolution) - self._spent_before

    @property
    def decoding(self) -> int:
        """Responses that an engine is continuing now."""
        return self._count_under_way("generation")

    @property
    def full_for_s(self) -> float | None:
        """Seconds after which a stage wants to be asked again that was full when it was last asked, and said so."""
        return self._retries.full_for_s

    async def run(self) -> None:
        """Calls the stages until the checkpoint; the first error of a call after which it is not made again cancels the
        other calls and is raised. Whatever ends it, all that the calls have brought by then is applied.
        """
        checkpoint = self.evolution.checkpoint
        try:
            async with asyncio.TaskGroup() as calls:
                while self._goes_on_from(checkpoint):
                    for stage, effects in self._start_due().items():
                        calls.create_task(self._call(stage, effects))
                    await self._apply_arrived()
                    if self._goes_on_from(checkpoint):
                        self._answer_cut(self._cut_now)
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            while self._goes_on_from(checkpoint) and not self._outcomes.empty():
                self._take(self._outcomes.get_nowait())
            self._answer_cut(lambda: None)

    def _goes_on_from(self, checkpoint: int) -> bool:
        return self.evolution.checkpoint == checkpoint and not self.evolution.finished

    async def cut(self) -> "RoundExecution | None":
        """What has happened so far, to be saved, as an execution that is not run any more. This one goes on, and holds
        what happens from now on. None where it has come to its end first.

        Calls are told up to where their outcomes are applied, so that what they brought is what is charged.
        """
        if not self._arrived:
            return self._cut_now()
        self._cut_wanted = asyncio.get_running_loop().create_future()
        return await self._cut_wanted

    def _answer_cut(self, made: Callable[[], "RoundExecution | None"]) -> None:
        if self._cut_wanted is not None and not self._cut_wanted.done():
            self._cut_wanted.set_result(made())

    def _cut_now(self) -> "RoundExecution":
        so_far = copy(self)
        so_far.journal = self.journal.cut()
        self.before, self.events, self._spent_before = self.evolution, (), _spending(self.evolution)
        return so_far

    def stop(self, reason: StoppedBy) -> None:
        """Ends the search here, with the best response so far as its answer."""
        if not self.evolution.finished:
            self._apply(Stopped(reason))

    def _start_due(self) -> dict[Stage, list[Effect]]:
        """The effects to begin now, by stage; they count as under way from here on.

        While a scoring is under way no other begins: what becomes due meanwhile goes into the next call together.
        """
        scoring = self._count_under_way("reward") > 0
        due: dict[Stage, list[Effect]] = {"mutation": [], "generation": [], "reward": []}
        decoding = {state for stage, state in self._under_way if stage == "generation" and state is not None}
        for effect in machine.next_effects(self.evolution, decoding):
            stage, _ = work = work_of(effect)
            if work not in self._under_way and not (stage == "reward" and scoring):
                due[stage].append(effect)
        self._under_way.update(work_of(effect) for effects in due.values() for effect in effects)
        return {stage: effects for stage, effects in due.items() if effects}

    async def _call(self, stage: Stage, effects: Sequence[Effect]) -> None:
        """Calls a stage, and where the call fails, has what it did not deliver be begun again after a while."""
        missing = {work_of(effect) for effect in effects}
        try:
            async with self._limits[stage].place():
                await self._deliver(stage, effects, missing)
        except DarwinError as error:
            if not missing:
                return
            delay_s = self._retries.delay_after(stage, error, missing)
            if delay_s is None:
                raise
            log.info("%s: %s, %d open, tried again in %.1f s", stage, error.message, len(missing), delay_s)
            await asyncio.sleep(delay_s)
            self._outcomes.put_nowait(_Due(frozenset(missing)))

    async def _deliver(self, stage: Stage, effects: Sequence[Effect], missing: set[Work]) -> None:
        """Makes one call, notes it in the journal, and queues its outcomes as they come; takes the work that they end
        out of `missing`.
        """
        journal, works = self.journal, frozenset(missing)
        with (
            journal.call(stage, effects, self.cycle, self.round) as call,
            tracing.use_context(replace(self._trace, span_id=call.span_id) if self._trace else None),
        ):
            async with aclosing(self._outcomes_of(effects)) as outcomes:  # type: ignore[type-var]
                async for outcome in outcomes:
                    call.note(outcome, journal.now())
                    self._arrived += 1
                    self._outcomes.put_nowait(outcome)
                    if ends(outcome) or not isinstance(outcome, Generated) or outcome.token_ids:
                        self._retries.delivered(works)
                    if ends(outcome):
                        missing.discard(work_of(outcome))

    def _outcomes_of(self, effects: Sequence[Effect]) -> AsyncIterator[Outcome]:
        timeout_s = self._timeout_s
        if self._deadline is not None:
            timeout_s = min(timeout_s, max(0.0, self._deadline - time.time()) + _AFTER_DEADLINE_S)
        match effects[0]:
            case Mutate() as effect:
                return self._mutator.mutate(effect, self._request, timeout_s)
            case Generate():
                return self._generator.generate(cast(Sequence[Generate], effects), self._request, timeout_s)
            case ScoreTogether() as effect:
                return _together(effect, self._scorer.score(effect.scores, self._request, timeout_s))
            case _:
                return self._scorer.score(cast(Sequence[Score], effects), self._request, timeout_s)

    async def _apply_arrived(self) -> None:
        """Waits for an outcome and applies all that have arrived, so that what they make due is begun together."""
        first = await self._outcomes.get()
        try:
            if isinstance(first, Mutated) or (isinstance(first, Generated) and not first.partial):
                await self._gather()
        finally:
            self._take(first)
        while not self._outcomes.empty():
            self._take(self._outcomes.get_nowait())

    async def _gather(self) -> None:
        """Waits for more outcomes to arrive beside a first one: until a pause brings none, or none is missing."""
        awaited = self.decoding + sum(state.instruction is None for state in self.evolution.population)
        before = 0
        while before < (arrived := 1 + self._outcomes.qsize()) < awaited:
            before = arrived
            await asyncio.sleep(_GATHER_S)

    def _take(self, arrived: Outcome | _Due) -> None:
        if isinstance(arrived, _Due):
            self._under_way -= arrived.works
        else:
            self._arrived -= 1
            self._apply(arrived)

    def _apply(self, outcome: Outcome) -> None:
        if ends(outcome):
            self._under_way.discard(work_of(outcome))
        self.evolution, events = machine.apply(self.evolution, outcome)
        self.journal.applied(outcome)
        self.events += events

    def _count_under_way(self, stage: Stage) -> int:
        return sum(at == stage for at, _ in self._under_way)


async def _together(effect: ScoreTogether, scored: AsyncIterator[Scored]) -> AsyncIterator[ScoredTogether]:
    """All scores of a call as one outcome, so that none counts without the others."""
    found: dict[tuple[int, int], Scored] = {}
    async with aclosing(scored):  # type: ignore[type-var]
        async for score in scored:
            found[score.cycle, score.state] = score
    asked = [(each.cycle, each.state) for each in effect.scores]
    if missing := [where for where in asked if where not in found]:
        raise Internal(f"{len(missing)} of {len(asked)} responses that were to be scored together got no score")
    yield ScoredTogether(effect.cycle, effect.round, tuple(found[where] for where in asked))


def _spending(evolution: EvolutionState) -> Spending:
    spent = evolution.spent
    return Spending(spent.prompt, spent.mutation, spent.decode, spent.reward)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
