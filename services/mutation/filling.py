"""Mutants that no language model writes: those that quote responses, and what fills up where rewrites are missing."""

from collections.abc import Iterator
from itertools import islice
from random import Random

from services.mutation import recombination
from services.mutation.demands import Demands
from services.mutation.fidelity import Compare
from services.mutation.guards import normalised
from services.mutation.messages import AcceptedMutant, MutationRequest, TextSource
from services.mutation.templates import Template, wrappings


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
    pool: tuple[Template, ...],
    taken: set[str],
    compare: Compare,
    rng: Random,
) -> list[AcceptedMutant]:
    """The mutants that are missing: templates of `pool`, then the parent."""
    wrapped = dict(wrappings(request.parent, request.original, rng, pool, request.credit))
    new = ((text, name, TextSource.TEMPLATE) for text, name in wrapped.items() if normalised(text) not in taken)
    chosen = list(islice(new, missing))
    chosen += [(request.parent, "parent", TextSource.PARENT)] * (missing - len(chosen))
    similarities = compare([text for text, _, _ in chosen]) if chosen else []
    return [
        AcceptedMutant(text, name, source, similarity)
        for (text, name, source), similarity in zip(chosen, similarities, strict=True)
    ]
