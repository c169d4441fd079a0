"""Errors about the fields of an inner request, as errors about the fields that the caller knows."""

import copy
from collections.abc import Mapping

from shared.errors import ContextLengthExceeded, DarwinError


def renamed(error: DarwinError, names: Mapping[str, str]) -> DarwinError:
    """The error with the field that the caller gave: `names` maps the first part of a field's path to its name there.

    Where the path goes on, as in `messages.0.content`, the name stands for all of it. The sentence names the field as
    the caller does, except where client libraries know it by its words.
    """
    head = (error.field or "").partition(".")[0]
    if head not in names:
        return error
    known = copy.copy(error)
    known.field = names[head]
    if not isinstance(error, ContextLengthExceeded) and error.field is not None:
        known.message = error.message.replace(error.field, known.field).replace(head, known.field)
        known.args = (known.message,)
    return known
