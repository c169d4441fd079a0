"""The evolution as a pure state machine (arXiv 2406.15193, algorithm 1; `docs/architecture.md`).

    evolution, events = begin(config, instruction, seed)
    while not evolution.finished:
        outcome = perform(next_effects(evolution))     # in any order, as they complete
        evolution, events = apply(evolution, outcome)

`next_effects` lists everything that may happen now, so states are scored while others still decode and mutants start
as they are accepted; decisions are taken only once a round is complete. They depend on nothing but the outcomes and
the draws, so any evolution can be interrupted, stored and continued between two outcomes.
"""

from collections.abc import Collection
from typing import Any

from services.orchestrator.core import budgets, recombining, rewarding, transitions
from services.orchestrator.core.frozen import changed
from services.orchestrator.core.responses import Called, Piece, Response
from services.orchestrator.core.selection import CounterDraws, Draws
from services.orchestrator.core.values import (
    BASE,
    Config,
    Effect,
    EvolutionState,
    Finish,
    Generate,
    Generated,
    Mutate,
    Mutated,
    MutationEnded,
    Outcome,
    Score,
    Scored,
    ScoredTogether,
    ScoreTogether,
    State,
    Step,
    Stopped,
    UnexpectedOutcome,
)
from shared.compute.draws import keyed_integer
from shared.records.events import Event, MutantAccepted, WishesWithheld
from shared.records.evolution import FinishReason


def begin(config: Config, instruction: str, seed: int, draws: Draws | None = None) -> Step:
    """A new evolution whose first effects can be performed."""
    evolution = EvolutionState(config=config, instruction=instruction, seed=seed, base=State(instruction=instruction))
    if config.cycles == 0:
        return changed(evolution, base=changed(evolution.base, allowance=config.max_generated_tokens)), ()
    return transitions.start_cycle(evolution, draws or CounterDraws(seed))


def next_effects(evolution: EvolutionState, decoding: Collection[int] = ()) -> tuple[Effect, ...]:
    """Everything that can be done now. An effect stays listed until its outcome is applied; compare by `key`. What the
    states of `decoding` are to decode is left out.
    """
    if evolution.finished:
        return (Finish(),)
    effects, together = list[Effect](), list[Score]()
    if evolution.mutating:
        effects.append(_mutate(evolution))
    for index, state in evolution.states():
        if state.instruction is not None and state.phase == "decode":
            if index in decoding:
                continue
            effects.append(_generate(evolution, index, state, state.instruction))
        elif state.phase == "score":
            where = (evolution.cycle, evolution.round, index)
            partial = not state.response.finished
            text = state.response.reasoning if state.response.undecided else state.scored_text
            score = Score(*where, text, evolution.scoring_finals, partial, state.response.self_certainty)
            (together if evolution.config.relative else effects).append(score)
    return (*effects, *rewarding.together(evolution, together))


def apply(evolution: EvolutionState, outcome: Outcome, draws: Draws | None = None) -> Step:
    """The evolution after an outcome, and the events that it caused.

    Raises:
        UnexpectedOutcome: no effect that is open now has this outcome.
    """
    if evolution.finished:
        raise UnexpectedOutcome(f"{type(outcome).__name__} after the end")
    match outcome:
        case Stopped(reason):
            return transitions.conclude(evolution, reason), ()
        case Mutated():
            evolution, events = _accept(evolution, outcome)
        case MutationEnded():
            evolution, events = _fill(evolution, outcome)
        case Generated():
            evolution, events = _extend(evolution, outcome), ()
        case Scored():
            evolution, events = _reward(evolution, outcome)
        case ScoredTogether():
            evolution, events = _reward_together(evolution, outcome)
    settled, more = transitions.settle(evolution, draws or CounterDraws(evolution.seed))
    return settled, events + more


def _with_state(evolution: EvolutionState, index: int, state: State, **changes: Any) -> EvolutionState:
    if index == BASE:
        return changed(evolution, base=state, **changes)
    population = list(evolution.population)
    population[index] = state
    return changed(evolution, population=tuple(population), **changes)


def _state_of(evolution: EvolutionState, outcome: Generated | Scored, phase: str) -> State:
    if not BASE <= outcome.state < len(evolution.population):
        raise UnexpectedOutcome(f"{outcome} for a population of {len(evolution.population)}")
    state = evolution.base if outcome.state == BASE else evolution.population[outcome.state]
    if (outcome.cycle, outcome.round) != (evolution.cycle, evolution.round) or state.phase != phase:
        raise UnexpectedOutcome(f"{outcome} in phase {state.phase} of round {evolution.cycle}.{evolution.round}")
    return state


def _mutate(evolution: EvolutionState) -> Mutate:
    return Mutate(
        cycle=evolution.cycle,
        parent=evolution.parent,
        count=evolution.config.mutants,
        exclude=tuple(state.instruction for state in evolution.population if state.instruction is not None),
        seed=keyed_integer(evolution.seed, "mutate", evolution.cycle),
        max_tokens=evolution.mutation_allowance,
        crossover=recombining.combined(evolution),
        refine=recombining.refined(evolution),
    )


def _generate(evolution: EvolutionState, index: int, state: State, instruction: str) -> Generate:
    config, token_ids = evolution.config, state.latest.token_ids
    left = config.max_tokens - len(token_ids)
    wanted = budgets.wanted(evolution, index, state)
    allowed = left if state.allowance is None else max(1, state.allowance)
    length = min(wanted, allowed)
    return Generate(
        cycle=evolution.cycle,
        round=evolution.round,
        state=index,
        instruction=instruction,
        token_ids=token_ids,
        max_new_tokens=length,
        lookahead=0 if index == BASE or length < wanted else min(config.lookahead, left - length, allowed - length),
        seed=_seed(evolution, index, len(state.response.token_ids)),
        to_be_continued=wanted < left,
    )


def _seed(evolution: EvolutionState, index: int, position: int) -> int:
    """The base response is decoded beside the rounds, in pieces cut by timing: its seed must not depend on either."""
    if index == BASE:
        return keyed_integer(evolution.seed, "base")
    return keyed_integer(evolution.seed, "sample", evolution.cycle, evolution.round, index, position)


def _accept(evolution: EvolutionState, outcome: Mutated) -> Step:
    if outcome.cycle != evolution.cycle or not evolution.awaits_mutants:
        raise UnexpectedOutcome(f"mutant for cycle {outcome.cycle} in cycle {evolution.cycle}")
    index = next(i for i, state in enumerate(evolution.population) if state.instruction is None)
    state = changed(evolution.population[index], instruction=outcome.text)
    event = MutantAccepted(evolution.cycle, index, outcome.text, outcome.operator, outcome.source)
    return _with_state(_rewriting(evolution, outcome.generated_tokens), index, state), (event,)


def _rewriting(evolution: EvolutionState, tokens: int) -> EvolutionState:
    """The evolution after a mutation has sampled so many tokens more."""
    bound = evolution.mutation_allowance
    return changed(
        evolution,
        spent=changed(evolution.spent, mutation=evolution.spent.mutation + tokens),
        round_tokens=evolution.round_tokens + tokens,
        mutation_allowance=None if bound is None else max(0, bound - tokens),
    )


def _fill(evolution: EvolutionState, outcome: MutationEnded) -> Step:
    if outcome.cycle != evolution.cycle or not evolution.mutating:
        raise UnexpectedOutcome(f"end of mutation {outcome.cycle} in cycle {evolution.cycle}")
    evolution = changed(_rewriting(evolution, outcome.generated_tokens), mutating=False)
    events: tuple[Event, ...] = ()
    while evolution.awaits_mutants:
        evolution, more = _accept(evolution, Mutated(evolution.cycle, evolution.parent, "parent", "parent"))
        events += more
    if outcome.withheld in ((), evolution.wishes_withheld):
        return evolution, events
    event = WishesWithheld(evolution.cycle, outcome.withheld)
    return changed(evolution, wishes_withheld=outcome.withheld), (*events, event)


def _extend(evolution: EvolutionState, outcome: Generated) -> EvolutionState:
    state = _state_of(evolution, outcome, "decode")
    response = _continued(state.latest, outcome, evolution.config.max_tokens)
    allowance = None if state.allowance is None else max(0, state.allowance - outcome.generated_tokens)
    state = changed(state, ahead=response, allowance=allowance)
    if not outcome.partial:
        scored = response.whole_text if response.called.calls else outcome.scored_text
        state = _piece_ended(evolution, outcome, changed(state, scored_text=scored))
    spent = changed(
        evolution.spent,
        decode=evolution.spent.decode + outcome.generated_tokens,
        cached=evolution.spent.cached + outcome.cached_tokens,
        prompt=outcome.prompt_tokens if outcome.state == BASE else evolution.spent.prompt,
    )
    round_tokens = evolution.round_tokens + (0 if outcome.state == BASE else outcome.generated_tokens)
    return _with_state(evolution, outcome.state, state, spent=spent, round_tokens=round_tokens)


def _piece_ended(evolution: EvolutionState, outcome: Generated, state: State) -> State:
    """The state once an engine has ended its piece. Where the budget has cut it, the rest may follow."""
    finished, spent = state.latest.finished, state.allowance == 0
    if spent and not finished and budgets.wanted(evolution, outcome.state, state):
        return changed(state, phase="short")
    if outcome.state != BASE or finished:
        return budgets.to_be_scored(
            evolution, state, "held" if evolution.scarce else budgets.scoring_phase(evolution.config)
        )
    # While mutants are being written the engine has room: the base response goes on without waiting for them. Alone it
    # goes on wherever an engine has ended its piece early.
    waited_for = evolution.awaits_mutants or (outcome.generated_tokens > 0 and not evolution.population)
    return budgets.with_piece(state, "decode" if waited_for and not spent else "idle")


def _continued(response: Response, outcome: Generated, max_tokens: int) -> Response:
    start, token_ids = len(response.token_ids), response.token_ids + outcome.token_ids
    piece = Piece(outcome.cycle, outcome.round, outcome.state, start, outcome.kept_tokens)
    pieces = (*response.pieces, piece)
    last = response.pieces[-1] if response.pieces else None
    of_last = last and (last.cycle, last.round, last.state) == (piece.cycle, piece.round, piece.state)
    if last and (outcome.state == BASE or of_last):
        # Where what a state decodes in a round was cut is chance, and nobody copies the base response: it is one piece.
        pieces = (*response.pieces[:-1], changed(last, tokens=last.tokens + piece.tokens))
    full = outcome.finish == "context" or len(token_ids) >= max_tokens
    ends = outcome.finish == "stop"
    # A thought that nothing follows is no answer.
    finish: FinishReason | None = "stop" if ends and not outcome.thinking else "length" if ends or full else None
    # Until it is finished, what it calls may change.
    called = outcome.called if finish else Called(begun=outcome.called.begun)
    text = called.beside if called.calls else outcome.text
    return Response(
        token_ids,
        text,
        finish,
        pieces,
        called,
        response.logprobs + outcome.logprobs,
        outcome.reasoning,
        outcome.reasoning_tokens,
        outcome.thinking,
        response.certainty + outcome.certainty,
    )


def _reward(evolution: EvolutionState, outcome: Scored) -> Step:
    return rewarding.rewarded(evolution, _state_of(evolution, outcome, "score"), outcome)


def _reward_together(evolution: EvolutionState, outcome: ScoredTogether) -> Step:
    asked = next((each for each in next_effects(evolution) if isinstance(each, ScoreTogether)), None)
    return rewarding.rewarded_together(evolution, outcome, asked)
