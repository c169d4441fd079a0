"""Which final responses the mutants that quote responses quote: the best so far, from the second cycle on."""

from services.orchestrator.core.values import EvolutionState, Final
from shared.picking import votes
from shared.picking.fallback import breaks_form

_FEWEST = 2
"""Fewer responses than these have nothing to be combined with."""


def combined(evolution: EvolutionState) -> tuple[str, ...]:
    """The responses that this cycle's crossover combines, best first; none where it has no crossover."""
    wanted = evolution.config.crossover
    found = _quotable(evolution) if wanted else ()
    return found[:wanted] if len(found) >= _FEWEST else ()


def refined(evolution: EvolutionState) -> str:
    """The response that this cycle's refine improves; empty where it has none."""
    found = _quotable(evolution) if evolution.config.refine else ()
    return found[0] if found else ""


def _quotable(evolution: EvolutionState) -> tuple[str, ...]:
    """The distinct texts of earlier cycles' responses, best first. Responses are distinct where more than spaces
    differs.
    """
    if evolution.cycle < 2:
        return ()
    ranked = votes.ranked([each for each in evolution.finals if _is_quotable(each)], evolution.config.complete_first)
    texts: dict[str, str] = {}
    for final in ranked:
        texts.setdefault(" ".join(final.response.text.split()), final.response.text)
    return tuple(texts.values())


def _is_quotable(final: Final) -> bool:
    """Whether a response is a text that shows how to answer: not empty, whole thoughts behind it, no call, a reward
    that can be trusted, in the form that the conversation demands, and no requirement broken.
    """
    response = final.response
    trusted = final.reward is not None and not (final.abstained or final.breaks or breaks_form(final))
    return trusted and response.valid and not response.called.calls and bool(response.text.strip())
