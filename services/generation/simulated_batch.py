"""How long continuous batching takes: a model of an engine's clock, for studies of scale."""

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from services.generation.engine import PROGRESS_TOKENS
from shared.process.settings import SettingsError


@dataclass(frozen=True)
class Latency:
    """How long an engine's steps take, in seconds.

    A step gives each of b running sequences a token and takes `step_s` + `sequence_s` · b. Each token of a prompt that
    is not cached holds all of them up for `prefill_s`.
    """

    step_s: float
    sequence_s: float = 0.0
    prefill_s: float = 0.0

    def of_step(self, batch: int) -> float:
        return self.step_s + self.sequence_s * batch

    def stretched(self, factor: float) -> "Latency":
        """The same engine, so many times as slow."""
        return Latency(self.step_s * factor, self.sequence_s * factor, self.prefill_s * factor)


# A sum of seconds may be off by this part of a step.
_ROUNDING = 1e-6
# vLLM with SmolLM2-135M in bfloat16 on 2 cores, as `python -m bench.latency` fitted it: 1 to 64 sequences, prompts of 8
# to 192 words, a mean error of 3.3 %.
CPU = Latency(0.0391, 0.00345, 0.00299)


def latency_named(text: str) -> Latency:
    """The latency named "cpu", or that of the three numbers, joined by commas, that `bench.latency` prints.

    Raises:
        SettingsError: it is neither.
    """
    if text == "cpu":
        return CPU
    try:
        step_s, sequence_s, prefill_s = (float(number) for number in text.split(","))
    except ValueError:
        step_s = sequence_s = prefill_s = -1.0
    if not (step_s > 0 and min(sequence_s, prefill_s) >= 0 and math.isfinite(step_s + sequence_s + prefill_s)):
        raise SettingsError(
            "DARWIN_GENERATION_SIMULATED_LATENCY must be cpu, or three numbers of seconds: 0.03,0.002,0.0004"
        )
    return Latency(step_s, sequence_s, prefill_s)


@dataclass(frozen=True)
class Waited:
    """Seconds from a sequence's arrival to its admission, and to its first token."""

    queue_s: float
    first_token_s: float


@dataclass(eq=False)
class _Sequence:
    """A sequence that needs `steps` steps once it runs; it ends with the step numbered `last`. `mark` is called with
    the number of its steps after the first one and every `PROGRESS_TOKENS` from there, but not after the last."""

    steps: int
    prefill_tokens: int
    arrived: float
    done: "asyncio.Future[None]"
    mark: Callable[[int], None] | None = None
    last: int = 0
    waited: Waited | None = None


class Batch:
    """Runs at most `max_running` sequences at once; the others wait, first come, first served.

    Its clock moves at arrivals, marks and ends only, whatever the number of steps between them. A sequence joins at the
    next step.
    """

    def __init__(self, latency: Latency, max_running: float = math.inf) -> None:
        self._latency = latency
        self._max_running = max_running
        self._waiting: deque[_Sequence] = deque()
        self._running: set[_Sequence] = set()
        self._ends: list[tuple[int, int, _Sequence]] = []  # a heap; what is in it and does not run was cancelled
        self._numbers = count()
        self._clock = 0.0  # when this was true: so many steps were taken, and prefill holds the next up
        self._steps = 0.0
        self._prefill_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def run(self, steps: int, prefill_tokens: int, mark: Callable[[int], None] | None = None) -> Waited:
        """Waits as long as the engine would take; cancelling frees the place at once."""
        loop = asyncio.get_running_loop()
        sequence = _Sequence(steps, prefill_tokens, loop.time(), loop.create_future(), mark)
        self._waiting.append(sequence)
        self._move(loop)
        try:
            await sequence.done
        except asyncio.CancelledError:
            self._forget(sequence)
            self._move(loop)
            raise
        assert sequence.waited is not None
        return sequence.waited

    def _forget(self, sequence: _Sequence) -> None:
        self._running.discard(sequence)
        if sequence in self._waiting:
            self._waiting.remove(sequence)

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        """Brings the clock to now, ends what has ended, admits what fits, and sets the timer for the next end."""
        self._pass(loop.time())
        while self._ends and (self._ends[0][2] not in self._running or self._ends[0][0] <= self._steps + _ROUNDING):
            step, _, sequence = heapq.heappop(self._ends)
            if sequence in self._running and step < sequence.last and sequence.mark is not None:
                sequence.mark(step - sequence.last + sequence.steps)
            elif sequence in self._running:
                self._running.remove(sequence)
                if not sequence.done.cancelled():
                    sequence.done.set_result(None)
        while self._waiting and len(self._running) < self._max_running:
            self._admit(self._waiting.popleft())
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._ends:
            left_s = self._prefill_s + (self._ends[0][0] - self._steps) * self._step_s
            self._timer = loop.call_at(self._clock + left_s, self._move, loop)

    def _pass(self, now: float) -> None:
        passed, self._clock = now - self._clock, now
        computing = min(passed, self._prefill_s)
        self._prefill_s -= computing
        if self._running:
            self._steps += (passed - computing) / self._step_s

    def _admit(self, sequence: _Sequence) -> None:
        self._prefill_s += sequence.prefill_tokens * self._latency.prefill_s
        self._running.add(sequence)
        first = math.ceil(self._steps - _ROUNDING) + 1
        sequence.last = first + sequence.steps - 1
        heapq.heappush(self._ends, (sequence.last, next(self._numbers), sequence))
        if sequence.mark is not None:
            for step in range(first, sequence.last, PROGRESS_TOKENS):
                heapq.heappush(self._ends, (step, next(self._numbers), sequence))
        queued_s = self._clock - sequence.arrived
        sequence.waited = Waited(queued_s, queued_s + self._prefill_s + (first - self._steps) * self._step_s)

    @property
    def _step_s(self) -> float:
        return self._latency.of_step(len(self._running))
