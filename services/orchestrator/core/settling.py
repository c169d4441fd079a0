"""What of the answer is settled before the search ends: a beginning that is shown at once, and that the answer keeps.

In the last cycle, states that go on after a replacement share the beginning of their responses. It is settled once no
response outside would be the answer as things stand. From then on others neither donate nor can be the answer.
"""

from collections.abc import Sequence

from services.orchestrator.core.responses import Settled
from services.orchestrator.core.values import EvolutionState, State
from shared.picking.fallback import breaks_form


def settled_after(evolution: EvolutionState, population: Sequence[State]) -> Settled:
    """What is settled once the round has led to this population: as much as before, or more."""
    before, config = evolution.settled, evolution.config
    going_on = [state for state in population if not (state.dropped or state.response.finished)]
    if not config.stream_settled or evolution.cycle != config.cycles or not going_on:
        return before
    responses = [state.response for state in going_on]
    texts, thoughts = [response.text for response in responses], {response.reasoning for response in responses}
    doubtful = any(
        state.abstained or state.breaks or breaks_form(state) or state.response.called.begun or state.response.thinking
        for state in going_on
    )
    text = common_beginning(texts)
    shown = min(len(text), *(len(each) - config.held_back for each in texts))
    text = text[: max(0, shown)].rstrip()
    if doubtful or len(thoughts) > 1 or len(text) <= len(before.text) or not text.startswith(before.text):
        return before
    settled = Settled(text, responses[0].reasoning)
    return before if _leads_outside(evolution, population, settled) else settled


def _leads_outside(evolution: EvolutionState, population: Sequence[State], settled: Settled) -> bool:
    """Whether one that could still be the answer, and does not keep what is settled, has the greatest reward."""
    others = [(final.response, final.reward) for final in evolution.finals]
    others += [(state.response, state.reward) for state in population if state.response.finished and not state.dropped]
    outside = [
        reward
        for response, reward in others
        if reward is not None and evolution.settled.kept_by(response) and not settled.kept_by(response)
    ]
    inside = [state.reward for state in population if state.reward is not None and settled.kept_by(state.response)]
    return max(outside, default=float("-inf")) > max(inside, default=float("-inf"))


def common_beginning(texts: Sequence[str]) -> str:
    """What all of the texts begin with."""
    # Every text lies between the least and the greatest, and so begins with what these two share.
    least, greatest = min(texts), max(texts)
    length = next((at for at, (a, b) in enumerate(zip(least, greatest, strict=False)) if a != b), len(least))
    return least[:length]
