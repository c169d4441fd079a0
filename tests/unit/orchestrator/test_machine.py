"""Properties of the evolution that hold for all settings, outcomes and orders."""

import random
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.orchestrator.adapters import codec
from services.orchestrator.core import answers, machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import (
    BASE,
    Config,
    EvolutionState,
    Generate,
    Mutate,
    Mutated,
    Score,
    Scored,
    State,
    Stopped,
    UnexpectedOutcome,
)
from shared.methods import Method
from shared.records.events import BaseScored, CycleFinished, RoundFinished
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search
from tests.unit.orchestrator.strategies import INSTRUCTION, World, any_configs, configs

seeds = st.integers(0, 2**32)


def rounds(world: World) -> list[RoundFinished]:
    return [event for event in world.events if isinstance(event, RoundFinished)]


@given(configs(replacing=True), seeds)
def test_survivors_and_finished_states_are_never_overwritten(config: Config, seed: int) -> None:
    world = World(seed)
    for before, after in pairwise(world.run(config)):
        if after.rounds == before.rounds or after.finished:
            continue
        event = rounds(world)[after.rounds - 1]
        replaced = {item.state for item in event.replacements}
        assert replaced.isdisjoint(event.survivors)
        assert all(item.donor in event.survivors for item in event.replacements)
        for i, state in enumerate(after.population[: len(before.population)]):
            if after.cycle != before.cycle:
                break
            if i in event.survivors or before.population[i].response.finished:
                assert i not in replaced
                assert state.response == before.population[i].response
            assert state.instruction == before.population[i].instruction


@given(configs(), seeds)
def test_every_loser_is_replaced_and_every_round_has_its_survivors(config: Config, seed: int) -> None:
    world = World(seed)
    world.run(config)
    for event in rounds(world):
        assert len(event.survivors) == config.survivors
        worst = min(event.rewards[i] for i in event.survivors)
        others = [i for i in range(config.mutants) if i not in event.survivors]
        assert all(event.rewards[i] <= worst for i in others)
        if not config.replace:
            assert event.replacements == ()


def best_final(evolution: EvolutionState) -> tuple[bool, float] | None:
    """A response that a budget has cut counts only until one is complete."""
    ranked = [(final.response.finished, final.reward) for final in evolution.finals if final.reward is not None]
    return max(ranked, default=None)


@given(configs(), seeds)
def test_best_reward_never_falls(config: Config, seed: int) -> None:
    best = [best_final(evolution) for evolution in World(seed).run(config)]
    known = [ranked for ranked in best if ranked is not None]
    assert known == sorted(known)
    assert None not in best[best.index(known[0]) :] if known else True


@given(configs(), seeds)
def test_what_was_scored_is_not_scored_again(config: Config, seed: int) -> None:
    """However often it is copied, and though the round after that, or the end of the cycle, asks for its reward."""
    world, scored = World(seed), set[tuple[object, ...]]()
    evolution, _ = machine.begin(config, INSTRUCTION, seed)
    while not evolution.finished:
        effect = machine.next_effects(evolution)[0]
        if isinstance(effect, Score):
            state = evolution.base if effect.state == BASE else evolution.population[effect.state]
            # With a lookahead, the end of a cycle scores what is left without it.
            text = (*state.response.pieces, config.lookahead and effect.text, config.lookahead and effect.final)
            assert text not in scored
            scored.add(text)
        for outcome in world.perform(effect):
            evolution, _ = machine.apply(evolution, outcome)
    assert evolution.spent.reward_calls == len(scored)


@pytest.mark.parametrize("method", ["darwin", "best-of-n"])
def test_a_search_scores_each_of_its_texts_once(method: Method) -> None:
    """Also those that ended in a round before the last one."""
    search = Search(cycles=1, mutants=5, period=6, survivors=2)
    request = EvolutionRequest(method, (Message("user", INSTRUCTION),), Sampling(24), search, seed=4)
    evolution, _ = machine.begin(config_for(request), INSTRUCTION, request.seed)
    world, texts = World(4, end_probability=0.1), list[str]()
    while not evolution.finished:
        effect = machine.next_effects(evolution)[0]
        texts += [effect.text] if isinstance(effect, Score) else []
        for outcome in world.perform(effect):
            evolution, _ = machine.apply(evolution, outcome)
    assert len(texts) == len(set(texts))
    assert evolution.rounds > 2 or method == "best-of-n"
    assert any(state.response.finish == "stop" for state in evolution.population)


@given(configs(), seeds, seeds)
def test_same_seed_and_outcomes_give_the_same_evolution(config: Config, seed: int, order: int) -> None:
    assert World(seed).run(config, random.Random(order)) == World(seed).run(config, random.Random(order))


@given(configs(budget=False), seeds, seeds)
def test_decisions_do_not_depend_on_the_order_of_outcomes(config: Config, seed: int, order: int) -> None:
    assume(not config.mutate)  # while mutants are awaited, the base response may run ahead
    in_order, shuffled = World(seed), World(seed)
    last, other = in_order.run(config)[-1], shuffled.run(config, random.Random(order))[-1]
    assert rounds(in_order) == rounds(shuffled)
    assert sorted(map(repr, last.finals)) == sorted(map(repr, other.finals))


@settings(max_examples=40)
@given(any_configs(), seeds, seeds, st.sampled_from([0.0, 0.3]))
def test_interruption_and_reload_anywhere_changes_nothing(
    config: Config, seed: int, order: int, abstain: float
) -> None:
    rng = random.Random(order)
    evolution, _ = machine.begin(config, INSTRUCTION, seed)
    world, same = (World(seed, abstain_probability=abstain, embeds=bool(config.diversity)) for _ in range(2))
    straight = same.run(config)[-1]
    while not evolution.finished:
        evolution = codec.load(codec.dump(evolution))
        if rng.random() < 0.2:
            evolution = codec.load(codec.dump(evolution))
        for outcome in world.perform(machine.next_effects(evolution)[0]):
            evolution, _ = machine.apply(evolution, outcome)
    assert evolution == straight


@given(any_configs(), seeds)
def test_tokens_add_up(config: Config, seed: int) -> None:
    evolution = World(seed).run(config)[-1]
    tokens = answers.tokens(evolution)
    assert tokens.generated == evolution.spent.generated
    assert min(tokens.kept, tokens.discarded, tokens.mutation) >= 0
    longest = max((final.response.tokens for final in evolution.finals), default=0)
    assert tokens.kept >= longest
    for final in evolution.finals:
        assert len(final.response.token_ids) <= final.response.tokens <= len(final.response.token_ids) + 1


@given(configs(budget=False), seeds)
def test_a_full_run_ends_with_every_response_complete_and_scored(config: Config, seed: int) -> None:
    world = World(seed)
    evolution = world.run(config)[-1]
    assert evolution.cycle == config.cycles or evolution.stopped_by == "gain_unlikely"
    assert len(evolution.finals) == 1 + evolution.cycle * config.mutants
    assert all(final.response.finished and final.reward is not None for final in evolution.finals)
    assert sum(isinstance(event, BaseScored) for event in world.events) == 1
    assert sum(isinstance(event, CycleFinished) for event in world.events) == evolution.cycle


@given(configs(), seeds, st.integers(0, 200))
def test_stopping_anywhere_answers_with_the_best_complete_response(config: Config, seed: int, at: int) -> None:
    seen = [evolution for evolution in World(seed).run(config) if not evolution.finished]
    evolution = seen[min(at, len(seen) - 1)]
    stopped, _ = machine.apply(evolution, Stopped("deadline_ms"))
    assert stopped.finished
    assert stopped.stopped_by == "deadline_ms"
    before, after = best_final(evolution), best_final(stopped)
    assert before is None or (after is not None and after >= before)
    complete = [final for final in stopped.finals if final.response.finished]
    assert complete == list(stopped.finals) or not complete
    if any(state.response.text for _, state in evolution.states()):
        assert answers.choices(stopped, 1)


@given(configs(), seeds, st.sampled_from([0.3, 1.0]))
def test_a_mutant_without_room_is_no_answer_no_survivor_and_no_donor(config: Config, seed: int, full: float) -> None:
    world = World(seed, full_probability=full)
    seen = world.run(config)
    for before, after in pairwise(seen):
        if after.rounds > before.rounds:
            event = rounds(world)[after.rounds - 1]
            able = [text for text, state in zip(event.texts, before.population, strict=True) if not empty(state)]
            assert len(event.survivors) == min(config.survivors, len(able))
            assert not any(empty(before.population[item.donor]) for item in event.replacements)
            assert not any(empty(before.population[i]) for i in event.survivors)
    assert not any(final.response.roomless for final in seen[-1].finals)
    if seen[-1].stopped_by is None:
        assert answers.base(seen[-1]) is not None


def empty(state: State) -> bool:
    return state.response.finish == "length" and not state.response.token_ids


@given(configs(), seeds)
def test_each_state_decodes_under_its_own_mutant_exactly_where_it_stopped(config: Config, seed: int) -> None:
    for evolution in World(seed).run(config):
        for effect in machine.next_effects(evolution):
            if isinstance(effect, Generate):
                state = evolution.base if effect.state == BASE else evolution.population[effect.state]
                assert effect.token_ids == state.latest.token_ids
                assert effect.instruction == (INSTRUCTION if effect.state == BASE else state.instruction)
                assert 1 <= effect.max_new_tokens <= config.max_tokens - len(effect.token_ids)
                assert effect.max_new_tokens + effect.lookahead + len(effect.token_ids) <= config.max_tokens


def small(**changes: object) -> Config:
    defaults = {"cycles": 1, "mutants": 2, "period": 4, "survivors": 1, "lookahead": 0, "mutate": True}
    return Config(**{**defaults, "replace": True, "max_tokens": 8, **changes})  # type: ignore[arg-type]


def kinds(evolution: EvolutionState) -> list[str]:
    return [type(effect).__name__ for effect in machine.next_effects(evolution)]


def test_base_decodes_while_mutants_are_written_and_mutants_start_as_they_come() -> None:
    evolution, _ = machine.begin(small(), INSTRUCTION, 1)
    assert kinds(evolution) == ["Mutate", "Generate"]
    evolution, _ = machine.apply(evolution, Mutated(1, "one"))
    assert kinds(evolution) == ["Mutate", "Generate", "Generate"]
    world = World(3, end_probability=0.0)
    base = machine.next_effects(evolution)[1]
    assert isinstance(base, Generate)
    for outcome in world.perform(base):
        evolution, _ = machine.apply(evolution, outcome)
    again = machine.next_effects(evolution)[1]
    assert isinstance(again, Generate)
    assert (again.state, len(again.token_ids)) == (BASE, 4)


def test_a_state_is_scored_while_another_still_decodes() -> None:
    evolution, _ = machine.begin(small(mutate=False), INSTRUCTION, 1)
    first = next(e for e in machine.next_effects(evolution) if isinstance(e, Generate) and e.state == 0)
    for outcome in World(3, end_probability=0.0).perform(first):
        evolution, _ = machine.apply(evolution, outcome)
    assert sorted(kinds(evolution)) == ["Generate", "Generate", "Score"]


@given(configs(), seeds)
def test_what_is_scored_is_partial_as_long_as_its_response_can_go_on(config: Config, seed: int) -> None:
    for evolution in World(seed).run(config):
        states = dict(evolution.states())
        for effect in machine.next_effects(evolution):
            if isinstance(effect, Score):
                assert effect.partial == (states[effect.state].response.finish is None)


def test_a_response_that_grew_since_its_score_has_no_reward() -> None:
    evolution, _ = machine.begin(small(mutate=False), INSTRUCTION, 1)
    world = World(3, end_probability=0.0)
    while evolution.round == 1:
        for outcome in world.perform(machine.next_effects(evolution)[0]):
            evolution, _ = machine.apply(evolution, outcome)
    assert evolution.population[0].reward is not None
    grow = next(e for e in machine.next_effects(evolution) if isinstance(e, Generate) and e.state == 0)
    for outcome in world.perform(grow):
        evolution, _ = machine.apply(evolution, outcome)
    stopped, _ = machine.apply(evolution, Stopped("deadline_ms"))
    assert {(final.state, len(final.response.token_ids)) for final in stopped.finals} == {(1, 4)}


def test_lookahead_is_scored_but_not_kept() -> None:
    evolution, _ = machine.begin(small(mutate=False, lookahead=3), INSTRUCTION, 1)
    effect = next(e for e in machine.next_effects(evolution) if isinstance(e, Generate) and e.state == 0)
    generated = World(3, end_probability=0.0).perform(effect)[0]
    evolution, _ = machine.apply(evolution, generated)
    assert len(evolution.population[0].response.token_ids) == 4
    assert evolution.spent.generated == 7


def test_first_parent_is_the_original_instruction() -> None:
    evolution, _ = machine.begin(small(), INSTRUCTION, 1)
    mutate = machine.next_effects(evolution)[0]
    assert isinstance(mutate, Mutate)
    assert mutate.parent == INSTRUCTION


def test_an_outcome_nobody_asked_for_is_refused() -> None:
    evolution, _ = machine.begin(small(mutate=False), INSTRUCTION, 1)
    with pytest.raises(UnexpectedOutcome):
        machine.apply(evolution, Scored(1, 1, 0, 1.0))
    with pytest.raises(UnexpectedOutcome):
        machine.apply(evolution, Mutated(1, "late"))
    assert not any(isinstance(effect, Score) for effect in machine.next_effects(evolution))
