"""What the evolution makes of rewards: of a state's, or of all of a population at once."""

from collections.abc import Sequence

from services.orchestrator.core import relative, transitions
from services.orchestrator.core.frozen import changed
from services.orchestrator.core.scoring import Score, Scored, ScoredTogether, ScoreTogether
from services.orchestrator.core.values import (
    BASE,
    EvolutionState,
    Final,
    State,
    Step,
    UnexpectedOutcome,
)
from shared.records.events import ArchiveEntry, BaseScored, Event, PopulationScored


def together(evolution: EvolutionState, scores: Sequence[Score]) -> tuple[ScoreTogether, ...]:
    """The scoring that is open, of the states whose scores are; none where none is."""
    if not scores:
        return ()
    with_earlier = (*scores, *relative.earlier_scores(evolution))
    return (ScoreTogether(evolution.cycle, evolution.round, with_earlier, evolution.scoring_finals),)


def rewarded(evolution: EvolutionState, state: State, outcome: Scored) -> Step:
    """The evolution whose `state` waits for its score, and has it now."""
    if evolution.config.relative:
        raise UnexpectedOutcome(f"{outcome} alone, where rewards are relative")
    return _with_score(_counted(evolution, (outcome,)), state, outcome)


def rewarded_together(evolution: EvolutionState, outcome: ScoredTogether, asked: ScoreTogether | None) -> Step:
    """The evolution that has `asked` for these scores."""
    found = [(each.cycle, each.state) for each in outcome.scores]
    if asked is None or asked.key[1:3] != (outcome.cycle, outcome.round):
        raise UnexpectedOutcome(f"a population of round {outcome.cycle}.{outcome.round} that nobody asked for")
    if found != [(each.cycle, each.state) for each in asked.scores]:
        raise UnexpectedOutcome(f"scores of {found} for round {outcome.cycle}.{outcome.round}")
    evolution, events = _counted(evolution, outcome.scores), tuple[Event, ...]()
    earlier = {(final.cycle, final.state) for final in relative.earlier(evolution)}
    rescored = {where: score for where, score in zip(found, outcome.scores, strict=True) if where in earlier}
    evolution = changed(
        evolution, finals=tuple(_rescored(each, rescored.get((each.cycle, each.state))) for each in evolution.finals)
    )
    for where, score in zip(found, outcome.scores, strict=True):
        if where not in earlier:
            state = evolution.base if score.state == BASE else evolution.population[score.state]
            evolution, more = _with_score(evolution, state, score)
            events += more
    event = PopulationScored(
        outcome.cycle,
        outcome.round,
        asked.final,
        tuple(found),
        tuple(each.reward for each in outcome.scores),
        outcome.scores[0].comparisons,
    )
    return evolution, (*events, event)


def _counted(evolution: EvolutionState, scores: tuple[Scored, ...]) -> EvolutionState:
    spent = evolution.spent
    spent = changed(
        spent,
        reward=spent.reward + sum(each.computed_tokens for each in scores),
        reward_calls=spent.reward_calls + len(scores),
    )
    return changed(evolution, spent=spent)


def _with_score(evolution: EvolutionState, state: State, outcome: Scored) -> Step:
    state = changed(
        state,
        phase="scored",
        reward=outcome.reward,
        components=outcome.components,
        abstained=outcome.abstained,
        embedding=outcome.embedding,
        # What is required is required of the answer.
        breaks="" if state.response.undecided else outcome.breaks,
    )
    if outcome.state != BASE:
        population = list(evolution.population)
        population[outcome.state] = state
        return changed(evolution, population=tuple(population)), ()
    again = any(final.state == BASE for final in evolution.finals)
    evolution = changed(evolution, base=state)
    others = tuple(final for final in evolution.finals if final.state != BASE)
    evolution = changed(evolution, finals=(transitions.final(evolution, BASE), *others))
    if again:
        return evolution, ()
    evolution = changed(evolution, archive=(ArchiveEntry(evolution.instruction, outcome.reward),))
    response = state.response
    said = (response.tokens, response.reasoning, outcome.abstained, state.breaks)
    return evolution, (BaseScored(response.whole_text, outcome.reward, *said),)


def _rescored(final: Final, score: Scored | None) -> Final:
    if score is None:
        return final
    scored = {"reward": score.reward, "components": score.components}
    return changed(final, **scored, abstained=score.abstained, breaks=score.breaks)
