"""What another version of the reward would have decided on the populations that a search had.

The recorded outcomes are applied again. Beside the search as it was goes, through one round at a time, the same search
with the other rewards: from the same populations, with the same draws. So each decision is compared where both had the
same choice, whatever the other version would have made of the rounds before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.orchestrator.core import answers, machine
from services.orchestrator.core.frozen import changed
from services.orchestrator.core.values import (
    Config,
    EvolutionState,
    Final,
    Outcome,
    Scored,
    State,
    UnexpectedOutcome,
)
from shared.records.events import CycleFinished, Event, RoundFinished

# Among the components of a state's reward, where its score by the other version stands: it goes where the state's goes.
_PLACE = "\0place"

ScoreKey = tuple[object, ...]
"""The `key` of a `Score`."""


@dataclass(frozen=True)
class Disagreement:
    """`pick` says that the answer would be another one, `differing` how many of the `decisions` would.

    A decision is that a state which could be replaced is replaced, or not. Donors are drawn among survivors, so the
    same state replaced from another donor differs only where one of the donors would not have survived with the other.
    """

    pick: bool
    decisions: int
    differing: int


def disagreement(
    config: Config, instruction: str, seed: int, outcomes: Sequence[Outcome], rescored: Mapping[ScoreKey, Scored]
) -> Disagreement:
    """Compares a search that has ended, whose outcomes these are, with the other version's scores of the same texts.

    Raises:
        KeyError: a score is missing.
        UnexpectedOutcome: the outcomes are not those of such a search.
    """
    live, _ = machine.begin(config, instruction, seed)
    other: EvolutionState | None = live
    places: list[Scored] = []
    decisions = differing = 0
    for outcome in outcomes:
        theirs = outcome
        if isinstance(outcome, Scored):
            score = rescored[("score", outcome.cycle, outcome.round, outcome.state, live.scoring_finals)]
            theirs = changed(score, embedding=outcome.embedding, computed_tokens=outcome.computed_tokens)
            outcome = changed(outcome, components=outcome.components | {_PLACE: len(places)})
            places.append(theirs)
        live, events = machine.apply(live, outcome)
        told: tuple[Event, ...] = ()
        if other is not None:
            try:
                other, told = machine.apply(other, theirs)
            except UnexpectedOutcome:
                other = None  # the other rewards led elsewhere within the round
        for event, counterpart in _rounds(events, told) if config.replace else ():
            found = _decisions(event, counterpart)
            decisions += len(found)
            differing += sum(found)
        if any(isinstance(event, RoundFinished | CycleFinished) for event in events):
            other = _rescored(live, places)
    return Disagreement(_answer(live) != _answer(_rescored(live, places)), decisions, differing)


def _rounds(events: Sequence[Event], told: Sequence[Event]) -> list[tuple[RoundFinished, RoundFinished]]:
    """The rounds that both have finished."""
    theirs = {(event.cycle, event.round): event for event in told if isinstance(event, RoundFinished)}
    ours = [event for event in events if isinstance(event, RoundFinished)]
    return [(event, theirs[event.cycle, event.round]) for event in ours if (event.cycle, event.round) in theirs]


def _decisions(live: RoundFinished, other: RoundFinished) -> list[bool]:
    """For each state that could be replaced, whether the two decide otherwise about it."""
    donors = {item.state: item.donor for item in live.replacements}
    theirs = {item.state: item.donor for item in other.replacements}
    differ: list[bool] = []
    for state in range(len(live.texts)):
        if state in live.dropped or state in other.dropped or (live.finished[state] and state not in donors):
            continue
        ours, its = donors.get(state), theirs.get(state)
        if ours is None or its is None:
            differ.append((ours is None) != (its is None))
        else:
            differ.append(ours != its and (ours not in other.survivors or its not in live.survivors))
    return differ


def _rescored(evolution: EvolutionState, places: Sequence[Scored]) -> EvolutionState:
    """The evolution with the other version's rewards in the place of its own."""

    def of_state(state: State) -> State:
        return state if _PLACE not in state.components else changed(state, **_score(state, places))

    def of_final(final: Final) -> Final:
        return final if _PLACE not in final.components else changed(final, **_score(final, places))

    return changed(
        evolution,
        base=of_state(evolution.base),
        population=tuple(map(of_state, evolution.population)),
        finals=tuple(map(of_final, evolution.finals)),
    )


def _score(scored: State | Final, places: Sequence[Scored]) -> dict[str, object]:
    score = places[int(scored.components[_PLACE])]
    return {
        "reward": score.reward,
        "components": score.components,
        "abstained": score.abstained,
        "breaks": "" if scored.response.undecided else score.breaks,
    }


def _answer(evolution: EvolutionState) -> tuple[object, ...]:
    """What the answer says; empty where there is none."""
    return tuple((choice.text, choice.tool_calls) for choice in answers.choices(evolution, 1))
