"""The decisions between rounds and cycles: who survives, what enters the archive, when the search ends."""

from collections.abc import Iterable, Sequence

from services.orchestrator.core import budgets, relative, selection, settling, shrinking, stopping
from services.orchestrator.core.frozen import changed
from services.orchestrator.core.responses import Response, Settled
from services.orchestrator.core.selection import Draws
from services.orchestrator.core.values import BASE, Config, EvolutionState, Final, Phase, State, Step, UnexpectedOutcome
from shared.records.events import ArchiveEntry, CycleFinished, CycleStarted, RoundFinished
from shared.records.evolution import StoppedBy


def start_cycle(evolution: EvolutionState, draws: Draws) -> Step:
    cycle, config = evolution.cycle + 1, evolution.config
    parent = evolution.instruction
    if evolution.archive:
        parent = evolution.archive[draws.parent(cycle, len(evolution.archive))].instruction
    state = State(instruction=None if config.mutate else evolution.instruction)
    evolution = changed(
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
    base, config = evolution.base, evolution.config
    again: Phase = budgets.scoring_phase(config) if config.rescore or config.relative else "scored"
    if not base.response.finished:
        base = changed(base, phase="decode")
    population = tuple(
        changed(state, phase="decode" if _goes_on(state) else "scored" if state.dropped else again)
        for state in evolution.population
    )
    return budgets.with_shares(
        changed(
            evolution,
            round=evolution.round + 1,
            base=base,
            population=population,
            round_tokens=0,
        )
    )


def settle(evolution: EvolutionState, draws: Draws) -> Step:
    """Takes the decisions that are due once nothing of the round is open."""
    if evolution.mutating or "decode" in budgets.phases(evolution):
        return evolution, ()
    evolution = budgets.decided(evolution)
    if not {"decode", "score"}.isdisjoint(budgets.phases(evolution)):
        return evolution, ()
    if evolution.ending:
        return conclude(evolution, evolution.ending), ()
    if not evolution.population:
        return _ended(changed(evolution, checkpoint=evolution.checkpoint + 1)), ()
    if evolution.scoring_finals and evolution.base.reward is None:
        # Without the base response's reward nothing enters the archive. The tokens for it were missing.
        return conclude(evolution, budgets.used_up(evolution, 1) or "max_generated_tokens"), ()
    if evolution.scoring_finals:
        return _finish_cycle(evolution, draws)
    return _finish_round(evolution, draws)


def _finish_round(evolution: EvolutionState, draws: Draws) -> Step:
    before, config = evolution.population, evolution.config
    rewards = tuple(None if _without_score(state, config) else _known(state.reward) for state in before)
    comparable = [
        i
        for i, state in enumerate(before)
        if not state.dropped and _comparable(state, config) and evolution.settled.kept_by(state.response)
    ]
    dropped = shrinking.dropped(before, comparable, config.shrink)
    left = [i for i in comparable if i not in dropped]
    selected = selection.RULES[config.selection](
        selection.ScoredPopulation(
            rewards,
            contenders=_trusted(before, left),
            replaceable=tuple(i for i in left if config.replace and not before[i].response.finished),
            embeddings=tuple(state.embedding for state in before),
        ),
        config,
        lambda state, count: draws.donor(evolution.cycle, evolution.round, state, count),
    )
    after = [changed(state, dropped=True) if i in dropped else state for i, state in enumerate(before)]
    for item in selected.replacements:
        after[item.state] = changed(before[item.donor], instruction=before[item.state].instruction)
    beginning = settling.settled_after(evolution, after)
    event = RoundFinished(
        cycle=evolution.cycle,
        round=evolution.round,
        texts=tuple(state.response.whole_text for state in before),
        rewards=rewards,
        survivors=selected.survivors,
        replacements=selected.replacements,
        finished=tuple(not _goes_on(state) for state in after),
        tokens=evolution.round_tokens,
        reasoning=_thoughts(before),
        weights=selected.weights,
        dropped=tuple(i for i, state in enumerate(after) if state.dropped),
        abstained=_told(state.abstained for state in before),
        breaks=_told(state.breaks for state in before),
        settled=0 if beginning == evolution.settled else len(beginning.text),
    )
    evolution = changed(
        evolution,
        population=tuple(after),
        settled=beginning,
        survivals=evolution.survivals + selected.archived,
        rounds=evolution.rounds + 1,
        round_tokens=0,
    )
    if all(event.finished):
        settled, more = settle(_score_finals(evolution), draws)
        return settled, (event, *more)
    evolution = changed(evolution, checkpoint=evolution.checkpoint + 1)
    if budget := budgets.used_up(evolution, sum(_goes_on(state) for _, state in evolution.states())):
        return conclude(evolution, budget), (event,)
    return _start_round(evolution), (event,)


def _score_finals(evolution: EvolutionState) -> EvolutionState:
    """Scores the responses as they are without the lookahead, where that has been scored with them."""
    base, config = evolution.base, evolution.config
    if not base.response.finished and base.reward is None and budgets.tokens_left(evolution) != 0:
        base = changed(base, phase="decode")
    elif config.relative and base.phase != "idle":
        base = changed(base, phase="held")
    again, phase = config.rescore or config.relative, budgets.scoring_phase(config)
    population = tuple(
        state
        if state.dropped or (state.scored_text == state.response.whole_text and not again)
        else changed(state, phase=phase, scored_text=state.response.whole_text)
        for state in evolution.population
    )
    return budgets.with_shares(changed(evolution, base=base, population=population, scoring_finals=True))


def _finish_cycle(evolution: EvolutionState, draws: Draws) -> Step:
    states, config = evolution.population, evolution.config
    trusted = [i for i in evolution.survivals if not (states[i].dropped or states[i].abstained or states[i].breaks)]
    offered = tuple(
        ArchiveEntry(_named(states[i].instruction), _known(states[i].reward))
        for i in selection.candidates(trusted, config.archive_candidates)
    )
    finals = tuple(
        final(evolution, index) for index, state in enumerate(states) if not (state.dropped or state.response.roomless)
    )
    evolution = relative.with_archive(evolution)
    evolution = stopping.with_gains(changed(evolution, finals=evolution.finals + finals))
    evolution = changed(
        evolution,
        archive=selection.update_archive(evolution.archive, evolution.parent, offered),
        checkpoint=evolution.checkpoint + 1,
    )
    outlook = stopping.outlook(evolution)
    event = CycleFinished(
        cycle=evolution.cycle,
        rewards=tuple(_known(state.reward) for state in states),
        candidates=offered,
        archive=evolution.archive,
        best_reward=_known(evolution.best_reward),
        outlook=outlook,
    )
    if evolution.cycle == config.cycles or _no_further_cycle(evolution):
        return _ended(evolution), (event,)
    if outlook and outlook.gain < outlook.price:
        return changed(_ended(evolution), stopped_by="gain_unlikely"), (event,)
    started, more = start_cycle(evolution, draws)
    return started, (event, *more)


def _no_further_cycle(evolution: EvolutionState) -> StoppedBy | None:
    config = evolution.config
    return budgets.used_up(evolution, config.mutants * (2 if config.mutate else 1))


def _ended(evolution: EvolutionState) -> EvolutionState:
    """The search that comes to its end, or that a budget keeps from going on, with nothing open."""
    finals = evolution.finals
    if not finals and evolution.base.latest.begun:
        finals = (_latest(evolution, BASE),)
    cut = evolution.cycle < evolution.config.cycles or not evolution.base.response.finished
    stopped_by = _no_further_cycle(evolution) if cut else None
    return changed(evolution, finals=_complete(finals, evolution.settled), finished=True, stopped_by=stopped_by)


def conclude(evolution: EvolutionState, reason: StoppedBy) -> EvolutionState:
    """Ends the search early: complete responses of the open cycle count, partial ones only where none is complete."""
    states, settled = evolution.population, evolution.settled
    begun = [i for i, state in enumerate(states) if state.latest.begun and not state.dropped]
    scored = [i for i in begun if states[i].reward is not None and not states[i].response.undecided]
    if relative.compared_before(evolution):
        scored = []
    finals = _complete((*evolution.finals, *(final(evolution, i) for i in scored)), settled)
    if not any(settled.kept_by(each.response) for each in finals):
        # Nothing tells which of them is the best: those that have ended by themselves, and else the longest.
        going_on = [_latest(evolution, i) for i in begun if settled.kept_by(states[i].latest)]
        finals += _complete(sorted(going_on, key=lambda each: _unscored_precedence(each.response)), settled)
    if not finals and evolution.base.latest.begun:
        finals = (_latest(evolution, BASE),)
    return changed(evolution, finals=finals, finished=True, stopped_by=reason, checkpoint=evolution.checkpoint + 1)


def final(evolution: EvolutionState, index: int) -> Final:
    state = evolution.base if index == BASE else evolution.population[index]
    cycle = 0 if index == BASE else evolution.cycle
    instruction = _named(state.instruction)
    scored = (state.reward, state.components, state.abstained, state.breaks)
    return Final(cycle, index, instruction, state.response, *scored)


def _latest(evolution: EvolutionState, index: int) -> Final:
    """A response that nobody has scored as it is."""
    state = evolution.base if index == BASE else evolution.population[index]
    return changed(final(evolution, index), response=state.latest, reward=None, components={}, abstained="", breaks="")


def _unscored_precedence(response: Response) -> tuple[bool, bool, int]:
    return response.thinking, response.finish != "stop", -len(response.token_ids)


def _goes_on(state: State) -> bool:
    return not (state.dropped or state.response.finished)


def _without_score(state: State, config: Config) -> bool:
    return state.response.undecided and not config.replace_in_reasoning


def _comparable(state: State, config: Config) -> bool:
    """Whether the state can survive, donate and be replaced. One that was cut while it was thinking cannot, since it
    has no answer; one that is thinking can where the search compares thoughts.
    """
    response = state.response
    return response.comparable and not (response.thinking and (response.finished or _without_score(state, config)))


def _trusted(states: Sequence[State], comparable: Sequence[int]) -> tuple[int, ...]:
    """Of the comparable states those that keep what is required, and of these the ones whose reward can be trusted; all
    where none does.
    """
    keeping = [i for i in comparable if not states[i].breaks] or comparable
    return tuple(i for i in keeping if not states[i].abstained) or tuple(keeping)


def _thoughts(states: Sequence[State]) -> tuple[str, ...]:
    """What each state has thought; nothing where none has."""
    return _told(state.response.reasoning for state in states)


def _told(texts: Iterable[str]) -> tuple[str, ...]:
    found = tuple(texts)
    return found if any(found) else ()


def _complete(finals: Sequence[Final], settled: Settled) -> tuple[Final, ...]:
    """The complete responses; all of them where none is complete that keeps what is settled."""
    complete = tuple(final for final in finals if final.response.finished)
    return complete if any(settled.kept_by(final.response) for final in complete) else tuple(finals)


def _known(reward: float | None) -> float:
    if reward is None:
        raise UnexpectedOutcome("a decision is due, but a reward is missing")
    return reward


def _named(instruction: str | None) -> str:
    if instruction is None:
        raise UnexpectedOutcome("a decision is due, but a mutant is missing")
    return instruction
