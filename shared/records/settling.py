"""When the beginning of an answer may be settled, and so shown, before its search ends (`darwin.stream_settled`)."""

from shared.records.evolution import EvolutionRequest
from shared.records.search import in_rounds


def unsettled(request: EvolutionRequest) -> str:
    """Why nothing of this request's answer is settled before the end, although it asks for that; else empty."""
    if not request.search.stream_settled:
        return ""
    reasons = {
        f"{request.method} decodes its responses in one piece": not in_rounds(request.method, request.search),
        "n is more than 1": request.n > 1,
        "tools may be called": bool(request.tool_use.offered),
        "the answer has a format, in which only whole answers count": request.sampling.format is not None,
        "the rewards of its profile compare responses of one round only": request.relative_rewards,
        "log probabilities are told of whole answers": request.sampling.logprobs is not None,
    }
    why = next((why for why, holds in reasons.items() if holds), None)
    return f"darwin.stream_settled is taken without effect: {why}" if why else ""
