"""The settings of a search as fields of a body's model, made from where each is declared (`shared.records.search`)."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, Field, create_model

from shared.records.search import declared_settings

Body = TypeVar("Body", bound=BaseModel)


def with_search_settings(*, accepted: bool) -> Callable[[type[Body]], type[Body]]:
    """A class decorator that adds a field for every setting to a model.

    Where it is `accepted` from callers, a setting has its default, its bounds and its description; in what the API
    answers each is present, and of its type.
    """

    def add(model: type[Body]) -> type[Body]:
        fields: dict[str, Any] = {}
        for each in declared_settings():
            text = each.setting.text
            given = Field(each.default, ge=each.setting.least, le=each.setting.most, description=text)
            fields[each.name] = (each.type, given if accepted else Field())
        return create_model(
            model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **fields
        )

    return add
