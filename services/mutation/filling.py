"""Fills up with templates, and then with the parent, where rewrites are missing."""

from itertools import islice
from random import Random

from services.mutation.fidelity import Compare
from services.mutation.guards import normalised
from services.mutation.messages import AcceptedMutant, MutationRequest, TextSource
from services.mutation.templates import Template, wrappings


def filled(
    request: MutationRequest,
    accepted: int,
    pool: tuple[Template, ...],
    taken: set[str],
    compare: Compare,
    rng: Random,
) -> list[AcceptedMutant]:
    """The mutants that bring `accepted` up to the count asked for: templates of `pool`, then the parent."""
    missing = request.count - accepted
    wrapped = dict(wrappings(request.parent, request.original, rng, pool, request.credit))
    new = ((text, name, TextSource.TEMPLATE) for text, name in wrapped.items() if normalised(text) not in taken)
    chosen = list(islice(new, missing))
    chosen += [(request.parent, "parent", TextSource.PARENT)] * (missing - len(chosen))
    similarities = compare([text for text, _, _ in chosen]) if chosen else []
    return [
        AcceptedMutant(text, name, source, similarity)
        for (text, name, source), similarity in zip(chosen, similarities, strict=True)
    ]
