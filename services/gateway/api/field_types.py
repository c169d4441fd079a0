"""The types that bodies of requests are declared with."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import core_schema

MAX_TEXT = 1_000_000
"""Characters of one text at most; a body's limit is mostly reached before."""


class Body(BaseModel):
    """A JSON object with these fields and no other; values are of the type declared, and none is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text: it holds an unpaired surrogate") from None
    return text


class OneOf:
    """Has a field take one of some words, or an object, with errors that say so: which object, its `type` says, unless
    there is one kind only.

    Errors of a plain union say of each of its members why the value is none.
    """

    def __init__(self, *words: str, **objects: type[BaseModel]) -> None:
        self._words = words
        self._objects = objects

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._check, handler(source))

    def _check(self, value: Any, inner: Any) -> Any:
        if isinstance(value, dict):
            kind = self._kind(value)
            if kind is not None:
                return kind.model_validate(value)
        elif isinstance(value, BaseModel) or (isinstance(value, str) and value in self._words):
            return inner(value)
        typed = f" with the type {' or '.join(self._objects)}" if len(self._objects) > 1 else ""
        raise ValueError(f"must be {', '.join(self._words)}, or an object{typed}")

    def _kind(self, value: dict[str, Any]) -> type[BaseModel] | None:
        if len(self._objects) == 1:
            return next(iter(self._objects.values()))
        return self._objects.get(str(value.get("type")))


ENCODABLE = AfterValidator(_encodable)
"""Has a field refuse what is no Unicode text."""
Text = Annotated[str, ENCODABLE]
