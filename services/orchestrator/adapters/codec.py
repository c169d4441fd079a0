"""JSON for the evolution, which is the record's `state`, and for the outcomes applied to it, which attempts hold.

States are saved in parts (see `packing`). The evolution in one piece is what versions before parts write and read; it
goes on in that form where one of them accepted it.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from services.orchestrator.adapters.packing import NOT_THE_CORES, Written
from services.orchestrator.adapters.unpacking import unpack
from services.orchestrator.core.values import (
    Config,
    EvolutionState,
    Generated,
    Mutated,
    MutationEnded,
    Outcome,
    Scored,
    Stopped,
)
from shared.records.evolution import SavedState
from shared.records.limits import MAX_NEW_TOKENS
from shared.records.schema import UnknownSchema, of_another_version

SCHEMA = 1
"""The number of the schema of states in one piece. A change that other versions would read in another sense takes
the next one; a new field needs none, because versions without it refuse what they do not know. A state without a number
is of the first.
"""
KNOWN = {1}
"""The numbers of the schemas that are read."""

_EVOLUTION: TypeAdapter[EvolutionState] = TypeAdapter(EvolutionState)
_NAMED: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Mutated, MutationEnded, Generated, Scored, Stopped)
}

_PLAIN: dict[str, Any] = {"response": {"logprobs"}}


SHORTENING = {"kept", "scored_kept"}
"""What an outcome has beside its fields where its texts begin where they are new."""


def dump(evolution: EvolutionState) -> str:
    """The evolution as JSON, with the number of its schema, without those of its settings on which the core does not
    act, or acts by default, and without log probabilities where it has none.
    """
    optional = ("selection", "complete_first", "rescore")
    beside = NOT_THE_CORES | {name for name in optional if getattr(evolution.config, name) == getattr(Config, name)}
    exclude: dict[str, Any] = {"config": beside}
    states = [state.response for _, state in evolution.states()]
    if not any(response.logprobs for response in (*states, *(final.response for final in evolution.finals))):
        exclude |= {"base": _PLAIN, "population": {"__all__": _PLAIN}, "finals": {"__all__": _PLAIN}}
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


def dump_outcome(outcome: Outcome) -> dict[str, Any]:
    """The outcome's name as `kind`, and its fields. Fields at their defaults are left out, as is `scored_text` where it
    equals `text`. Of `token_ids` it has the number: no decision depends on which they are.
    """
    name = type(outcome).__name__
    fields: dict[str, Any] = _NAMED[name].dump_python(outcome, mode="json", exclude_defaults=True)
    if isinstance(outcome, Generated):
        fields["token_ids"] = len(outcome.token_ids)
        if outcome.scored_text == outcome.text:
            del fields["scored_text"]
    return {"kind": name, **fields}


def dump_outcomes(outcomes: Sequence[Outcome], evolution: EvolutionState) -> tuple[dict[str, Any], ...]:
    """Outcomes that are applied to the evolution, in this order. Of a text there is what is new: it has the first
    `kept` characters of what its state has before, and the scored text the first `scored_kept` of it.
    """
    texts = {index: state.latest.text for index, state in evolution.states()}
    return tuple(_shortened(outcome, texts) for outcome in outcomes)


def _shortened(outcome: Outcome, texts: dict[int, str]) -> dict[str, Any]:
    value = dump_outcome(outcome)
    if isinstance(outcome, Generated):
        text, before = outcome.text, texts.get(outcome.state, "")
        texts[outcome.state] = text
        if before and text.startswith(before):
            value |= {"text": text[len(before) :], "kept": len(before)}
        if "scored_text" in value and outcome.scored_text.startswith(text):
            value |= {"scored_text": outcome.scored_text[len(text) :], "scored_kept": len(text)}
    return value


def load_outcome(value: Any, evolution: EvolutionState | None = None) -> Outcome:
    """The outcome that was dumped, with 0 for each of its token ids, which earlier versions kept.

    Without the evolution that it is applied to, its texts begin where they are new.

    Raises:
        ValueError: `value` is not what it made.
    """
    if not isinstance(value, dict) or value.get("kind") not in _NAMED:
        raise ValueError("no outcome: it has no known kind")
    fields = {name: field for name, field in value.items() if name != "kind"}
    if value["kind"] == Generated.__name__:
        _lengthen(fields, evolution)
        if isinstance(number := fields.get("token_ids"), int):
            if not 0 <= number <= MAX_NEW_TOKENS:
                raise ValueError(f"{number} tokens in one piece")
            fields["token_ids"] = (0,) * number
    outcome: Outcome = _NAMED[value["kind"]].validate_python(fields)
    return outcome


def _lengthen(fields: dict[str, Any], evolution: EvolutionState | None) -> None:
    """Puts whole texts in the place of those that begin where they are new."""
    kept, scored_kept, text = fields.pop("kept", 0), fields.pop("scored_kept", 0), fields.get("text", "")
    if not (isinstance(kept, int) and isinstance(scored_kept, int) and isinstance(text, str)):
        raise ValueError("an outcome whose text is no text")
    if kept and evolution is not None:
        before = next((state.latest.text for index, state in evolution.states() if index == fields.get("state")), "")
        if not 0 <= kept <= len(before):
            raise ValueError("an outcome that goes on from a text that is not there")
        text = before[:kept] + text
    fields["text"] = text
    scored = fields.get("scored_text")
    fields["scored_text"] = text if scored is None else text[:scored_kept] + scored if scored_kept else scored
