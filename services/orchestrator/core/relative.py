"""Rewards that compare responses, which mean something among those only that were scored together.

So the states of a round are scored in one call once nothing decodes, finished ones anew, and at a cycle's end all that
can be the answer are: the base response and the final responses of every cycle. What compares over cycles, as the
archive and the answer do, goes by those rewards. A cycle that is cut short adds nothing to what was compared before.
"""

from services.orchestrator.core.frozen import changed
from services.orchestrator.core.scoring import Score
from services.orchestrator.core.values import BASE, EvolutionState, Final
from shared.records.events import ArchiveEntry


def waits(evolution: EvolutionState, index: int) -> bool:
    """Whether a state that is complete is scored at the end of the cycle only: the base response takes part in no
    round."""
    return evolution.config.relative and index == BASE and bool(evolution.population) and not evolution.scoring_finals


def compared_before(evolution: EvolutionState) -> bool:
    """Whether there are final responses whose rewards those of an open cycle cannot be compared with."""
    return evolution.config.relative and evolution.cycle > 1


def keeps_rewards(evolution: EvolutionState) -> bool:
    """Whether responses have been compared, so that a part of them is not compared again: its rewards would say nothing
    beside those that the others have."""
    compared = any(state.reward is not None for state in evolution.population)
    return compared_before(evolution) or (evolution.config.relative and compared)


def earlier(evolution: EvolutionState) -> tuple[Final, ...]:
    """The final responses of earlier cycles, which are scored with those of this one."""
    if not (evolution.config.relative and evolution.scoring_finals):
        return ()
    return tuple(final for final in evolution.finals if final.state != BASE and final.cycle < evolution.cycle)


def earlier_scores(evolution: EvolutionState) -> tuple[Score, ...]:
    """What is asked for of those."""
    return tuple(
        Score(final.cycle, 0, final.state, each.whole_text, True, not each.finished, each.self_certainty)
        for final in earlier(evolution)
        for each in (final.response,)
    )


def with_archive(evolution: EvolutionState) -> EvolutionState:
    """The evolution whose archive has the rewards of the scoring that has just ended: of each instruction that of its
    best response."""
    if not evolution.config.relative:
        return evolution
    best = {entry.instruction: float("-inf") for entry in evolution.archive}
    for each in evolution.finals:
        if each.instruction in best and each.reward is not None:
            best[each.instruction] = max(best[each.instruction], each.reward)
    return changed(evolution, archive=tuple(ArchiveEntry(*entry) for entry in best.items()))
