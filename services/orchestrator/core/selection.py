"""Who survives, who is replaced by whom, what the archive keeps; and the random draws all of it uses.

A selection rule is a function of this module with a name in `RULES`, by which the setting `selection` chooses it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.orchestrator.core.diversity import diverse
from shared.compute.draws import keyed_integer
from shared.compute.pessimism import UNITS, drawn, places, weights
from shared.methods import SelectionName
from shared.records.events import ArchiveEntry, Replacement
from shared.records.search import Search


class Draws(Protocol):
    """Every random choice of an evolution, each returning an index below `count`."""

    def parent(self, cycle: int, count: int) -> int: ...

    def donor(self, cycle: int, round: int, state: int, count: int) -> int: ...


class CounterDraws:
    """Draws that depend only on (seed, what is drawn, position), so a repeated step draws the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def parent(self, cycle: int, count: int) -> int:
        return keyed_integer(self._seed, "parent", cycle) % count

    def donor(self, cycle: int, round: int, state: int, count: int) -> int:
        return keyed_integer(self._seed, "donor", cycle, round, state) % count


@dataclass(frozen=True)
class ScoredPopulation:
    """What a selection rule sees of a round: each state's reward, by state; None for those that are still thinking.

    `contenders` are the states that can survive and donate, which are all but those without room for a first token,
    those that call tools, those that have no answer yet, those that were dropped, those that break a requirement while
    another does not, and those whose reward abstains while another's does not. Each has a reward. `replaceable` are
    those that can take a contender's response: none where the method does not replace, and none that are finished.
    `embeddings` are those of the states' texts, empty where the search asks for none.
    """

    rewards: tuple[float | None, ...]
    contenders: tuple[int, ...]
    replaceable: tuple[int, ...]
    embeddings: tuple[str, ...] = ()

    def reward(self, contender: int) -> float:
        """The reward of a contender."""
        reward = self.rewards[contender]
        assert reward is not None
        return reward


@dataclass(frozen=True)
class Selected:
    """What a selection rule decided: the states that keep their own response, best first; who takes whose response;
    and the states whose instructions are counted, once for each time they are listed, for the archive. `weights` are
    those by which the rule drew, by state, 0 for who is no contender; none where it drew by none.
    """

    survivors: tuple[int, ...]
    replacements: tuple[Replacement, ...]
    archived: tuple[int, ...]
    weights: tuple[float, ...] = ()


Draw = Callable[[int, int], int]
"""`draw(state, count)` is an index below `count`, the same whenever the round is repeated."""


class SelectionRule(Protocol):
    """Selects among the states of a round, under the settings of the search."""

    def __call__(self, population: ScoredPopulation, search: Search, draw: Draw) -> Selected: ...


def truncation(population: ScoredPopulation, search: Search, draw: Draw) -> Selected:
    """The best survive, the lower index first among equals, and donate with equal chances; the archive counts them.
    With a `diversity`, which are the best depends on how much alike they are.

    Source: arXiv 2406.15193, algorithm 1.
    """
    best = _ranked(population, population.contenders)
    if search.diversity:
        best = diverse(best, population.reward, population.embeddings, search.diversity, search.survivors)
    best = best[: search.survivors]
    losers = [state for state in population.replaceable if state not in best]
    replacements = tuple(Replacement(state, best[draw(state, len(best))]) for state in losers)
    return Selected(best, replacements, archived=best)


def pessimism(population: ScoredPopulation, search: Search, draw: Draw) -> Selected:
    """Each response goes on as often as its weight says, at `beta`, with as few copies as that takes; the archive
    counts the states that keep their own. With a `beta` of 0 it decides as `truncation` does with one survivor.

    Source: arXiv 2503.21878 for the weights; `shared.compute.pessimism.places` for who copies whom.
    """
    contenders = population.contenders
    rewards = [population.reward(state) for state in contenders]
    by_reward = weights(rewards, search.beta)

    def unit(state: int) -> float:
        return draw(state, UNITS) / UNITS

    found = places(rewards, search.beta, [unit(state) for state in contenders])
    donors = {state: contenders[place] for state, place in zip(contenders, found, strict=True)}
    survivors = _ranked(population, [state for state in contenders if donors[state] == state])
    for state in population.replaceable:
        if state not in donors:
            donors[state] = contenders[drawn(by_reward, unit(state))]
    replaced = [state for state in population.replaceable if donors[state] != state]
    by_state = dict(zip(contenders, by_reward, strict=True))
    return Selected(
        survivors,
        tuple(Replacement(state, donors[state]) for state in replaced),
        archived=survivors,
        weights=tuple(by_state.get(state, 0.0) for state in range(len(population.rewards))),
    )


def _ranked(population: ScoredPopulation, states: Sequence[int]) -> tuple[int, ...]:
    """Those states best first, the lower index first among equals."""
    return tuple(sorted(states, key=lambda state: -population.reward(state)))


RULES: dict[SelectionName, SelectionRule] = {"truncation": truncation, "pessimism": pessimism}


def candidates(survivals: Sequence[int], count: int) -> tuple[int, ...]:
    """The `count` states that survived most often, first seen first among equals."""
    return tuple(index for index, _ in Counter(survivals).most_common(count))


def update_archive(
    archive: Sequence[ArchiveEntry], parent: str, offered: Sequence[ArchiveEntry]
) -> tuple[ArchiveEntry, ...]:
    """The archive after a cycle, in insertion order.

    An offered instruction whose reward is greater than the parent's enters, or takes the new reward in place. Where
    one that differs from the parent entered, the parent leaves.
    """
    rewards = {entry.instruction: entry.reward for entry in archive}
    bar = rewards[parent]
    entered = [entry for entry in offered if entry.reward > bar]
    rewards.update({entry.instruction: entry.reward for entry in entered})
    if any(entry.instruction != parent for entry in entered):
        del rewards[parent]
    return tuple(ArchiveEntry(instruction, reward) for instruction, reward in rewards.items())
