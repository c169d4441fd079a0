"""What becomes of a round when a call of it fails: the others go on, and only what is missing is asked for again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest

from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import (
    Effect,
    Generate,
    Generated,
    Mutate,
    Mutated,
    MutationEnded,
    Outcome,
    Score,
    Scored,
)
from services.orchestrator.round import RoundExecution
from services.orchestrator.stage_calls import StageLimits, stage_limits
from shared.errors import Cancelled, DarwinError, DeadlineExceeded, Internal, InvalidRequest, Overloaded, Unavailable
from shared.methods import Method
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from tests.unit.orchestrator import virtual_time
from tests.unit.orchestrator.strategies import INSTRUCTION, World

METHODS: tuple[Method, ...] = ("sample", "best-of-n", "darwin")
BLIPS = (Unavailable("restarted"), Cancelled("drained"), Internal("odd"), DeadlineExceeded("slow"))


class Stages:
    """All three ports. Each call takes a second; those of `failing[stage]` fail after so many outcomes."""

    def __init__(self, **failing: list[tuple[int, DarwinError]]) -> None:
        self.world = World(5, end_probability=0.05)
        self.failing = failing
        self.asked: dict[str, list[tuple[Effect, ...]]] = {"mutation": [], "generation": [], "reward": []}
        self.cancelled = 0

    async def mutate(
        self, effect: Mutate, request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Mutated | MutationEnded]:
        mutants = [Mutated(effect.cycle, f"mutant {len(effect.exclude) + i}", "clarify") for i in range(effect.count)]
        outcomes = [*mutants[len(effect.exclude) :], MutationEnded(effect.cycle, 3)]
        async for outcome in self._answer("mutation", (effect,), outcomes):
            yield outcome  # type: ignore[misc]

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        outcomes = [outcome for effect in effects for outcome in self.world.perform(effect)]
        async for outcome in self._answer("generation", effects, outcomes):
            yield outcome  # type: ignore[misc]

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        outcomes = [outcome for effect in effects for outcome in self.world.perform(effect)]
        async for outcome in self._answer("reward", effects, outcomes):
            yield outcome  # type: ignore[misc]

    async def text_of(self, token_ids: Sequence[int], timeout_s: float) -> str:
        raise AssertionError

    async def reasoning_marks(self, timeout_s: float) -> tuple[str, str]:
        raise AssertionError

    async def template_variables(self, timeout_s: float) -> frozenset[str]:
        raise AssertionError

    async def _answer(
        self, stage: str, effects: Sequence[Effect], outcomes: Sequence[Outcome]
    ) -> AsyncIterator[Outcome]:
        self.asked[stage].append(tuple(effects))
        failures = self.failing.get(stage)
        count, error = failures.pop(0) if failures else (len(outcomes), None)
        try:
            await asyncio.sleep(1)
            for outcome in outcomes[:count]:
                yield outcome
            if error is not None:
                raise error
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def execution(
    stages: Stages,
    method: Method = "best-of-n",
    limits: StageLimits | None = None,
    mutants: int = 32,
    deadline: float | None = None,
) -> RoundExecution:
    search = Search(mutants=mutants, survivors=2, cycles=0 if method == "sample" else 1)
    request = EvolutionRequest(method, (Message("user", INSTRUCTION),), Sampling(24), search, seed=7)
    evolution, events = machine.begin(config_for(request), INSTRUCTION, 7)
    return RoundExecution(evolution, events, request, stages, stages, stages, 300.0, limits=limits, deadline=deadline)


def asked_for(stages: Stages, stage: str) -> Counter[int]:
    return Counter(effect.state for effects in stages.asked[stage] for effect in effects)  # type: ignore[union-attr]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("error", BLIPS)
@pytest.mark.parametrize("stage", ["mutation", "generation", "reward"])
def test_a_blip_of_a_stage_costs_that_call_only(stage: str, error: DarwinError, method: Method) -> None:
    stages = Stages(**{stage: [(0, error)]})
    round_ = execution(stages, method)
    before = round_.evolution.checkpoint
    virtual_time.run(round_.run())
    assert round_.evolution.checkpoint > before
    assert stages.cancelled == 0
    called = stage != "mutation" or method == "darwin"
    assert [call.error for call in round_.journal.calls if call.error] == [type(error).__name__] * called


def test_sequences_go_on_while_the_reward_is_away() -> None:
    """32 sequences decode, the base response among them ends first, and its scoring is lost on the way."""
    stages = Stages(reward=[(0, Unavailable("restarted"))] * 3)
    round_ = execution(stages)
    virtual_time.run(round_.run())
    assert stages.cancelled == 0
    assert set(asked_for(stages, "generation").values()) == {1}
    assert [call.error for call in round_.journal.calls if call.stage == "reward"].count("Unavailable") == 3
    assert {call.error for call in round_.journal.calls if call.stage == "generation"} == {None}


def test_of_a_broken_stream_only_the_rest_is_asked_for_again() -> None:
    stages = Stages(generation=[(20, Unavailable("gone"))])
    round_ = execution(stages)
    virtual_time.run(round_.run())
    first, second = stages.asked["generation"][:2]
    assert second == first[20:]
    assert set(asked_for(stages, "generation").values()) == {1, 2}


def test_mutants_that_came_before_a_break_are_not_asked_for_again() -> None:
    stages = Stages(mutation=[(5, Unavailable("gone"))])
    round_ = execution(stages, "darwin", mutants=8)
    virtual_time.run(round_.run())
    (first,), (second,) = stages.asked["mutation"]
    assert isinstance(second, Mutate)
    assert second == replace(first, exclude=tuple(f"mutant {i}" for i in range(5)))
    assert len({state.instruction for state in round_.evolution.population}) == 8


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (Unavailable("away"), 6),
        (Cancelled("drained"), 6),
        (Internal("odd"), 2),
        (DeadlineExceeded("slow"), 2),
        (InvalidRequest("wrong", field="messages"), 1),
    ],
)
def test_a_stage_that_stays_away_fails_the_round(error: DarwinError, tries: int) -> None:
    stages = Stages(reward=[(0, error)] * 99)
    round_ = execution(stages)
    with pytest.raises(type(error)) as raised:
        virtual_time.run(round_.run())
    assert raised.value is error
    assert len(stages.asked["reward"]) == tries


def test_failures_are_counted_in_a_row() -> None:
    """A stage that delivers something each time is never given up."""
    stages = Stages(generation=[(1, Unavailable("gone"))] * 20)
    round_ = execution(stages)
    virtual_time.run(round_.run())
    assert len(stages.asked["generation"]) == 21


class StuckStages(Stages):
    """Tells each time that an engine samples something, of which no token can be kept, and is lost then."""

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        self.asked["generation"].append(tuple(effects))
        if len(self.asked["generation"]) > 50:
            raise AssertionError("it is asked for without end")
        for each in effects:
            yield Generated(each.cycle, each.round, each.state, (), "", "", "length", 1, partial=True)
        raise Unavailable("gone")


def test_a_stage_that_delivers_no_token_is_given_up() -> None:
    stages = StuckStages()
    with pytest.raises(Unavailable):
        virtual_time.run(execution(stages).run())
    assert len(stages.asked["generation"]) == 6


@pytest.mark.parametrize("stage", ["mutation", "generation", "reward"])
def test_a_full_stage_is_waited_for_without_end(stage: str) -> None:
    async def main() -> float:
        stages = Stages(**{stage: [(0, Overloaded("full"))] * 500})
        round_ = execution(stages, "darwin", mutants=4)
        await round_.run()
        assert round_.evolution.checkpoint > 0
        assert not stages.failing[stage]
        assert not [call for call in round_.journal.calls if call.error], "500 refusals are not kept"
        return virtual_time.now()

    assert virtual_time.run(main()) > 1800


def test_waiting_for_a_full_stage_can_be_cut_short() -> None:
    async def main() -> None:
        round_ = execution(stages := Stages(generation=[(0, Overloaded("full"))] * 500))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await round_.run()
        assert virtual_time.now() == 60
        round_.stop("deadline_ms")
        assert round_.evolution.finished
        assert 5 < len(stages.asked["generation"]) < 60

    virtual_time.run(main())


def test_a_full_stage_is_asked_again_after_the_time_that_it_names() -> None:
    async def main() -> float:
        full = Overloaded("full")
        full.retry_after_s = 30.0
        await execution(Stages(generation=[(0, full)]), "sample").run()
        return virtual_time.now()

    assert 31 < virtual_time.run(main()) < 35


class FullStages(Stages):
    """Bears so many calls to each stage at once."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.busy: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def _answer(
        self, stage: str, effects: Sequence[Effect], outcomes: Sequence[Outcome]
    ) -> AsyncIterator[Outcome]:
        if self.busy[stage] >= self.capacity:
            self.refused[stage] += 1
            raise Overloaded(f"{self.capacity} calls are served already")
        self.busy[stage] += 1
        try:
            async for outcome in super()._answer(stage, effects, outcomes):
                yield outcome
        finally:
            self.busy[stage] -= 1


async def _all(stages: Stages, limits: Callable[[int], StageLimits], count: int, rounds: int) -> list[float]:
    """When each of `count` evolutions of so many rounds was through."""

    async def one(number: int) -> float:
        for _ in range(rounds):
            await execution(stages, "sample", limits(number)).run()
        return virtual_time.now()

    return await asyncio.gather(*map(one, range(count)))


def test_a_worker_at_twice_what_its_stages_bear_takes_no_more_and_loses_nothing() -> None:
    stages, shared = FullStages(16), stage_limits()
    ends = virtual_time.run(_all(stages, lambda _: shared, 32, rounds=40))
    calls = 32 * 40
    assert stages.refused["generation"] < calls / 20
    # Two calls of a second each, one after the other, 16 at a time: 160 s where generation were never idle.
    assert max(ends) < 160


def test_workers_that_share_a_full_stage_all_come_through() -> None:
    stages, workers = FullStages(16), [stage_limits() for _ in range(4)]
    ends = virtual_time.run(_all(stages, lambda number: workers[number % 4], 64, rounds=10))
    by_worker = [max(ends[first::4]) for first in range(4)]
    assert max(by_worker) < 2 * min(by_worker)


def test_a_place_that_nobody_takes_is_given_to_the_next() -> None:
    async def main() -> None:
        stages, limits = FullStages(1), stage_limits()
        rounds = [asyncio.ensure_future(execution(stages, "sample", limits).run()) for _ in range(8)]
        await asyncio.sleep(2.5)
        for each in rounds[::2]:
            each.cancel()
        await asyncio.wait(rounds)
        assert (any(each.exception() for each in rounds[1::2]), stages.busy["generation"]) == (False, 0)

    virtual_time.run(main())
