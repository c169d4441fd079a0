"""The order of final responses, some of which call tools: calls are voted for, texts are ranked by reward."""

from collections.abc import Sequence
from itertools import takewhile
from math import sqrt, tanh

from shared.compute.draws import keyed_integer
from shared.compute.pessimism import UNITS, in_drawn_order
from shared.picking.final import F, Final


def ranked(finals: Sequence[F], complete_first: bool = False) -> list[F]:
    """All final responses, best first, the earlier first among equals.

    1. Responses that are not valid come after all others, by reward. Of the valid ones, those that break a requirement
       come after those that do not, and each kind is in the order that follows.
    2. Of texts and calls the more numerous kind comes first; the calls, where there are as many of both.
    3. Texts are in the order of their rewards; with `complete_first`, those that were cut come after the others.
    4. Calls that are alike, in names and canonical arguments, are a group. Groups are in the order of their votes: each
       member's counts 1 + tanh(z) / 4, where z is how many standard deviations its reward lies above the mean of all
       valid calls. So equal rewards make it a majority vote, equal shares a comparison of rewards, and a group of less
       than three fifths of another's size never comes before it. Within a group rewards decide.
    """
    ordered = sorted(finals, key=_complete_first if complete_first else _descending)
    valid = [final for final in ordered if final.response.valid]
    keeping, breaking = ([final for final in valid if bool(final.breaks) == breaks] for breaks in (False, True))
    return [*_of_both(keeping), *_of_both(breaking), *(final for final in ordered if not final.response.valid)]


def _of_both(valid: Sequence[F]) -> list[F]:
    """Texts and calls, each in their order, the more numerous kind first."""
    texts = [final for final in valid if not final.response.called.calls]
    calls = _by_votes([final for final in valid if final.response.called.calls])
    return [*calls, *texts] if len(calls) >= len(texts) else [*texts, *calls]


def drawn(ranked: Sequence[F], beta: float, seed: int, complete_first: bool = False) -> list[F]:
    """The ranked final responses, of which the texts that come first are in an order that is drawn by the weights of
    their rewards (see `pessimism`), always the same for a seed.
    """
    first = list(takewhile(lambda final: _drawable(final, ranked[0], complete_first), ranked))
    in_order = in_drawn_order(
        first,
        lambda final: 0.0 if final.reward is None else final.reward,
        beta,
        lambda place: keyed_integer(seed, "answer", place) % UNITS / UNITS,
    )
    return [*in_order, *ranked[len(first) :]]


def _drawable(final: Final, best: Final, complete_first: bool) -> bool:
    response = final.response
    alike = bool(final.breaks) == bool(best.breaks)
    alike = alike and (not complete_first or response.finish == best.response.finish)
    return final.reward is not None and response.valid and not response.called.calls and alike


def _by_votes(calls: Sequence[F]) -> list[F]:
    """The calls group by group; they come in the order of their rewards, and so stay within a group."""
    groups: dict[str, list[F]] = {}
    votes: dict[str, float] = {}
    for final, vote in zip(calls, _votes([final.reward for final in calls]), strict=True):
        key = final.response.called.canonical
        groups.setdefault(key, []).append(final)
        votes[key] = votes.get(key, 0.0) + vote
    return [final for key in sorted(groups, key=lambda key: -votes[key]) for final in groups[key]]


def _votes(rewards: Sequence[float | None]) -> list[float]:
    """What each call's vote counts; where its reward is missing, or all are equal, 1."""
    known = [reward for reward in rewards if reward is not None]
    mean = sum(known) / len(known) if known else 0.0
    deviation = sqrt(sum((reward - mean) ** 2 for reward in known) / len(known)) if known else 0.0
    return [
        1.0 if reward is None or not deviation else 1.0 + tanh((reward - mean) / deviation) / 4 for reward in rewards
    ]


def _complete_first(final: Final) -> tuple[bool, float]:
    return final.response.finish != "stop", _descending(final)


def _descending(final: Final) -> float:
    return float("inf") if final.reward is None else -final.reward
