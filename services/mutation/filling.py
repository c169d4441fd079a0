"""Mutants that no language model writes: those that quote responses, and what fills up where rewrites are missing."""

from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random
from typing import NamedTuple

from services.mutation import recombination
from services.mutation.demands import Demands
from services.mutation.fidelity import Compare
from services.mutation.guards import normalised
from services.mutation.messages import AcceptedMutant, MutationRequest, TextSource
from services.mutation.templates import Template, wrappings
from services.mutation.wishes import dressed


class Around(NamedTuple):
    """The parent without wishes, the templates that may be put around it, and the lines of wishes, in their turn; none
    where none is told.
    """

    parent: str
    pool: Sequence[Template]
    wishes: Sequence[Template] = ()


def quoting(request: MutationRequest, demands: Demands, criticised: bool) -> Iterator[tuple[str, str]]:
    """(text, operator) of the mutants that quote responses, without a refine that is `criticised` first."""
    if crossed := recombination.crossover(request.original, request.crossover, demands):
        yield crossed, recombination.CROSSOVER
    if lacks_refine(request) and not criticised:
        yield recombination.refine(request.original, request.refine, "", demands), recombination.REFINE


def lacks_refine(request: MutationRequest) -> bool:
    """Whether a response is to be refined, and no mutant of an earlier call for the same cycle does so. What merely
    keeps the parent is none.
    """
    earlier = (text for text in request.exclude if text != request.parent)
    made = (recombination.operator_of(text, request.original) for text in earlier)
    return bool(request.refine.strip()) and recombination.REFINE not in made


def filled(
    request: MutationRequest,
    missing: int,
    around: Around,
    taken: set[str],
    compare: Compare,
    rng: Random,
) -> list[AcceptedMutant]:
    """The mutants that are missing: templates, with a line of wishes where they are told, then the parent."""
    made = _dressed(request, around, rng) if around.wishes else _wrapped(request, around, rng)
    if missing < 1:
        return []
    chosen = list(islice((each for each in made if normalised(each[0]) not in taken), missing))
    similarities = compare([bare for _, _, bare in chosen] + [around.parent] * (len(chosen) < missing))
    mutants = [
        AcceptedMutant(text, name, TextSource.TEMPLATE, similarity)
        for (text, name, _), similarity in zip(chosen, similarities, strict=False)
    ]
    left = missing - len(mutants)
    return mutants + [AcceptedMutant(request.parent, "parent", TextSource.PARENT, similarities[-1])] * left


def _wrapped(request: MutationRequest, around: Around, rng: Random) -> Iterator[tuple[str, str, str]]:
    found = dict(wrappings(around.parent, request.original, rng, around.pool, request.credit))
    return ((text, name, text) for text, name in found.items())


def _dressed(request: MutationRequest, around: Around, rng: Random) -> Iterator[tuple[str, str, str]]:
    seen = set[str]()
    made = dressed(around.parent, request.original, tuple(around.wishes), around.pool, rng, request.credit)
    for text, name, bare in made:
        if text not in seen:
            seen.add(text)
            yield text, name, bare
