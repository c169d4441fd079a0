"""What becomes of a request's field, declared beside it: warnings, refusals and docs/api.md are made from this.

A field without one of these annotations is obeyed.
"""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema


class WithoutEffect:
    """The field is taken without effect, and the answer's warnings name it.

    Null needs no warning, nor do the values of `silent`: what they ask for is what happens anyway.
    """

    def __init__(self, *silent: Any) -> None:
        self.silent = silent

    def warns_of(self, value: Any) -> bool:
        """Whether the answer must say that this value had no effect."""
        return value is not None and not _is_one_of(value, self.silent)


class NotSupported:
    """What the field is for is not supported: it takes null and `harmless`, values that change nothing, alone.

    `why` completes a refusal: what is missing, and what to do where that is more than leaving the field out.
    """

    def __init__(self, *harmless: Any, why: str) -> None:
        self.harmless = harmless
        self._wanted = " or ".join([*(json.dumps(value) for value in harmless), "left out"])
        self._why = why

    @property
    def description(self) -> str:
        """What the field takes, and why nothing else, as a sentence."""
        return f"Must be {self._wanted}: {self._why}."

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"enum": [*self.harmless, None], "description": self.description}

    def _check(self, value: Any) -> Any:
        if value is None or _is_one_of(value, self.harmless):
            return value
        code = "unsupported_value" if self.harmless else "unsupported_parameter"
        raise PydanticCustomError(code, "{error}", {"error": f"must be {self._wanted}: {self._why}"})


Kind = WithoutEffect | NotSupported


def kind_of(field: FieldInfo) -> Kind | None:
    """What is declared of the field; None where it is obeyed."""
    return next((extra for extra in field.metadata if isinstance(extra, Kind)), None)


def warnings_of(body: BaseModel) -> tuple[str, ...]:
    """A sentence for each field that was given and has no effect, such as "messages[].name is taken without effect"."""
    return tuple(dict.fromkeys(f"{path} is taken without effect" for path in _without_effect(body, "")))


def _without_effect(body: BaseModel, prefix: str) -> Iterator[str]:
    for name, field in type(body).model_fields.items():
        value = getattr(body, name)
        kind = kind_of(field)
        if isinstance(kind, WithoutEffect) and kind.warns_of(value):
            yield prefix + name
        elif isinstance(value, BaseModel):
            yield from _without_effect(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, BaseModel):
                    yield from _without_effect(item, f"{prefix}{name}[].")


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    """Whether JSON's equality holds with one of the values; Python's takes 0 for False."""
    return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in values)
