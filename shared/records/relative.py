"""What a search has not whose profile compares responses, so that rewards mean something among these only."""

from shared.errors import InvalidRequest
from shared.methods import METHODS
from shared.records.evolution import EvolutionRequest
from shared.records.limits import MAX_SEQUENCES


def check_relative(request: EvolutionRequest) -> None:
    """Raises `InvalidRequest` where more responses would be compared in the end than a call may hold."""
    most = request.search.cycles * request.search.mutants + 1
    if request.relative_rewards and METHODS[request.method].searches and most > MAX_SEQUENCES:
        raise InvalidRequest(
            f"the reward profile {request.profile} compares the responses of all cycles, which are {most} and may be "
            f"{MAX_SEQUENCES}: take fewer cycles or mutants",
            field="darwin.cycles",
        )


def unpriced(request: EvolutionRequest) -> str:
    """Why tokens have no price in this search, although the request names one; else empty."""
    if not request.relative_rewards or request.search.token_price is None:
        return ""
    return (
        "darwin.token_price is taken without effect: the reward profile compares responses, so that a gain has no unit"
    )
