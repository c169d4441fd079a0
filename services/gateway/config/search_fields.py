"""The settings of a search as fields of a body's model, made from where each is declared (`shared.records.search`)."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, create_model

from shared.records.search import declared_settings

Body = TypeVar("Body", bound=BaseModel)


def _without_fraction(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_without_fraction)
"""Has a field of whole numbers take 200.0 for 200, which JSON does not tell apart."""


def with_search_settings(*, accepted: bool) -> Callable[[type[Body]], type[Body]]:
    """A class decorator that adds a field for every setting to a model.

    Where it is `accepted` from callers, a setting has its default, its bounds and its description; in what the API
    answers each is present, and of its type.
    """

    def add(model: type[Body]) -> type[Body]:
        fields: dict[str, Any] = {}
        for each in declared_settings():
            if accepted:
                bounds = Field(ge=each.setting.least, le=each.setting.most)
                declared = Field(each.default, description=each.setting.text)
                fields[each.name] = (Annotated[each.type, bounds, WHOLE], declared)
            else:
                fields[each.name] = (each.type, Field())
        return create_model(
            model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **fields
        )

    return add
