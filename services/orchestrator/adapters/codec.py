"""JSON for the evolution, which is the record's `state`, and for the outcomes applied to it, which attempts hold."""

from typing import Any

from pydantic import TypeAdapter

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

_EVOLUTION: TypeAdapter[EvolutionState] = TypeAdapter(EvolutionState)
_NAMED: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Mutated, MutationEnded, Generated, Scored, Stopped)
}

_PLAIN: dict[str, Any] = {"response": {"logprobs"}}
# The mutation service acts on the one, and the worker on the other.
_NOT_THE_CORES = {"mutation", "deadline_ms"}


def dump(evolution: EvolutionState) -> str:
    """The evolution as JSON, without those of its settings on which the core does not act, or acts by default, and
    without log probabilities where it has none.
    """
    optional = ("selection", "complete_first", "rescore")
    beside = _NOT_THE_CORES | {name for name in optional if getattr(evolution.config, name) == getattr(Config, name)}
    exclude: dict[str, Any] = {"config": beside}
    states = [state.response for _, state in evolution.states()]
    if not any(response.logprobs for response in (*states, *(final.response for final in evolution.finals))):
        exclude |= {"base": _PLAIN, "population": {"__all__": _PLAIN}, "finals": {"__all__": _PLAIN}}
    return _EVOLUTION.dump_json(evolution, exclude=exclude).decode()


def load(state: Any) -> EvolutionState:
    """Raises `pydantic.ValidationError` where `state` is not what `dump` made."""
    return _EVOLUTION.validate_json(state) if isinstance(state, str) else _EVOLUTION.validate_python(state)


def dump_outcome(outcome: Outcome) -> dict[str, Any]:
    """The outcome's name as `kind`, and its fields. Fields at their defaults are left out, as is `scored_text` where it
    equals `text`.
    """
    name = type(outcome).__name__
    fields: dict[str, Any] = _NAMED[name].dump_python(outcome, mode="json", exclude_defaults=True)
    if isinstance(outcome, Generated) and outcome.scored_text == outcome.text:
        del fields["scored_text"]
    return {"kind": name, **fields}


def load_outcome(value: Any) -> Outcome:
    """Raises `ValueError` where `value` is not what `dump_outcome` made."""
    if not isinstance(value, dict) or value.get("kind") not in _NAMED:
        raise ValueError("no outcome: it has no known kind")
    fields = {name: field for name, field in value.items() if name != "kind"}
    if value["kind"] == Generated.__name__:
        fields.setdefault("scored_text", fields.get("text"))
    outcome: Outcome = _NAMED[value["kind"]].validate_python(fields)
    return outcome
