"""The rules of a search's settings that need more than one of them."""

from shared.errors import InvalidRequest
from shared.methods import METHODS, Method
from shared.records.search import RECOMBINING, Search, most_responses


def check_search(method: Method, search: Search, n: int) -> None:
    """The rules that need more than one setting.

    Raises:
        InvalidRequest: the settings contradict each other, the method, or `n` responses; names the field to change.
    """
    traits = METHODS[method]
    if traits.searches and search.cycles < 1:
        raise InvalidRequest(
            f"darwin.cycles must be at least 1 with {method}; only sample has none", field="darwin.cycles"
        )
    if traits.replaces and search.mutants < 2:
        raise InvalidRequest(
            f"darwin.mutants must be at least 2 with {method}, which replaces responses by others",
            field="darwin.mutants",
        )
    if traits.replaces and search.survivors >= search.mutants:
        raise InvalidRequest(
            f"darwin.survivors ({search.survivors}) must be less than darwin.mutants ({search.mutants}) with {method}: "
            "with every state surviving, nothing is ever replaced",
            field="darwin.survivors",
        )
    if traits.replaces and search.diversity and (search.survivors < 2 or search.selection != "truncation"):
        raise InvalidRequest(
            "darwin.diversity is about the survivors of truncation: give two darwin.survivors or more and no other "
            "darwin.selection, or leave it out",
            field="darwin.diversity",
        )
    _check_recombination(method, search)
    most = most_responses(method, search)
    if n > most:
        remedy = "raise darwin.mutants or darwin.cycles" if traits.searches else "use best-of-n"
        raise InvalidRequest(
            f"n ({n}) exceeds the {most} final response(s) of {method} with these settings: lower n, or {remedy}",
            field="n",
        )


def may_recombine(method: Method, search: Search) -> bool:
    """Whether the mutants that quote earlier responses, if the settings have any, find what they need."""
    return METHODS[method].mutates and search.cycles > 1 and len(_recombining(search)) < search.mutants


def _recombining(search: Search) -> list[str]:
    return [f"darwin.{name}" for name in RECOMBINING if getattr(search, name)]


def _check_recombination(method: Method, search: Search) -> None:
    """The rules of the mutants that quote earlier responses; raises as `check_search` does."""
    if search.crossover == 1:
        raise InvalidRequest(
            "darwin.crossover must be at least 2, or 0 for none: one response has nothing to be combined with",
            field="darwin.crossover",
        )
    chosen = _recombining(search)
    if not chosen or may_recombine(method, search):
        return
    names, field = " and ".join(chosen), chosen[0]
    if not METHODS[method].mutates:
        mutating = " or ".join(name for name, traits in METHODS.items() if traits.mutates)
        raise InvalidRequest(
            f"{method} has no mutants, of which {names} would make one: use {mutating}, or leave it out", field=field
        )
    if search.cycles < 2:
        raise InvalidRequest(
            f"{names} builds on the responses of earlier cycles: give two darwin.cycles or more, or leave it out",
            field=field,
        )
    raise InvalidRequest(
        f"{names} would leave no other mutant of darwin.mutants ({search.mutants}): give more than {len(chosen)}, or "
        "leave it out",
        field=field,
    )
