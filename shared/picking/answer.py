"""The order in which final responses answer."""

from collections.abc import Sequence

from shared.picking import votes
from shared.picking.fallback import with_fallback
from shared.picking.final import F
from shared.records.evolution import Fallback


def picked(
    finals: Sequence[F], beta: float, seed: int, complete_first: bool = False
) -> tuple[list[F], Fallback | None]:
    """The final responses, the answer first, and why the base response is the answer although another one came first,
    if it is. With a `beta` which of them come first is drawn, the same for a `seed`.
    """
    ranked = votes.ranked(finals, complete_first)
    if beta:
        ranked = votes.drawn(ranked, beta, seed, complete_first)
    return with_fallback(ranked, complete_first)
