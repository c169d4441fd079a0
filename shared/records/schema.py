"""Tells JSON that another version of this program wrote from JSON that is broken."""

from pydantic import ValidationError

# What pydantic calls a field, or a value of a closed set, that this version does not have.
_UNKNOWN = {"unexpected_keyword_argument", "extra_forbidden", "literal_error", "union_tag_invalid"}


class UnknownSchema(Exception):
    """JSON of another version of this program: to write it back would lose what this version does not know."""


def of_another_version(error: ValidationError) -> bool:
    """Whether a value failed because of a field or a choice that this version does not know. No version leaves fields
    out, so that a value which lacks one is broken.
    """
    types = {part["type"] for part in error.errors(include_url=False, include_input=False)}
    return bool(types & _UNKNOWN) and "missing" not in types
