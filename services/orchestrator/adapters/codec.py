"""The evolution as JSON values, for the record's `state`."""

from typing import Any

from pydantic import TypeAdapter

from services.orchestrator.core.model import Evolution

_EVOLUTION: TypeAdapter[Evolution] = TypeAdapter(Evolution)


def dump(evolution: Evolution) -> Any:
    return _EVOLUTION.dump_python(evolution, mode="json")


def load(state: Any) -> Evolution:
    """Raises `pydantic.ValidationError` where `state` is not what `dump` made."""
    return _EVOLUTION.validate_python(state)
