"""The settings of a search as options of a command, made from where each is declared (`shared.records.search`)."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Literal, get_origin

import typer

from shared.records.search import DeclaredSetting, declared_settings


def with_search_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a Typer command one option for each setting, in the place of its parameter `search`.

    The command receives in it what was given, by name. The gateway checks the values, so that a newer one may take
    more than this command line knows of.
    """
    options = [_option(each) for each in declared_settings()]

    @wraps(command)
    def parsed(**values: Any) -> None:
        given = {option.name: values.pop(option.name) for option in options}
        command(search={name: value for name, value in given.items() if value is not None}, **values)

    given = inspect.signature(command).parameters.values()
    parameters = [option for each in given for option in (options if each.name == "search" else [each])]
    parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    parsed.__annotations__ = {each.name: each.annotation for each in parameters}
    return parsed


def _option(declared: DeclaredSetting) -> inspect.Parameter:
    kind = str if get_origin(declared.type) is Literal else declared.type
    option = typer.Option(help=declared.setting.text.replace("`", ""))
    annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(
        declared.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation
    )
