"""What the budgets of a search promise, for all methods, settings, outcomes and orders."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.adapters import codec
from services.orchestrator.core import answers, machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import (
    Config,
    EvolutionState,
    Generate,
    Generated,
    Mutate,
    Outcome,
    Score,
    Stopped,
)
from services.orchestrator.journal import Journal
from shared.methods import METHODS, Method
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from tests.unit.orchestrator.strategies import INSTRUCTION, World, any_configs, configs, survived

seeds = st.integers(0, 2**32)


@st.composite
def tight(draw: st.DrawFn) -> Config:
    """Settings with budgets of which searches often come to the end."""
    config = draw(any_configs())
    tokens = draw(st.one_of(st.none(), st.integers(1, 60)))
    return replace(config, max_generated_tokens=tokens, max_reward_calls=draw(st.one_of(st.none(), st.integers(1, 20))))


class Run:
    """A search whose effects are all begun as soon as they are known, and end in a random order, some in pieces."""

    def __init__(self, config: Config, seed: int, order: int) -> None:
        self.rng, self.world = random.Random(order), World(seed)
        self.evolution, _ = machine.begin(config, INSTRUCTION, seed)
        self.begun: dict[tuple[object, ...], list[Outcome]] = {}
        self.scored: dict[int, list[tuple[str, bool]]] = {}
        self.calls = 0
        self.sampled = 0
        self.applied: Callable[[Outcome], None] = lambda outcome: None

    def step(self) -> None:
        """Begins what is due, and applies one outcome."""
        for effect in machine.next_effects(self.evolution):
            where = effect.key[:4] if isinstance(effect, Generate) else effect.key
            if where not in self.begun:
                self.begun[where] = self._performed(effect)  # type: ignore[arg-type]
        where = self.rng.choice(sorted(self.begun, key=str))
        outcome = self.begun[where].pop(0)
        if not self.begun[where]:
            del self.begun[where]
        self.evolution, _ = machine.apply(self.evolution, outcome)
        self.applied(outcome)

    def to_the_end(self) -> EvolutionState:
        """The search once it has ended; fails where it goes on for ever."""
        for _ in range(5_000):
            if self.evolution.finished:
                return self.evolution
            self.step()
        raise AssertionError("the search does not end")

    def _performed(self, effect: Generate | Score | Mutate) -> list[Outcome]:
        outcomes = self.world.perform(effect)
        match effect:
            case Score(state=state, text=text, partial=partial):
                self.calls += 1
                self.scored.setdefault(state, []).append((text, partial))
            case Generate():
                (outcome,) = outcomes
                assert isinstance(outcome, Generated)
                self.sampled += outcome.generated_tokens
                return pieces(outcome, self.rng, effect.max_new_tokens)
            case Mutate():
                self.sampled += outcomes[-1].generated_tokens  # type: ignore[union-attr]
        return outcomes


def pieces(outcome: Generated, rng: random.Random, room: int) -> list[Outcome]:
    """The outcome of a piece, with partial ones before it or none."""
    if len(outcome.token_ids) < 2 or rng.random() < 0.5:
        return [outcome]
    at = rng.randint(1, min(len(outcome.token_ids), room - 1))
    given = outcome.text.split()
    text = " ".join(given[: len(given) - len(outcome.token_ids) + at])
    first = replace(
        outcome, token_ids=outcome.token_ids[:at], text=text, scored_text=text, finish="length", generated_tokens=at
    )
    rest = replace(
        outcome, token_ids=outcome.token_ids[at:], generated_tokens=outcome.generated_tokens - at, cached_tokens=0
    )
    return [replace(first, partial=True), rest]


@given(tight(), seeds, seeds)
def test_budgets_hold_and_the_search_ends(config: Config, seed: int, order: int) -> None:
    run = Run(config, seed, order)
    evolution = run.to_the_end()
    tokens, calls = config.max_generated_tokens, config.max_reward_calls
    assert evolution.spent.generated == run.sampled
    if tokens is not None:
        assert run.sampled <= tokens + config.mutants * 2 + 1  # the states, the base and the rewrites
        if tokens > config.mutants * 2:
            assert run.sampled <= tokens
    if calls is not None:
        assert run.calls <= calls
    if run.sampled:
        assert answers.choices(evolution, 1)
    if evolution.stopped_by is None:
        assert all(final.response.finished and final.reward is not None for final in evolution.finals)


@given(configs(), seeds, seeds)
def test_no_text_is_scored_twice_in_a_row(config: Config, seed: int, order: int) -> None:
    run = Run(replace(config, cycles=min(config.cycles, 1)), seed, order)
    run.to_the_end()
    for scored in run.scored.values():
        assert all(before != after for before, after in pairwise(scored))


@given(tight(), seeds, seeds, st.integers(0, 60))
def test_whenever_it_is_stopped_what_was_sampled_has_text_and_scored_comes_before_unscored(
    config: Config, seed: int, order: int, at: int
) -> None:
    run = Run(config, seed, order)
    for _ in range(at):
        if run.evolution.finished:
            return
        run.step()
    if run.evolution.finished:
        return
    stopped, _ = machine.apply(run.evolution, Stopped("deadline_ms"))
    # What goes on was better rewarded than what was dropped.
    states = [state for _, state in run.evolution.states() if not state.dropped]
    rewarded = [state.reward is not None and state.response.text for state in states]
    if run.evolution.spent.decode and any(state.latest.text for _, state in run.evolution.states()):
        assert answers.choices(stopped, 1)
    if any(rewarded) or run.evolution.finals:
        assert all(final.reward is not None for final in stopped.finals)
    tokens = answers.tokens(stopped)
    assert tokens.generated == stopped.spent.generated
    assert min(tokens.kept, tokens.discarded) >= 0


def request(method: Method, max_tokens: int = 512, **search: int) -> EvolutionRequest:
    return EvolutionRequest(method, (Message("user", INSTRUCTION),), Sampling(max_tokens), Search(**search), seed=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_small_budgets_hold_for_every_method(method: Method) -> None:
    asked = request(method, cycles=int(method != "sample"), mutants=32, max_generated_tokens=100, max_reward_calls=2)
    run = Run(config_for(asked), 7, 8)
    run.world.end_probability = 0.0
    evolution = run.to_the_end()
    assert run.sampled <= 100
    assert run.calls <= 2
    assert evolution.stopped_by in ("max_generated_tokens", "max_reward_calls")
    (choice,) = answers.choices(evolution, 1)
    assert choice.text
    assert choice.reward is not None


def test_what_one_sequence_leaves_over_goes_to_those_that_were_cut() -> None:
    config = config_for(request("best-of-n", mutants=3, max_generated_tokens=80, max_tokens=60))
    evolution, _ = machine.begin(config, INSTRUCTION, 1)
    first = {effect.state: effect for effect in machine.next_effects(evolution) if isinstance(effect, Generate)}
    assert {effect.max_new_tokens for effect in first.values()} == {20}
    assert not any(effect.to_be_continued for effect in first.values())
    for state in first:
        ended = state == 2
        ids = (1,) * (4 if ended else 20)
        outcome = Generated(
            1, 1, state, ids, f"text {state}", f"text {state}", "stop" if ended else "length", 5 if ended else 20
        )
        evolution, _ = machine.apply(evolution, outcome)
    again = [effect for effect in machine.next_effects(evolution) if isinstance(effect, Generate)]
    assert [effect.state for effect in again] == [-1, 0, 1]
    assert {effect.max_new_tokens for effect in again} == {5}
    assert [effect.seed for effect in again] == [first[effect.state].seed for effect in again]


def test_with_fewer_calls_than_responses_complete_ones_are_scored() -> None:
    config = config_for(request("best-of-n", mutants=4, max_reward_calls=2, max_tokens=8))
    evolution, _ = machine.begin(config, INSTRUCTION, 1)
    for effect in machine.next_effects(evolution):
        assert isinstance(effect, Generate)
        finish = "stop" if effect.state in (1, 3) else "length"
        text = f"text {effect.state}"
        outcome = Generated(1, 1, effect.state, (1,) * 8, text, text, finish, 8)  # type: ignore[arg-type]
        assert not any(isinstance(effect, Score) for effect in machine.next_effects(evolution))
        evolution, _ = machine.apply(evolution, outcome)
    due = machine.next_effects(evolution)
    assert [effect.state for effect in due if isinstance(effect, Score)] == [1, 3]
    assert len(due) == 2
    for effect in due:
        for scored in World(3).perform(effect):
            evolution, _ = machine.apply(evolution, scored)
    assert evolution.stopped_by == "max_reward_calls"
    assert {choice.text for choice in answers.choices(evolution, 4)} == {"text 1", "text 3"}


@given(configs(), seeds, seeds, st.integers(0, 80))
def test_partial_outcomes_are_recorded_as_one_and_replay_to_the_same_search(
    config: Config, seed: int, order: int, at: int
) -> None:
    run, journal = Run(config, seed, order), Journal()
    run.applied = journal.applied
    for _ in range(at):
        if not run.evolution.finished:
            run.step()
    again, _ = machine.begin(config, INSTRUCTION, seed)
    for outcome in journal.outcomes:
        again, _ = machine.apply(again, survived(outcome))
    assert again == run.evolution
    partial = [outcome for outcome in journal.outcomes if isinstance(outcome, Generated) and outcome.partial]
    assert len({(outcome.round, outcome.cycle, outcome.state) for outcome in partial}) == len(partial)
    assert codec.load(codec.dump(again)) == again
