from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orchestrator.core import selection
from shared.methods import SelectionName
from shared.records.events import ArchiveEntry, Replacement
from shared.records.search import Search


def scored(*rewards: float, finished: tuple[int, ...] = ()) -> selection.ScoredPopulation:
    states = tuple(range(len(rewards)))
    return selection.ScoredPopulation(rewards, states, tuple(state for state in states if state not in finished))


def test_every_name_has_a_rule() -> None:
    assert set(selection.RULES) == set(get_args(SelectionName))


def test_survivors_are_best_first_with_the_lower_index_first_among_equals() -> None:
    selected = selection.truncation(scored(1.0, 3.0, 3.0, 2.0), Search(survivors=3), lambda state, count: 0)
    assert selected.survivors == selected.archived == (1, 2, 3)


def test_losers_take_survivors_and_finished_states_stay() -> None:
    selected = selection.truncation(
        scored(1.0, 0.5, 2.0, 0.1, finished=(3,)), Search(survivors=2), lambda state, count: 1
    )
    assert selected.survivors == (2, 0)
    assert selected.replacements == (Replacement(1, 0),)


def test_who_cannot_contend_neither_survives_nor_donates() -> None:
    population = selection.ScoredPopulation((5.0, 1.0, 2.0), contenders=(1, 2), replaceable=(1, 2))
    selected = selection.truncation(population, Search(), lambda state, count: 0)
    assert (selected.survivors, selected.replacements) == ((2,), (Replacement(1, 2),))


def test_candidates_are_counted_with_the_first_seen_first_among_equals() -> None:
    assert selection.candidates((4, 1, 2, 1, 4, 0), 2) == (4, 1)
    assert selection.candidates((3,), 2) == (3,)


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        ([("b", 2.0), ("c", 0.5)], {"b": 2.0}),
        ([("b", 2.0), ("c", 3.0)], {"b": 2.0, "c": 3.0}),
        ([("b", 1.0), ("c", 0.5)], {"a": 1.0}),
        ([("a", 2.0), ("b", 0.5)], {"a": 2.0}),
        ([("a", 2.0), ("b", 1.5)], {"b": 1.5}),
    ],
)
def test_archive(offered: list[tuple[str, float]], kept: dict[str, float]) -> None:
    archive = selection.update_archive((ArchiveEntry("a", 1.0),), "a", [ArchiveEntry(*item) for item in offered])
    assert {entry.instruction: entry.reward for entry in archive} == kept


@given(st.integers(0, 2**40), st.integers(1, 9), st.integers(1, 99), st.integers(0, 31), st.integers(1, 31))
def test_draws_repeat_and_stay_in_range(seed: int, cycle: int, round_: int, state: int, count: int) -> None:
    draws, again = selection.CounterDraws(seed), selection.CounterDraws(seed)
    assert draws.donor(cycle, round_, state, count) == again.donor(cycle, round_, state, count) in range(count)
    assert draws.parent(cycle, count) in range(count)


def test_donors_are_uniform() -> None:
    draws = selection.CounterDraws(7)
    counts = Counter(draws.donor(1, round_, state, 3) for round_ in range(1000) for state in range(3))
    assert all(900 < counts[donor] < 1100 for donor in range(3))
