"""What a chat template is given for a reasoning effort, as far as it reads that."""

from collections.abc import Callable, Collection, Mapping

from shared.records.efforts import EFFORTS

# The names by which templates switch thinking on and off.
_SWITCHES = frozenset({"enable_thinking", "thinking"})


def effort_arguments(
    effort: str, variables: Collection[str], accepts: Callable[[Mapping[str, object]], bool]
) -> dict[str, object]:
    """The effort, one of `EFFORTS`, or the next one that the template `accepts`, which reads `variables`; and where
    there is to be none, that it shall not think.
    """
    if effort == "none" and (switches := _SWITCHES.intersection(variables)):
        return dict.fromkeys(sorted(switches), False)
    if "reasoning_effort" not in variables:
        return {}
    place: dict[str, int] = {name: at for at, name in enumerate(EFFORTS)}
    at = place[effort]
    nearest = sorted(place, key=lambda name: (abs(place[name] - at), place[name] < at))
    given: list[dict[str, object]] = [{"reasoning_effort": name} for name in nearest]
    return next(filter(accepts, given), {})
