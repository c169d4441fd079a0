"""The form that a caller demands of a response: what is frozen with a request, and travels to the engines."""

from dataclasses import dataclass
from typing import Literal

FormatKind = Literal["json_object", "json_schema", "regex", "choice", "grammar"]


@dataclass(frozen=True)
class ResponseFormat:
    """What the text of every response must be.

    `definition` is, by kind: empty for "json_object", which is any JSON object; the JSON text of a schema; a regular
    expression in Rust's syntax that the whole text matches; a JSON array of strings, one of which the text is; or a
    grammar, Lark as llguidance reads it or GBNF. `field` is the request's field that demands it, for refusals.
    """

    kind: FormatKind
    definition: str = ""
    field: str = "response_format"

    @property
    def is_json(self) -> bool:
        """Whether every response is a JSON text."""
        return self.kind in ("json_object", "json_schema")
