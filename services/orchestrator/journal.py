"""What one attempt at a round did: every call with its times, and every outcome in the order the core applied them."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy

from services.orchestrator.core.frozen import changed
from services.orchestrator.core.values import (
    Effect,
    Generated,
    Mutated,
    MutationEnded,
    Outcome,
    Score,
    Scored,
    ScoredTogether,
    ScoreTogether,
)
from shared.errors import Cancelled, DarwinError, Internal, Overloaded
from shared.records.attempts import Call, Stage, StatePart
from shared.records.evolution import Seconds


class OpenCall:
    """A call under way, with what came of it since it began, or was last cut."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._parts: list[StatePart] = []
        self._partial: dict[int, StatePart] = {}
        self._tokens = 0
        self._mutants = 0
        self._cut = False
        self.span_id = call.span_id

    def note(self, outcome: Outcome, now: float) -> None:
        """Adds an outcome of the call, which came at `now`."""
        match outcome:
            case Mutated():
                self._tokens += outcome.generated_tokens
                self._parts.append(StatePart(self._mutants, now))
                self._mutants += 1
            case MutationEnded():
                self._tokens += outcome.generated_tokens
            case Generated():
                self._tokens += outcome.generated_tokens
                earlier = self._partial.pop(outcome.state, None)
                part = StatePart(
                    outcome.state,
                    now,
                    tokens=outcome.generated_tokens + (earlier.tokens if earlier else 0),
                    prompt_tokens=outcome.prompt_tokens,
                    cached_tokens=outcome.cached_tokens,
                    queued_s=outcome.queued_seconds,
                    finish=None if outcome.partial else outcome.finish,
                    served_by=outcome.served_by,
                )
                if outcome.partial:
                    self._partial[outcome.state] = part
                else:
                    self._parts.append(part)
            case Scored():
                self._tokens += outcome.computed_tokens
                self._parts.append(StatePart(outcome.state, now, reward=outcome.reward))
            case ScoredTogether():
                self._tokens += sum(each.computed_tokens for each in outcome.scores)
                of_cycle = [each for each in outcome.scores if each.cycle == outcome.cycle]
                self._parts += [StatePart(each.state, now, reward=each.reward) for each in of_cycle]

    @property
    def known(self) -> bool:
        """Whether anything came of the call, or a piece of it is kept already."""
        return bool(self._parts or self._tokens or self._cut)

    def closed(self, now: float, error: str | None) -> Call:
        """The whole call, or its last piece, which ended at `now`, with the name of the error that ended it. The parts
        of those states whose pieces it has cut have no finish."""
        parts = (*self._parts, *self._partial.values())
        return changed(self._call, ended_at=now, parts=parts, tokens=self._tokens, error=error)

    def cut(self, now: float) -> Call:
        """The call up to `now`, with what came of it so far; what comes from now on is of its next piece."""
        piece = changed(self.closed(now, None), goes_on=True)
        self._call, self._cut = changed(self._call, started_at=now), True
        self._parts, self._partial, self._tokens = [], {}, 0
        return piece


class Journal:
    """What happened so far in one attempt at a round. Times are Unix seconds that never run backwards."""

    def __init__(self) -> None:
        self._epoch = time.time() - time.perf_counter()
        self.started_at = self.now()
        self.calls: list[Call] = []
        self.outcomes: list[Outcome] = []
        self._open: list[OpenCall] = []

    def now(self) -> float:
        return self._epoch + time.perf_counter()

    def cut(self) -> "Journal":
        """What happened so far, as a journal of its own, with calls under way as far as they are. This one begins anew,
        with what comes of them from now on.
        """
        so_far, now = copy(self), self.now()
        so_far.calls = [*self.calls, *(opened.cut(now) for opened in self._open)]
        self.started_at, self.calls, self.outcomes = now, [], []
        return so_far

    def applied(self, outcome: Outcome) -> None:
        """Notes an outcome that the core was given, together with partial ones of the same piece before it."""
        if isinstance(outcome, Generated):
            for index, earlier in enumerate(self.outcomes):
                if isinstance(earlier, Generated) and earlier.partial and _where(earlier) == _where(outcome):
                    outcome = _together(earlier, outcome)
                    del self.outcomes[index]
                    break
        self.outcomes.append(outcome)

    @contextmanager
    def call(self, stage: Stage, effects: Sequence[Effect], cycle: int, round: int) -> Iterator[OpenCall]:
        """Records a call to a stage that lasts as long as the context, and is added to `calls` however it ends, unless
        a full stage refused it: there is no bound to how often one is asked.
        """
        now = self.now()
        final = any(isinstance(effect, Score | ScoreTogether) and effect.final for effect in effects)
        opened = OpenCall(Call(stage, f"{random.getrandbits(64) or 1:016x}", cycle, round, now, now, final=final))
        error: str | None = Cancelled.__name__
        self._open.append(opened)
        try:
            yield opened
            error = None
        except Exception as failure:
            error = type(failure).__name__ if isinstance(failure, DarwinError) else Internal.__name__
            raise
        finally:
            self._open.remove(opened)
            if error != Overloaded.__name__ or opened.known:
                self.calls.append(opened.closed(self.now(), error))

    def added_to(self, seconds: Seconds) -> Seconds:
        """`seconds`, increased for each stage by the time during which at least one call to it was under way, to the
        microsecond.
        """
        return changed(
            seconds,
            mutation=round(seconds.mutation + self._busy("mutation"), 6),
            generation=round(seconds.generation + self._busy("generation"), 6),
            reward=round(seconds.reward + self._busy("reward"), 6),
        )

    def _busy(self, stage: Stage) -> float:
        total, until = 0.0, 0.0
        for call in sorted((call for call in self.calls if call.stage == stage), key=lambda call: call.started_at):
            total += max(0.0, call.ended_at - max(until, call.started_at))
            until = max(until, call.ended_at)
        return total


def _where(outcome: Generated) -> tuple[int, int, int]:
    return outcome.cycle, outcome.round, outcome.state


def _together(earlier: Generated, later: Generated) -> Generated:
    """Two outcomes of a piece, the earlier of which is partial, as one: the core decides nothing between them."""
    return changed(
        later,
        token_ids=earlier.token_ids + later.token_ids,
        generated_tokens=earlier.generated_tokens + later.generated_tokens,
        cached_tokens=earlier.cached_tokens + later.cached_tokens,
        logprobs=earlier.logprobs + later.logprobs,
        certainty=earlier.certainty + later.certainty,
    )
