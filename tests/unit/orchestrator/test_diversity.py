"""Survivors that do not all say the same."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.core import selection
from services.orchestrator.core.diversity import cosine, diverse
from services.orchestrator.core.values import Config
from shared.records.events import RoundFinished
from shared.records.search import Search
from tests.unit.orchestrator.strategies import World

NORTH, NORTH_EAST, EAST, SOUTH = "7f00", "7f7f", "007f", "8100"
REWARDS = (1.0, 0.9, 0.5, 0.45)
EMBEDDINGS = (NORTH, NORTH, EAST, SOUTH)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (NORTH, NORTH, 1),
        (NORTH, EAST, 0),
        (NORTH, SOUTH, -1),
        (NORTH, NORTH_EAST, 0.5**0.5),
        (NORTH, "", 0),
        ("", "", 0),
    ],
)
def test_cosines(one: str, other: str, expected: float) -> None:
    assert cosine(one, other) == pytest.approx(expected)
    assert cosine(other, one) == pytest.approx(expected)


def test_embeddings_of_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        cosine(NORTH, "7f0000")


@pytest.mark.parametrize(("diversity", "expected"), [(0.1, (0, 1)), (0.3, (0, 3)), (2.0, (0, 3))])
def test_how_much_a_difference_is_worth_decides_who_comes_second(diversity: float, expected: tuple[int, ...]) -> None:
    population = selection.ScoredPopulation(REWARDS, (0, 1, 2, 3), (0, 1, 2, 3), EMBEDDINGS)
    search = Search(survivors=2, diversity=diversity)
    selected = selection.truncation(population, search, lambda state, count: 1)
    assert selected.survivors == expected
    assert {each.donor for each in selected.replacements} == {expected[1]}


@settings(max_examples=40)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.floats(0, 3), st.integers(1, 6), st.integers(0, 99))
def test_each_is_the_best_of_those_left_less_what_it_repeats(
    rewards: list[float], diversity: float, count: int, seed: int
) -> None:
    embeddings = [random.Random(f"{seed} {state}").randbytes(3).hex() for state in range(len(rewards))]
    ranked = sorted(range(len(rewards)), key=lambda state: -rewards[state])
    found = diverse(ranked, lambda state: rewards[state], embeddings, diversity, count)
    assert len(found) == len(set(found)) == min(count, len(rewards))
    assert found[0] == ranked[0]
    assert diverse(ranked, lambda state: rewards[state], embeddings, 0.0, count) == tuple(ranked[:count])
    for place in range(1, len(found)):
        worth = {
            state: rewards[state] - diversity * max(cosine(embeddings[state], embeddings[j]) for j in found[:place])
            for state in range(len(rewards))
            if state not in found[:place]
        }
        assert worth[found[place]] == max(worth.values())


def test_a_search_compares_what_was_embedded() -> None:
    config = Config(cycles=1, mutants=6, period=4, survivors=2, mutate=False, replace=True, max_tokens=8)

    def survivors(seed: int, diversity: float) -> tuple[int, ...]:
        world = World(seed, 0.0, embeds=True)
        world.run(replace(config, diversity=diversity))
        return next(event.survivors for event in world.events if isinstance(event, RoundFinished))

    pairs = [(survivors(seed, 0.0), survivors(seed, 1000.0)) for seed in range(8)]
    assert all(by_reward[0] == apart[0] for by_reward, apart in pairs)
    assert sum(by_reward != apart for by_reward, apart in pairs) > 2
