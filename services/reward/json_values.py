"""JSON responses: whether one is JSON, and the text of its values, for scorers that read text: what is said, without
names and braces."""

import json
import re

# A string, which may be cut, and behind it the colon that makes it a name; or a number or literal.
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*\\?)("?)(\s*:)?|[^\s"{}\[\],:]+', re.DOTALL)
# An escape that is cut has no meaning yet.
_CUT = re.compile(r"(?<!\\)(\\\\)*\\(u[0-9a-fA-F]{0,3})?$")


def values_text(text: str) -> str:
    """The values in the order of the text, one a line; `text` may end anywhere.

    Where there is no value yet, it is the text itself, so that a response that only begins is not taken for an empty
    one.
    """
    values = []
    for found in _TOKEN.finditer(text):
        content, closed, name = found[1], found[2], found[3]
        if name:
            continue
        values.append(found[0] if content is None else _string(content, bool(closed)))
    return "\n".join(value for value in values if value.strip()) or text


def is_json(said: str, *, partial: bool) -> bool:
    """Whether a text is one JSON object or array and nothing else, or a partial one may become that."""
    if said and said[0] not in "{[":
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(said)
    except (ValueError, RecursionError):  # deeper nested than anybody reads
        return partial or not said
    return end == len(said)


def _string(content: str, closed: bool) -> str:
    whole = content if closed else _CUT.sub(r"\1", content)
    try:
        return str(json.loads(f'"{whole}"', strict=False))
    except ValueError:
        return whole
