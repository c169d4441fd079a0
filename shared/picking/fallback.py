"""When the base response is the answer although another one is rewarded better: where that reward says nothing."""

from collections.abc import Sequence

from shared.picking.final import BASE, F, Final, Scored
from shared.records.evolution import Fallback

_FORM = "form"
"""The component of rewards that is negative for a response that breaks what the conversation demands of its form."""


def with_fallback(ranked: Sequence[F], complete_first: bool) -> tuple[list[F], Fallback | None]:
    """The final responses with the base response first, and why, where the first one must not be the answer; else as
    they are. The base response takes nobody's place that is empty itself, or not valid or, with `complete_first`, cut
    where the other one is not. Where the first one breaks a requirement, all do, and so the base response is the answer
    for this reason even where it came first.
    """
    base = next((final for final in ranked if final.state == BASE), None)
    if base is None or not base.response.whole_text.strip():
        return list(ranked), None
    if base is ranked[0]:
        return list(ranked), "requirement_broken" if base.breaks else None
    cut = complete_first and base.response.finish != "stop" and ranked[0].response.finish == "stop"
    why = _why_not(ranked[0], base) if base.response.valid and not cut else None
    return ([base, *(final for final in ranked if final is not base)] if why else list(ranked)), why


def _why_not(first: Final, base: Final) -> Fallback | None:
    if not first.response.whole_text.strip():
        return "empty"
    if breaks_form(first) and not breaks_form(base):
        return "form_broken"
    if first.breaks:
        return "requirement_broken"
    return "reward_abstained" if first.abstained else None


def breaks_form(scored: Scored) -> bool:
    """Whether a response that was scored breaks what the conversation demands of its form."""
    return scored.components.get(_FORM, 0.0) < 0
