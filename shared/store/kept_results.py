"""Answers as they are kept: what an answer needs, without what its request says already."""

from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from shared.records.evolution import EvolutionRequest, Result
from shared.records.telling import shared_length
from shared.records.turns import instruction_of

_RESULT: TypeAdapter[Result] = TypeAdapter(Result)


def packed(result: Result, request: EvolutionRequest) -> str:
    """The result as JSON without what is at its default. Instructions go on from the request's, and a reward that has
    one component only is that.
    """
    original = instruction_of(request.messages)
    fields = _RESULT.dump_python(result, mode="json", exclude_defaults=True)
    for choice in _choices(fields):
        kept = shared_length(original, choice["instruction"])
        choice["instruction"] = [kept, choice["instruction"][kept:]]
        if list(choice["components"].values()) == [choice["reward"]]:
            [choice["components"]] = choice["components"]
    return to_json(fields).decode()


def unpacked(text: str, request: EvolutionRequest) -> Result:
    """The result that `packed` made JSON of.

    Raises:
        ValueError: it is none.
    """
    original = instruction_of(request.messages)
    fields = from_json(text)
    try:
        for choice in _choices(fields):
            kept, rest = choice["instruction"]
            choice["instruction"] = original[:kept] + rest
            if isinstance(choice["components"], str):
                choice["components"] = {choice["components"]: choice["reward"]}
    except (TypeError, KeyError, IndexError) as error:
        raise ValueError(f"a result that cannot be read: {error!r}") from error
    return _RESULT.validate_python(fields)


def _choices(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return [choice for choice in (*fields["choices"], fields["base"]) if choice is not None]
