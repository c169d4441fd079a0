"""What the events of an evolution have told, as far as its state says so."""

from services.orchestrator.core.values import EvolutionState
from shared.records.telling import Told


def told_before(evolution: EvolutionState) -> Told:
    """What the events up to this state have told; nothing of a response that has grown since the last round."""
    return Told(
        evolution.parent,
        {i: state.instruction for i, state in enumerate(evolution.population) if state.instruction is not None},
        {
            i: state.response.whole_text
            for i, state in enumerate(evolution.population)
            if state.response.pieces and state.response.pieces[-1].round < evolution.round
        },
        evolution.archive,
        {
            i: state.response.reasoning
            for i, state in enumerate(evolution.population)
            if state.response.pieces and state.response.pieces[-1].round < evolution.round
        },
    )
