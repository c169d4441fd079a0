"""JSON for the evolution, which is the record's `state`.

States are saved in parts (see `packing`). The evolution in one piece is what versions before parts write and read; it
goes on in that form where one of them accepted it.
"""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from services.orchestrator.adapters.packing import NOT_THE_CORES, Written
from services.orchestrator.adapters.unpacking import unpack
from services.orchestrator.core.responses import NOTHING_SETTLED
from services.orchestrator.core.values import Config, EvolutionState, Final, State
from shared.records.evolution import SavedState
from shared.records.schema import UnknownSchema, of_another_version

SCHEMA = 1
"""The number of the schema of states in one piece. A change that other versions would read in another sense takes
the next one; a new field needs none, because versions without it refuse what they do not know. A state without a number
is of the first.
"""
KNOWN = {1}
"""The numbers of the schemas that are read."""

_EVOLUTION: TypeAdapter[EvolutionState] = TypeAdapter(EvolutionState)
# The settings that a state has had from the beginning: it has later ones only where they are not at their defaults.
_FIRST = {"cycles", "mutants", "period", "survivors", "lookahead", "max_generated_tokens", "max_reward_calls"}
_FIRST |= {"mutate", "replace", "max_tokens", "archive_candidates"}


def dump(evolution: EvolutionState) -> str:
    """The evolution as JSON, with the number of its schema, without those of its settings on which the core does not
    act, or acts by default, and without what few evolutions have: log probabilities, self-certainty, rewards that
    abstain, requirements that are broken, states that were dropped, gains.
    """
    settings = vars(evolution.config).items()
    default = {name for name, value in settings if name not in _FIRST and value == getattr(Config, name)}
    beside = NOT_THE_CORES | default
    states = [state for _, state in evolution.states()]
    both: list[State | Final] = [*states, *evolution.finals]
    of_final: dict[str, Any] = {}
    if not any(each.response.logprobs for each in both):
        of_final["response"] = {"logprobs"}
    uncertain = not any(each.response.certainty for each in both) and not any(each.latest.certainty for each in states)
    if uncertain:
        of_final.setdefault("response", set()).add("certainty")
    for name in ("abstained", "breaks"):
        if not any(getattr(each, name) for each in both):
            of_final[name] = True
    seldom = [name for name in ("dropped", "embedding") if not any(getattr(state, name) for state in states)]
    of_state = of_final | dict.fromkeys(seldom, True) | ({"ahead": {"certainty"}} if uncertain else {})
    exclude: dict[str, Any] = {"config": beside, "base": of_state}
    exclude |= {"population": {"__all__": of_state}, "finals": {"__all__": of_final}}
    if not evolution.gains:
        exclude["gains"] = True
    if evolution.settled == NOTHING_SETTLED:
        exclude["settled"] = True
    fields = _EVOLUTION.dump_json(evolution, exclude=exclude).decode()
    return f'{{"schema":{SCHEMA},{fields.removeprefix("{")}'


def load(state: Any) -> EvolutionState:
    """The evolution that `dump` made JSON of.

    Raises:
        UnknownSchema: another version of this program wrote it.
        pydantic.ValidationError: it is not what `dump` makes.
    """
    try:
        fields = from_json(state) if isinstance(state, str) else state
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return _EVOLUTION.validate_python(fields)
    number = fields.get("schema", 1)
    if number not in KNOWN:
        raise UnknownSchema(f"its state is of schema {number}, which this worker does not know")
    try:
        without_number = {name: value for name, value in fields.items() if name != "schema"}
        return _EVOLUTION.validate_python(without_number, extra="forbid")
    except ValidationError as error:
        if of_another_version(error):
            raise UnknownSchema("its state has fields or values that this worker does not know") from error
        raise


def restore(state: SavedState | str) -> tuple[EvolutionState, Written]:
    """The evolution of a record's state, and what is written of it in parts.

    Raises:
        UnknownSchema: another version of this program wrote it.
        ValueError: it cannot be read.
    """
    return unpack(state) if isinstance(state, SavedState) else (load(state), Written())
