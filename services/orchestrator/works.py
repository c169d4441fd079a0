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
    ScoredTogether,
    ScoreTogether,
)
from shared.records.attempts import Stage

Work = tuple[Stage, int | None]
"""What is at most once under way: a stage's work on a state, or what is of no state: the mutation of a cycle, or the
scoring of a population together."""

_STAGES: dict[type, Stage] = {
    **dict.fromkeys((Generate, Generated), "generation"),
    **dict.fromkeys((Score, Scored, ScoreTogether, ScoredTogether), "reward"),
    **dict.fromkeys((Mutate, Mutated, MutationEnded), "mutation"),
}


def ends(outcome: Outcome) -> bool:
    """Whether the work that an outcome belongs to is done."""
    if isinstance(outcome, Generated):
        return not outcome.partial
    return isinstance(outcome, (MutationEnded, Scored, ScoredTogether))


def work_of(value: Effect | Outcome) -> Work:
    """The work that an effect begins, or that an outcome belongs to."""
    return _STAGES[type(value)], getattr(value, "state", None)
