"""Searches whose rewards compare responses: what is compared is always a whole population, and the answer's is one."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.orchestrator.adapters.packing import NOTHING_WRITTEN, pack
from services.orchestrator.adapters.unpacking import unpack
from services.orchestrator.core import answers, machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.scoring import Score, Scored, ScoredTogether, ScoreTogether
from services.orchestrator.core.values import BASE, Config, EvolutionState, Outcome, Stopped, UnexpectedOutcome
from services.orchestrator.credit.gains import cycle_gains
from services.orchestrator.round import RoundExecution
from services.reward.settings import RewardSettings
from shared.errors import DarwinError, Internal, InvalidRequest, Unavailable, Unsupported
from shared.records.events import (
    BaseScored,
    CycleFinished,
    CycleStarted,
    MutantAccepted,
    PopulationScored,
    Replacement,
    RoundFinished,
)
from shared.records.evolution import EvolutionRequest, Message, Sampling, SavedState
from shared.records.relative import check_relative, unpriced
from shared.records.search import Search
from shared.records.settling import unsettled
from tests.unit import in_process
from tests.unit.orchestrator.strategies import INSTRUCTION, World, any_configs, survived

seeds = st.integers(0, 2**32)
REQUEST = EvolutionRequest(
    "darwin",
    (Message("user", INSTRUCTION),),
    Sampling(24),
    Search(mutants=3, cycles=2, survivors=1, period=6),
    seed=7,
    relative_rewards=True,
)
# After the round, one call is left for three responses.
FEW_CALLS = Config(
    cycles=1,
    mutants=2,
    period=1,
    survivors=1,
    mutate=False,
    replace=False,
    max_tokens=1,
    max_reward_calls=3,
    relative=True,
)


@st.composite
def relative_configs(draw: st.DrawFn) -> Config:
    config = replace(draw(any_configs()), relative=True, token_price=None)
    calls = draw(st.one_of(st.none(), st.integers(1, 40)))
    return replace(config, max_reward_calls=calls if config.max_reward_calls else None)


def whole_population(evolution: EvolutionState) -> list[tuple[int, int]]:
    """Who is to be compared: all states that have an answer; in the end the base and all earlier answers, too."""
    where = [(evolution.cycle, i) for i, state in enumerate(evolution.population) if not state.dropped]
    if not evolution.population:
        return [(evolution.cycle, BASE)]
    if not evolution.scoring_finals:
        return where
    earlier = [(each.cycle, each.state) for each in evolution.finals if each.cycle < evolution.cycle]
    return [(evolution.cycle, BASE), *where, *[each for each in earlier if each[1] != BASE]]


@settings(max_examples=25)
@given(relative_configs(), seeds, seeds)
def test_every_response_is_compared_with_its_whole_population(config: Config, seed: int, order: int) -> None:
    for evolution in World(seed).run(config, random.Random(order)):
        effects = machine.next_effects(evolution)
        assert not any(isinstance(effect, Score) for effect in effects)
        for effect in effects:
            if isinstance(effect, ScoreTogether):
                assert len(effects) == 1, "nothing decodes meanwhile"
                compared = [(each.cycle, each.state) for each in effect.scores]
                # Where the budget has too few calls for the first population, the search ends with those it has.
                whole = set(whole_population(evolution))
                without_base = whole - {(evolution.cycle, BASE)}
                assert set(compared) in (whole, without_base) or (evolution.ending and evolution.cycle <= 1)
                assert len(set(compared)) == len(compared)


@settings(max_examples=25)
@given(relative_configs(), seeds)
@example(FEW_CALLS, 0)
def test_the_rewards_of_the_answers_are_those_of_one_comparison(config: Config, seed: int) -> None:
    world = World(seed)
    last = world.run(config)[-1]
    known = {each.reward for each in last.finals if each.reward is not None}
    told = [event for event in world.events if isinstance(event, PopulationScored)]
    # Who took another's response, and was cut then, has the reward of that.
    assert not known or any(known <= set(event.rewards) for event in told)
    assert last.spent.reward_calls == sum(len(event.rewards) for event in told)
    if config.max_reward_calls is not None:
        assert last.spent.reward_calls <= config.max_reward_calls


@settings(max_examples=25)
@given(relative_configs(), seeds, st.integers(0, 200))
def test_stopping_anywhere_never_mixes_comparisons(config: Config, seed: int, at: int) -> None:
    world = World(seed)
    seen = [evolution for evolution in world.run(config) if not evolution.finished]
    evolution = seen[min(at, len(seen) - 1)]
    stopped, _ = machine.apply(evolution, Stopped("deadline_ms"))
    if evolution.cycle > 1:
        assert {each.cycle for each in stopped.finals} <= set(range(evolution.cycle))
        assert answers.choices(stopped, 1)
    if any(state.response.text for _, state in evolution.states()):
        assert answers.choices(stopped, 1)


@settings(max_examples=25)
@given(relative_configs(), seeds)
def test_the_archive_has_the_rewards_of_the_last_comparison(config: Config, seed: int) -> None:
    for evolution in World(seed).run(config):
        if evolution.cycle > 1 or (evolution.finished and evolution.stopped_by is None and evolution.cycle):
            rewards: dict[str, set[float | None]] = {}
            for each in evolution.finals:
                rewards.setdefault(each.instruction, set()).add(each.reward)
            # The base response may have been cut, and is no answer then.
            kept = [entry for entry in evolution.archive if entry.instruction in rewards]
            assert all(entry.reward in rewards[entry.instruction] for entry in kept)
            assert len(kept) >= len(evolution.archive) - 1


@settings(max_examples=30)
@given(relative_configs(), seeds, seeds)
def test_interruption_anywhere_changes_nothing(config: Config, seed: int, order: int) -> None:
    """As where each outcome is applied by another worker, which knows what is written."""
    rng, world, straight = random.Random(order), World(seed), World(seed).run(config)[-1]
    evolution, _ = machine.begin(config, INSTRUCTION, seed)
    written, parts = NOTHING_WRITTEN, tuple[str, ...]()
    while not evolution.finished:
        for outcome in world.perform(machine.next_effects(evolution)[0]):
            evolution, _ = machine.apply(evolution, survived(outcome))
        if rng.random() < 0.5:
            saved, written = pack(evolution, written)
            parts += saved.parts
            evolution, written = unpack(SavedState(saved.head, parts))
    assert [(each.cycle, each.state, each.reward) for each in evolution.finals] == [
        (each.cycle, each.state, each.reward) for each in straight.finals
    ]
    assert evolution.archive == straight.archive
    assert evolution.spent == straight.spent


def up_to_comparison(**changes: object) -> tuple[EvolutionState, ScoreTogether]:
    config = replace(config_for(REQUEST), **changes)  # type: ignore[arg-type]
    evolution, _ = machine.begin(config, INSTRUCTION, 7)
    world = World(5, end_probability=0.0)
    while not isinstance(effect := machine.next_effects(evolution)[0], ScoreTogether):
        for outcome in world.perform(effect):
            evolution, _ = machine.apply(evolution, outcome)
    return evolution, effect


def test_a_partial_doubled_or_single_score_is_refused_and_loses_nothing() -> None:
    evolution, effect = up_to_comparison()
    (whole,) = World(5).perform(effect)
    assert isinstance(whole, ScoredTogether)
    assert len(whole.scores) == 3
    wrong: list[Outcome] = [replace(whole, scores=whole.scores[1:]), whole.scores[0], replace(whole, round=2)]
    for outcome in wrong:
        with pytest.raises(UnexpectedOutcome):
            machine.apply(evolution, outcome)
    after, events = machine.apply(evolution, whole)
    assert [type(event) for event in events] == [PopulationScored, RoundFinished]
    with pytest.raises(UnexpectedOutcome):
        machine.apply(after, whole)


def test_a_population_of_one_is_compared_with_the_base_response_in_the_end() -> None:
    config = replace(config_for(replace(REQUEST, method="best-of-n")), mutants=1, cycles=1, survivors=1)
    world = World(3)
    last = world.run(config)[-1]
    told = [event for event in world.events if isinstance(event, PopulationScored)]
    assert [event.responses for event in told] == [((1, 0),), ((1, BASE), (1, 0))]
    assert {each.reward for each in last.finals} == set(told[-1].rewards)
    alone = World(3).run(config_for(replace(REQUEST, method="sample")))[-1]
    assert [each.state for each in alone.finals] == [BASE]


class Stages:
    """A reward that fails after so many scores, which nobody may count."""

    def __init__(self, failures: list[tuple[int, DarwinError]]) -> None:
        self.world, self.failures = World(5, end_probability=0.1), failures
        self.asked: list[tuple[Score, ...]] = []

    async def mutate(self, effect, request, timeout_s):  # type: ignore[no-untyped-def]
        for outcome in self.world.perform(effect):
            yield outcome

    async def generate(self, effects, request, timeout_s):  # type: ignore[no-untyped-def]
        for effect in effects:
            for outcome in self.world.perform(effect):
                yield outcome

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        self.asked.append(tuple(effects))
        count, error = self.failures.pop(0) if self.failures else (len(effects), None)
        for effect in effects[:count]:
            yield Scored(effect.cycle, effect.round, effect.state, float(len(self.asked)), computed_tokens=1)
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [Unavailable("restarted"), Internal("one is missing")])
async def test_a_call_that_fails_half_way_is_made_again_for_all(
    error: DarwinError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.orchestrator.round.asyncio.sleep", lambda seconds: asyncio.tasks.sleep(0))
    stages = Stages([(2, error)])
    evolution, events = machine.begin(config_for(REQUEST), INSTRUCTION, 7)
    execution = RoundExecution(evolution, events, REQUEST, stages, stages, stages, 60.0)  # type: ignore[arg-type]
    await execution.run()
    first, again = stages.asked
    assert first == again
    assert len(first) == 3
    assert execution.evolution.spent.reward_calls == execution.evolution.spent.reward == 3
    assert {state.reward for state in execution.evolution.population} == {2.0}
    rewards = [call for call in execution.journal.calls if call.stage == "reward"]
    assert [(len(call.parts), call.tokens) for call in rewards] == [(0, 0), (3, 3)]


async def test_scores_that_are_missing_are_told_as_such() -> None:
    stages = Stages([(2, Internal("x")), (2, None)])  # type: ignore[list-item]
    evolution, events = machine.begin(config_for(replace(REQUEST, method="best-of-n")), INSTRUCTION, 7)
    execution = RoundExecution(evolution, events, REQUEST, stages, stages, stages, 60.0)  # type: ignore[arg-type]
    with pytest.raises(Internal, match="1 of 3 responses"):
        await execution.run()
    assert execution.evolution.spent.reward_calls == 0


def test_what_such_a_search_has_not_is_told_or_refused() -> None:
    priced = replace(REQUEST, search=replace(REQUEST.search, token_price=1.0, stream_settled=True))
    assert "token_price" in unpriced(priced)
    assert "compare" in unsettled(priced)
    config = config_for(priced)
    assert (config.relative, config.token_price, config.stream_settled) == (True, None, False)
    plain = replace(priced, relative_rewards=False)
    assert (unpriced(plain), config_for(plain).token_price, config_for(plain).relative) == ("", 1.0, False)
    many = replace(REQUEST, search=replace(REQUEST.search, mutants=64, cycles=4))
    with pytest.raises(InvalidRequest, match="257") as caught:
        check_relative(many)
    assert caught.value.field == "darwin.cycles"
    for fits in (replace(many, relative_rewards=False), replace(many, method="sample"), REQUEST):
        check_relative(fits)


async def test_the_reward_service_compares_what_the_search_asks_for_together(tmp_path: Path) -> None:
    rate = "{name: rate, type: simulated, weight: 1, transform: win_rate, beta: 0.2}"
    (tmp_path / "fair.yaml").write_text(f"components: [{rate}]")
    request = replace(REQUEST, profile="fair", n=3)
    async with in_process.stages(reward=RewardSettings(profiles="fair", profiles_dir=tmp_path)) as found:
        evolution = await found.searched(request)
        with pytest.raises(Unsupported, match="compares the responses"):
            await found.searched(replace(request, relative_rewards=False))
    rewards = [each.reward for each in evolution.finals]
    assert len(rewards) == 1 + 2 * 3
    assert all(reward is not None and 0 < reward < 1 for reward in rewards)
    assert answers.choices(evolution, 1)[0].reward == max(reward for reward in rewards if reward is not None)


def round_of(cycle: int, text: str) -> RoundFinished:
    return RoundFinished(cycle, 1, (text,), (0.0,), (0,), tuple[Replacement, ...](), (True,), 1)


def test_gains_are_those_within_one_comparison() -> None:
    """The mutant of the first cycle is worth 1 there, and 0.5 once that of the second is known."""
    events = (
        CycleStarted(1, INSTRUCTION),
        MutantAccepted(1, 0, "one", "clarify", "model"),
        round_of(1, "a"),
        BaseScored("b", 0.0, 1),
        PopulationScored(1, 1, True, ((1, BASE), (1, 0)), (0.0, 1.0)),
        CycleFinished(1, (1.0,), (), (), 1.0),
        CycleStarted(2, "one"),
        MutantAccepted(2, 0, "two", "clarify", "model"),
        round_of(2, "c"),
        PopulationScored(2, 1, True, ((2, BASE), (2, 0), (1, 0)), (0.0, 1.0, 0.5)),
        CycleFinished(2, (1.0,), (), (), 1.0),
    )
    assert [each.gains[0].reward for each in cycle_gains(events)] == [1.0, 0.5]
