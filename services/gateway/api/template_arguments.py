"""The arguments that a caller gives the model's chat template."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator

from shared.records.limits import MAX_TEMPLATE_ARGUMENTS
from shared.records.template_inputs import RESERVED_ARGUMENTS

_MAX_DEPTH = 32


def _checked(arguments: dict[str, Any]) -> dict[str, Any]:
    if _too_deep(arguments):
        raise ValueError(f"must be at most {_MAX_DEPTH} deep")
    try:
        characters = len(json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode().decode())
    except ValueError:
        raise ValueError("must hold Unicode text and finite numbers") from None
    if characters > MAX_TEMPLATE_ARGUMENTS:
        raise ValueError(f"must have at most {MAX_TEMPLATE_ARGUMENTS} characters as JSON")
    if reserved := ", ".join(sorted(RESERVED_ARGUMENTS & arguments.keys())):
        raise ValueError(f"may not hold {reserved}: leave it out")
    return arguments


def _too_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        containers = [part for part in level if isinstance(part, dict | list)]
        level = [inner for part in containers for inner in (part.values() if isinstance(part, dict) else part)]
        depth += bool(containers)
    return depth > _MAX_DEPTH


TemplateArguments = Annotated[dict[str, Any], AfterValidator(_checked)]
"""JSON values by the names under which the template reads them."""
