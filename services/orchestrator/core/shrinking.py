"""A population that shrinks at its rounds: many responses begin, and the badly rewarded ones end early.

Source: speculative rejection (arXiv 2410.20290).
"""

from collections.abc import Collection, Sequence

from services.orchestrator.core.values import State

_ROUNDING = 1e-9


def dropped(states: Sequence[State], comparable: Collection[int], share: float) -> frozenset[int]:
    """Which of the comparable states end after a round, of whose unfinished ones such a `share` goes on, rounded down.

    The best rewarded go on, one at least, the lower index first among equals. Those that break a requirement end first,
    and then those whose reward abstains. A finished response costs nothing more, and stays.
    """
    unfinished = [index for index in comparable if not states[index].response.finished]
    if share >= 1 or not unfinished:
        return frozenset()
    kept = max(1, int(len(unfinished) * share + _ROUNDING))
    return frozenset(sorted(unfinished, key=lambda index: _precedence(states[index]))[kept:])


def _precedence(state: State) -> tuple[bool, bool, float]:
    return bool(state.breaks), bool(state.abstained), float("inf") if state.reward is None else -state.reward
