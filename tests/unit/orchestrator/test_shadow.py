"""What a shadow's rewards would have decided otherwise, on what a search had."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.core import machine
from services.orchestrator.core.shadow import Disagreement, disagreement
from services.orchestrator.core.values import Config, Generated, Outcome, Score, Scored
from tests.unit.orchestrator.strategies import INSTRUCTION, World, any_configs

ONE_ROUND = Config(
    cycles=1, mutants=3, period=4, survivors=1, lookahead=0, mutate=False, replace=True, max_tokens=8, diversity=0.0
)


def searched(
    world: World, config: Config, reward: Callable[[Score, Scored], Scored] = lambda _, scored: scored
) -> tuple[list[Outcome], dict[tuple[object, ...], Scored]]:
    """The outcomes of a search, and what the shadow's `reward` makes of each score."""
    evolution, _ = machine.begin(config, INSTRUCTION, world.seed)
    outcomes: list[Outcome] = []
    rescored: dict[tuple[object, ...], Scored] = {}
    while not evolution.finished:
        effect = machine.next_effects(evolution)[0]
        for outcome in world.perform(effect):
            if isinstance(outcome, Scored):
                assert isinstance(effect, Score)
                rescored[effect.key] = reward(effect, outcome)
            evolution, _ = machine.apply(evolution, outcome)
            outcomes.append(outcome)
    return outcomes, rescored


@given(any_configs(), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_same_rewards_decide_the_same(config: Config, seed: int) -> None:
    world = World(seed, abstain_probability=0.1, break_probability=0.1, embeds=config.diversity > 0)
    outcomes, rescored = searched(world, config)
    found = disagreement(config, INSTRUCTION, seed, outcomes, rescored)
    assert (found.pick, found.differing) == (False, 0)
    assert found.decisions == 0 or config.replace


@given(any_configs(), st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_no_more_decisions_differ_than_there_are(config: Config, seed: int) -> None:
    world = World(seed, embeds=config.diversity > 0)
    outcomes, rescored = searched(world, config, lambda _, scored: replace(scored, reward=-scored.reward))
    found = disagreement(config, INSTRUCTION, seed, outcomes, rescored)
    assert 0 <= found.differing <= found.decisions


def _of_state(rewards: list[list[float]], effect: Score) -> float:
    return rewards[effect.round - 1][effect.state] if effect.state >= 0 else 0.0


def told(rewards: list[list[float]], shadows: list[list[float]]) -> Disagreement:
    """Of a search of two rounds of four tokens each, by states' rewards in each; the base's are 0."""
    evolution, _ = machine.begin(ONE_ROUND, INSTRUCTION, 1)
    outcomes: list[Outcome] = []
    rescored: dict[tuple[object, ...], Scored] = {}
    while not evolution.finished:
        effect = machine.next_effects(evolution)[0]
        where = (effect.cycle, effect.round, effect.state)  # type: ignore[union-attr]
        if isinstance(effect, Score):
            outcome: Outcome = Scored(*where, _of_state(rewards, effect))
            rescored[effect.key] = Scored(*where, _of_state(shadows, effect))
        else:
            text = f"{effect.token_ids} {where}"  # type: ignore[union-attr]
            outcome = Generated(*where, (1, 2, 3, 4), text, text, "length", 4)
        evolution, _ = machine.apply(evolution, outcome)
        outcomes.append(outcome)
    return disagreement(ONE_ROUND, INSTRUCTION, 1, outcomes, rescored)


def test_replacements_and_the_pick_are_counted() -> None:
    same = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    assert told(same, same) == Disagreement(pick=False, decisions=3, differing=0)
    # Other numbers in the same order decide the same.
    assert told(same, [[10.0, 20.0, 30.0], [0.1, 0.2, 0.3]]).differing == 0
    # Another survivor: it and the one that it replaces are kept otherwise; the third has another donor.
    assert told(same, [[1.0, 3.0, 2.0], [1.0, 2.0, 3.0]]) == Disagreement(False, 3, 3)
    assert told(same, [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]) == Disagreement(True, 3, 0)


def test_a_score_that_carries_on_is_the_shadows_in_later_rounds_too() -> None:
    """A response that has ended is scored once; its reward goes on to later rounds by both versions."""
    config = replace(ONE_ROUND, mutants=4, survivors=2, period=2, max_tokens=12)
    differing = 0
    for seed in range(15):
        world = World(seed, end_probability=0.25)
        outcomes, rescored = searched(world, config, lambda _, scored: replace(scored, reward=2 * scored.reward + 1))
        found = disagreement(config, INSTRUCTION, seed, outcomes, rescored)
        differing += found.differing
        # The base's reward changes likewise, so that the order of all is the same.
        assert not found.pick
    assert differing == 0
