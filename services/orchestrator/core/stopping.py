"""Whether a further cycle is worth its tokens, by what the cycles so far have gained."""

import math

from services.orchestrator.core.frozen import changed
from services.orchestrator.core.values import EvolutionState
from shared.compute.expected_gain import expected_gain
from shared.records.events import Outlook


def with_gains(evolution: EvolutionState) -> EvolutionState:
    """The evolution whose cycle is complete, with what its final responses gained. Its archive is that from which the
    cycle's parent was drawn. Without a price nothing is noted.
    """
    if evolution.config.token_price is None:
        return evolution
    bar = next(reward for instruction, reward in _origins(evolution) if instruction == evolution.parent)
    rewards = [final.reward for final in evolution.finals if final.cycle == evolution.cycle]
    gains = tuple(reward - bar for reward in rewards if reward is not None)
    return changed(evolution, gains=evolution.gains + gains)


def outlook(evolution: EvolutionState) -> Outlook | None:
    """What a further cycle promises; None where the search has no price, no further cycle, or nothing to judge by,
    as where no response keeps what is required. Its tokens are the mean of the cycles so far, mutation included.
    """
    config = evolution.config
    keeping = [final.reward for final in evolution.finals if final.reward is not None and not final.breaks]
    if config.token_price is None or evolution.cycle == config.cycles or not keeping or not evolution.gains:
        return None
    parents = [reward for _, reward in _origins(evolution)]
    gain = expected_gain(evolution.gains, parents, max(keeping), config.mutants)
    tokens = max(0, evolution.spent.generated - evolution.base.response.tokens) / evolution.cycle
    price = config.token_price * tokens / 1000
    return Outlook(gain, tokens, price) if math.isfinite(gain) else None


def _origins(evolution: EvolutionState) -> list[tuple[str, float]]:
    """The instructions from which the next ones are made, with their rewards. Where none is rewritten, responses are
    drawn from the same distribution in every cycle, whatever the archive's best was worth, so each is compared with
    the base response.
    """
    if evolution.config.mutate:
        return [(entry.instruction, entry.reward) for entry in evolution.archive]
    reward = evolution.base.reward
    return [] if reward is None else [(evolution.instruction, reward)]
