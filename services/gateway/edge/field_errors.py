"""What is wrong with a value, in sentences for callers, from pydantic's errors."""

import json
from collections.abc import Mapping
from typing import Any

_LONGEST_QUOTED = 40
# By pydantic's type of the error. The braces hold what its context gives, and what `sentence_about` adds.
_SENTENCES = {
    "bool_type": "must be true or false{given}",
    "dict_type": "must be an object{given}",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number{given}",
    "float_type": "must be a number{given}",
    "greater_than": "must be greater than {gt}{given}",
    "greater_than_equal": "must be at least {ge}{given}",
    "int_from_float": "must be a whole number{given}",
    "int_parsing": "must be a whole number{given}",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_type": "must be a whole number{given}",
    "less_than_equal": "must be at most {le}{given}",
    "list_type": "must be a list{given}",
    "literal_error": "must be {expected}{given}",
    "model_attributes_type": "must be an object{given}",
    "model_type": "must be an object{given}",
    "string_pattern_mismatch": "must have the form {pattern}{given}",
    "string_too_long": "must have at most {max_length} {things}{length}",
    "string_too_short": "must have {min_length} or more {things}{length}",
    "string_type": "must be a string{given}",
    "string_unicode": "must be Unicode text: it holds an unpaired surrogate",
    "too_long": "must have at most {max_length} {things}{length}",
    "too_short": "must have {min_length} or more {things}{length}",
    "unsupported_parameter": "{error}",
    "unsupported_value": "{error}",
    "value_error": "{error}",
}
_INSTEAD = {"darwin.method": "the name of the model chooses the method (GET /v1/models)"}
_CODES = {
    "extra_forbidden": "unsupported_parameter",
    "missing": "missing_required_parameter",
    "unsupported_parameter": "unsupported_parameter",
    "unsupported_value": "unsupported_value",
}


def sentence_about(name: str, error: Mapping[str, Any]) -> str:
    """What is wrong with the field `name`, and what it must be: "n must be at least 1, not 0".

    `error` is one of pydantic's. What a caller sent is quoted only if it is short.
    """
    match error["type"]:
        case "missing":
            return f"{name} is missing"
        case "extra_forbidden":
            return f"{name} is not supported: {_INSTEAD.get(name, 'leave it out')}"
    sentence = _SENTENCES.get(error["type"])
    if sentence is None:
        return f"{name} is not as /openapi.json describes it"
    value = error.get("input")
    context = {key: _number(part) for key, part in error.get("ctx", {}).items()}
    counted = {"given": _given(value), "things": _things(value), "length": _length(value)}
    subject = f"the key of {name}" if error["loc"][-1:] == ("[key]",) else name
    return f"{subject} {sentence.format_map(context | counted)}"


def code_of(error: Mapping[str, Any]) -> str:
    """The stable name of what is wrong with a value."""
    return _CODES.get(error["type"], "invalid_value")


def _given(value: Any) -> str:
    if isinstance(value, dict):
        return ", not an object"
    if isinstance(value, list):
        return ", not a list"
    text = "" if isinstance(value, bytes) else json.dumps(value)
    return f", not {text}" if 0 < len(text) <= _LONGEST_QUOTED else ""


def _things(value: Any) -> str:
    return "characters" if isinstance(value, str) else "entries" if isinstance(value, dict) else "items"


def _length(value: Any) -> str:
    return f", not {len(value)}" if isinstance(value, str | list | dict) else ""


def _number(value: Any) -> Any:
    """2 for 2.0; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
