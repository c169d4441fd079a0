"""What the budgets of an evolution leave: how far each state may decode in a round, and who of it is scored.

Tokens are dealt out before they are sampled, in equal shares to all that may sample in a round, so that effects under
way together stay within the budget whatever the order in which they end. What some have left over goes to those whose
pieces were cut. Only where fewer tokens are left than there are sequences does each have one nevertheless.
"""

from collections.abc import Iterable

from services.orchestrator.core import relative
from services.orchestrator.core.frozen import changed
from services.orchestrator.core.values import BASE, Config, EvolutionState, Phase, State
from shared.records.evolution import StoppedBy


def tokens_left(evolution: EvolutionState) -> int | None:
    """How many tokens may yet be sampled; None where nothing bounds that."""
    most = evolution.config.max_generated_tokens
    return None if most is None else max(0, most - evolution.spent.generated)


def calls_left(evolution: EvolutionState) -> int | None:
    """How many responses may yet be scored; None where nothing bounds that."""
    most = evolution.config.max_reward_calls
    return None if most is None else max(0, most - evolution.spent.reward_calls)


def phases(evolution: EvolutionState) -> list[Phase]:
    """What is next for the base state, and for each of the population."""
    return [evolution.base.phase, *[state.phase for state in evolution.population]]


def used_up(evolution: EvolutionState, sequences: int) -> StoppedBy | None:
    """The budget that leaves nothing for a further round, in which so many sequences would be decoded."""
    tokens = tokens_left(evolution)
    if tokens is not None and tokens < max(1, sequences):
        return "max_generated_tokens"
    return "max_reward_calls" if calls_left(evolution) == 0 else None


def wanted(evolution: EvolutionState, index: int, state: State) -> int:
    """How many tokens the state's piece lacks, whatever the budget is. An engine whose ids merely stand for text may
    have given more than it was asked for."""
    config = evolution.config
    left = config.max_tokens - len(state.latest.token_ids)
    # With its population at the end, nobody waits for the base state at the next round.
    alone = index == BASE and (evolution.scoring_finals or not evolution.population)
    return max(0, left if alone else min(config.period - state.grown, left))


def with_piece(state: State, phase: Phase) -> State:
    """The state whose response has its whole piece, and no reward until it is scored."""
    state = changed(state, reward=None, components={}, abstained="", embedding="", breaks="")
    return changed(state, phase=phase, response=state.latest, ahead=None)


def to_be_scored(evolution: EvolutionState, state: State, phase: Phase) -> State:
    """The state with its whole piece, in the phase that leads to its score. One that is still thinking has no score,
    unless the search compares thoughts.
    """
    silent = state.latest.undecided and not evolution.config.replace_in_reasoning
    return with_piece(state, "scored" if silent else phase)


def scoring_phase(config: Config) -> Phase:
    """The phase of what is to be scored, where the budget has calls for all."""
    return "held" if config.relative else "score"


def with_shares(evolution: EvolutionState) -> EvolutionState:
    """The evolution at the beginning of a round, whose states that decode, and mutation, are dealt their tokens."""
    decoding = [index for index, state in evolution.states() if state.phase == "decode"]
    left, rewrites = tokens_left(evolution), evolution.config.mutants if evolution.mutating else 0
    share = None if left is None else max(1, left // max(1, len(decoding) + rewrites))
    calls = calls_left(evolution)
    due = sum(state.phase in ("decode", "score") for _, state in evolution.states())
    scarce = calls is not None and calls < due and not evolution.config.relative
    if scarce:
        evolution = _with_each(
            evolution, [i for i, state in evolution.states() if state.phase == "score"], phase="held"
        )
    bound = None if share is None or not rewrites else share * rewrites
    return changed(_with_each(evolution, decoding, allowance=share), mutation_allowance=bound, scarce=scarce)


def decided(evolution: EvolutionState) -> EvolutionState:
    """The evolution once nobody decodes: who goes on with what was left over, and else who is scored. It is unchanged
    where neither is to be decided.
    """
    if {"short", "held"}.isdisjoint(phases(evolution)):
        return evolution
    short = [index for index, state in evolution.states() if state.phase == "short"]
    if short:
        left = tokens_left(evolution) or 0
        if left >= len(short):
            return _with_each(evolution, short, allowance=left // len(short), phase="decode")
        evolution = _with_states(evolution, {index: _cut(evolution, index) for index in short})
    held = [i for i, state in evolution.states() if state.phase == "held" and not relative.waits(evolution, i)]
    calls = calls_left(evolution) if evolution.scarce or evolution.config.relative else None
    if not held or calls is None or calls >= len(held) + len(relative.earlier(evolution)):
        return _with_each(evolution, held, phase="score")
    if relative.keeps_rewards(evolution):
        calls = 0
    chosen = sorted(held, key=lambda index: _precedence(_state(evolution, index)))[:calls]
    evolution = _with_each(evolution, held, phase="scored")
    return changed(_with_each(evolution, chosen, phase="score"), ending="max_reward_calls")


def _cut(evolution: EvolutionState, index: int) -> State:
    """A state that the budget leaves as it is. The base response is scored when it is complete, except as one of n."""
    state, beside = _state(evolution, index), index == BASE and _in_rounds(evolution)
    return changed(state, phase="idle") if beside else to_be_scored(evolution, state, "held")


def _in_rounds(evolution: EvolutionState) -> bool:
    """Whether a population decodes of which something is decided before its responses are complete."""
    config = evolution.config
    return bool(evolution.population) and (config.replace or config.shrink < 1)


def _precedence(state: State) -> tuple[bool, bool, bool]:
    """Sorts those first that may yet be the answer: what is no answer comes last, and what was cut before that."""
    return state.response.roomless, not state.response.finished, state.response.finish != "stop"


def _state(evolution: EvolutionState, index: int) -> State:
    return evolution.base if index == BASE else evolution.population[index]


def _with_each(evolution: EvolutionState, indices: Iterable[int], **changes: object) -> EvolutionState:
    return _with_states(evolution, {i: changed(_state(evolution, i), **changes) for i in indices})


def _with_states(evolution: EvolutionState, states: dict[int, State]) -> EvolutionState:
    if not states:
        return evolution
    population = tuple(states.get(index, state) for index, state in enumerate(evolution.population))
    return changed(evolution, base=states.get(BASE, evolution.base), population=population)
