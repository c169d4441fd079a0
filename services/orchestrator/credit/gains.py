"""What the mutants of a search's cycles gained over their parents, read from its events. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf, log
from typing import NamedTuple

from shared.records.credit import Gain
from shared.records.events import (
    BaseScored,
    CycleFinished,
    CycleStarted,
    Event,
    MutantAccepted,
    PopulationScored,
    RoundFinished,
)


@dataclass(frozen=True)
class CycleGains:
    """The gains of a cycle, in the order of its states; states that kept the parent have none."""

    cycle: int
    gains: tuple[Gain, ...]


class _Outcome(NamedTuple):
    reward: float
    characters: int


def cycle_gains(events: Iterable[Event]) -> Iterator[CycleGains]:
    """The gains of each cycle that has finished. `events` are all of a search, in their order.

    The parent of the first cycle has the base response. A parent that later cycles drew from the archive has the best
    final response that its instruction has had. Where responses are scored together, the rewards are those of the last
    time.
    """
    known = dict[tuple[int, int], tuple[str, int]]()
    base: _Outcome | None = None
    best: dict[str, _Outcome] = {}
    parent, mutants, lengths = "", dict[int, MutantAccepted](), tuple[int, ...]()
    for event in events:
        match event:
            case CycleStarted():
                parent, mutants, lengths = event.parent, {}, ()
            case MutantAccepted():
                mutants[event.state] = event
            case BaseScored():
                base = _Outcome(event.reward, len(event.text))
            case PopulationScored() if event.final and base is not None:
                best = {}
                for (cycle, state), reward in zip(event.responses, event.rewards, strict=True):
                    if state < 0:
                        base = _Outcome(reward, base.characters)
                    elif found := known.get((cycle, state)):
                        text, characters = found
                        best[text] = max(best.get(text, _NONE), _Outcome(reward, characters))
            case RoundFinished():
                lengths = _lengths_after(event)
            case CycleFinished() if base is not None and len(lengths) == len(event.rewards):
                before = best.get(parent, base)
                finals = [_Outcome(*final) for final in zip(event.rewards, lengths, strict=True)]
                made = [(mutant, finals[state]) for state, mutant in sorted(mutants.items())]
                yield CycleGains(
                    event.cycle,
                    tuple(_gain(mutant.operator, after, before) for mutant, after in made if mutant.source != "parent"),
                )
                for mutant, after in made:
                    best[mutant.text] = max(best.get(mutant.text, after), after)
                    known[event.cycle, mutant.state] = mutant.text, after.characters
            case _:
                pass


_NONE = _Outcome(-inf, 0)


def _lengths_after(event: RoundFinished) -> tuple[int, ...]:
    """Characters of each state's answer, replacements made."""
    donors = {each.state: each.donor for each in event.replacements}
    return tuple(len(event.texts[donors.get(state, state)]) for state in range(len(event.texts)))


def _gain(operator: str, after: _Outcome, before: _Outcome) -> Gain:
    return Gain(operator, after.reward - before.reward, log((after.characters + 1) / (before.characters + 1)))
