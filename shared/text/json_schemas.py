"""Whether JSON follows a schema, for schemas that callers send: nothing is fetched, and no pattern runs for long."""

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs

_BACKTRACKS = 100_000
_REMEMBERED = 256


def schema_problem(schema: str) -> str | None:
    """Why a JSON text is no JSON schema that can be used here, in a few words, or None."""
    try:
        _validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        lines = str(error).splitlines()
        return (lines[0] if lines else type(error).__name__)[:200]
    return None


def follows(schema: str, text: str) -> bool:
    """Whether a text is JSON of the schema; every JSON object follows an empty one."""
    try:
        value = json.loads(text)
        return isinstance(value, dict) if not schema else bool(_validator(schema).is_valid(value))
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, RecursionError):
        return False


@lru_cache(_REMEMBERED)
def _validator(schema: str) -> Any:
    return jsonschema_rs.validator_for(
        json.loads(schema),
        retriever=_refuse,
        pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS),
    )


def _refuse(uri: str) -> Any:
    raise ValueError("a schema is taken from the request only")
