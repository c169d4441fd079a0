"""The outcomes of an evolution that has ended, whole, as they were applied, and the texts that were scored."""

from collections.abc import Sequence

from services.orchestrator.adapters import outcome_json
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import Outcome, Score, Scored
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import EvolutionRequest
from shared.records.turns import instruction_of


def replayed(
    request: EvolutionRequest, attempts: Sequence[Attempt], events: Sequence[Event]
) -> tuple[list[Outcome], list[Score]]:
    """Every outcome in order, and the effect of each score.

    Raises:
        ValueError: an outcome cannot be read.
        UnexpectedOutcome: another version of this program made them, which decided otherwise.
    """
    evolution, _ = machine.begin(config_for(request), instruction_of(request.messages), request.seed)
    outcomes: list[Outcome] = []
    scores: list[Score] = []
    for value in (value for attempt in attempts for value in attempt.outcomes):
        outcome = outcome_json.load_outcome(value, evolution, events)
        if isinstance(outcome, Scored):
            open_scores = [effect for effect in machine.next_effects(evolution) if isinstance(effect, Score)]
            scores += [effect for effect in open_scores if effect.state == outcome.state]
        evolution, _ = machine.apply(evolution, outcome)
        outcomes.append(outcome)
    return outcomes, scores
