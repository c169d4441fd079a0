"""What a round does: pieces of work, each of which is at most once under way."""

from services.orchestrator.core.values import (
    Effect,
    Generate,
    Generated,
    Mutate,
    Mutated,
    MutationEnded,
    Outcome,
    Score,
    Scored,
)
from shared.records.attempts import Stage

Work = tuple[Stage, int | None]
"""What is at most once under way: a stage's work on a state, or the mutation of a cycle, which has no state."""

_STAGES: dict[type, Stage] = {
    **dict.fromkeys((Generate, Generated), "generation"),
    **dict.fromkeys((Score, Scored), "reward"),
    **dict.fromkeys((Mutate, Mutated, MutationEnded), "mutation"),
}


def ends(outcome: Outcome) -> bool:
    """Whether the work that an outcome belongs to is done."""
    if isinstance(outcome, Generated):
        return not outcome.partial
    return isinstance(outcome, (MutationEnded, Scored))


def work_of(value: Effect | Outcome) -> Work:
    """The work that an effect begins, or that an outcome belongs to."""
    stage = _STAGES[type(value)]
    return stage, None if stage == "mutation" else value.state  # type: ignore[union-attr]
