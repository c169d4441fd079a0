"""The arguments that a caller gives the model's chat template."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator

from shared.records.limits import MAX_TEMPLATE_ARGUMENTS
from shared.records.template_inputs import RESERVED_ARGUMENTS


def _checked(arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        characters = len(json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode().decode())
    except ValueError:
        raise ValueError("must hold Unicode text and finite numbers") from None
    if characters > MAX_TEMPLATE_ARGUMENTS:
        raise ValueError(f"must have at most {MAX_TEMPLATE_ARGUMENTS} characters as JSON")
    if reserved := ", ".join(sorted(RESERVED_ARGUMENTS & arguments.keys())):
        raise ValueError(f"may not hold {reserved}: leave it out")
    return arguments


TemplateArguments = Annotated[dict[str, Any], AfterValidator(_checked)]
"""JSON values by the names under which the template reads them."""
