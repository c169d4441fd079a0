"""The decisions between rounds and cycles: who survives, what enters the archive, when the search ends."""

from dataclasses import replace

from services.orchestrator.core import selection
from services.orchestrator.core.selection import Draws
from services.orchestrator.core.values import BASE, EvolutionState, Final, State, Step, UnexpectedOutcome
from shared.records.events import ArchiveEntry, CycleFinished, CycleStarted, RoundFinished
from shared.records.evolution import StoppedBy


def used_up(evolution: EvolutionState) -> StoppedBy | None:
    """The budget that leaves nothing for a further round."""
    config, spent = evolution.config, evolution.spent
    if config.max_generated_tokens is not None and spent.generated >= config.max_generated_tokens:
        return "max_generated_tokens"
    if config.max_reward_calls is not None and spent.reward_calls >= config.max_reward_calls:
        return "max_reward_calls"
    return None


def start_cycle(evolution: EvolutionState, draws: Draws) -> Step:
    cycle, config = evolution.cycle + 1, evolution.config
    parent = evolution.instruction
    if evolution.archive:
        parent = evolution.archive[draws.parent(cycle, len(evolution.archive))].instruction
    state = State(instruction=None if config.mutate else evolution.instruction)
    evolution = replace(
        evolution,
        cycle=cycle,
        round=0,
        parent=parent,
        population=(state,) * config.mutants,
        mutating=config.mutate,
        scoring_finals=False,
        survivals=(),
    )
    return _start_round(evolution), (CycleStarted(cycle, parent),)


def _start_round(evolution: EvolutionState) -> EvolutionState:
    base = evolution.base
    if not base.response.finished:
        base = replace(base, phase="decode")
    population = tuple(
        replace(state, phase="score" if state.response.finished else "decode") for state in evolution.population
    )
    return replace(
        evolution,
        round=evolution.round + 1,
        base=base,
        population=population,
        round_tokens=0,
    )


def settle(evolution: EvolutionState, draws: Draws) -> Step:
    """Takes the decisions that are due once nothing of the round is open."""
    states = [state for _, state in evolution.states()]
    if evolution.mutating or any(state.phase in ("decode", "score") for state in states):
        return evolution, ()
    if not evolution.population:
        return replace(evolution, finished=True, checkpoint=evolution.checkpoint + 1), ()
    if evolution.scoring_finals:
        return _finish_cycle(evolution, draws)
    return _finish_round(evolution, draws)


def _finish_round(evolution: EvolutionState, draws: Draws) -> Step:
    before, config = evolution.population, evolution.config
    rewards = tuple(_known(state.reward) for state in before)
    selected = selection.RULES[config.selection](
        selection.ScoredPopulation(
            rewards,
            contenders=tuple(i for i, state in enumerate(before) if state.response.comparable),
            replaceable=tuple(
                i
                for i, state in enumerate(before)
                if config.replace and not state.response.finished and state.response.comparable
            ),
        ),
        config.survivors,
        lambda state, count: draws.donor(evolution.cycle, evolution.round, state, count),
    )
    after = list(before)
    for item in selected.replacements:
        after[item.state] = replace(before[item.donor], instruction=before[item.state].instruction)
    event = RoundFinished(
        cycle=evolution.cycle,
        round=evolution.round,
        texts=tuple(state.response.whole_text for state in before),
        rewards=rewards,
        survivors=selected.survivors,
        replacements=selected.replacements,
        finished=tuple(state.response.finished for state in after),
        tokens=evolution.round_tokens,
    )
    evolution = replace(
        evolution,
        population=tuple(after),
        survivals=evolution.survivals + selected.archived,
        rounds=evolution.rounds + 1,
        round_tokens=0,
    )
    if all(event.finished):
        return _score_finals(evolution), (event,)
    evolution = replace(evolution, checkpoint=evolution.checkpoint + 1)
    if budget := used_up(evolution):
        return conclude(evolution, budget), (event,)
    return _start_round(evolution), (event,)


def _score_finals(evolution: EvolutionState) -> EvolutionState:
    base = evolution.base
    if not base.response.finished:
        base = replace(base, phase="decode")
    population = tuple(
        replace(state, phase="score", scored_text=state.response.whole_text) for state in evolution.population
    )
    return replace(evolution, base=base, population=population, scoring_finals=True)


def _finish_cycle(evolution: EvolutionState, draws: Draws) -> Step:
    states, config = evolution.population, evolution.config
    offered = tuple(
        ArchiveEntry(_named(states[i].instruction), _known(states[i].reward))
        for i in selection.candidates(evolution.survivals, config.archive_candidates)
    )
    finals = tuple(final(evolution, index) for index, state in enumerate(states) if not state.response.roomless)
    evolution = replace(
        evolution,
        finals=evolution.finals + finals,
        archive=selection.update_archive(evolution.archive, evolution.parent, offered),
        checkpoint=evolution.checkpoint + 1,
    )
    event = CycleFinished(
        cycle=evolution.cycle,
        rewards=tuple(_known(state.reward) for state in states),
        candidates=offered,
        archive=evolution.archive,
        best_reward=_known(evolution.best_reward),
    )
    if evolution.cycle == config.cycles:
        return replace(evolution, finished=True), (event,)
    if budget := used_up(evolution):
        return replace(evolution, finished=True, stopped_by=budget), (event,)
    started, more = start_cycle(evolution, draws)
    return started, (event, *more)


def conclude(evolution: EvolutionState, reason: StoppedBy) -> EvolutionState:
    """Ends the search early: complete responses of the open cycle count, partial ones only where none is complete."""
    begun = [i for i, state in evolution.states() if state.response.whole_text and i != BASE]
    scored = [i for i in begun if evolution.population[i].reward is not None]
    complete = [i for i in scored if evolution.population[i].response.finished]
    finals = evolution.finals + tuple(final(evolution, i) for i in complete)
    if not finals:
        finals = tuple(final(evolution, i) for i in scored or begun)
    if not finals and evolution.base.response.whole_text:
        finals = (final(evolution, BASE),)
    return replace(evolution, finals=finals, finished=True, stopped_by=reason, checkpoint=evolution.checkpoint + 1)


def final(evolution: EvolutionState, index: int) -> Final:
    state = evolution.base if index == BASE else evolution.population[index]
    cycle = 0 if index == BASE else evolution.cycle
    return Final(cycle, index, _named(state.instruction), state.response, state.reward, state.components)


def _known(reward: float | None) -> float:
    if reward is None:
        raise UnexpectedOutcome("a decision is due, but a reward is missing")
    return reward


def _named(instruction: str | None) -> str:
    if instruction is None:
        raise UnexpectedOutcome("a decision is due, but a mutant is missing")
    return instruction
