"""The terms of an API key as options of a command, made from where each is declared (`shared.records.key_terms`)."""

import inspect
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Annotated, Any

import typer

from shared.records.key_terms import TERMS, Names
from shared.records.search import DeclaredSetting

_UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
_SPAN = re.compile(r"(\d{1,6})([mhd])")


def with_term_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a Typer command one option for each term, in the place of its parameter `terms`.

    The command receives in it what was given, by name.
    """
    options = {each.name: _option(each) for each in TERMS.values()}

    @wraps(command)
    def parsed(**values: Any) -> None:
        given = {name: values.pop(name) for name in options}
        terms = {name: _value(TERMS[name], value) for name, value in given.items() if value is not None}
        command(terms=terms, **values)

    given = inspect.signature(command).parameters.values()
    parameters = [option for each in given for option in (options.values() if each.name == "terms" else [each])]
    parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    parsed.__annotations__ = {each.name: each.annotation for each in parameters}
    return parsed


def _option(declared: DeclaredSetting) -> inspect.Parameter:
    name, text = declared.name, declared.setting.text.replace("`", "")
    kind: Any = declared.type
    option = typer.Option(help=text)
    if name == "expires_at":
        help_text = "When it expires: a date or time (UTC, such as 2027-01-31 or 2027-01-31T12:00), or 90d, 12h, 30m."
        kind, option = str, typer.Option("--expires", metavar="TIME", help=help_text)
    elif declared.type == Names:
        kind, option = str, typer.Option(metavar="NAME,…", help=f"{text.removesuffix('.')}; separated by commas.")
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)


def _value(declared: DeclaredSetting, given: Any) -> Any:
    """The term's value from what stood on the command line."""
    if declared.name == "expires_at":
        return _time(given)
    return _names(given) if declared.type == Names else given


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _time(text: str) -> float:
    """Unix seconds.

    Raises:
        BadParameter: the text is neither a time nor a span.
    """
    if span := _SPAN.fullmatch(text):
        return time.time() + int(span.group(1)) * _UNITS_S[span.group(2)]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: write 2027-01-31, 2027-01-31T12:00 or 90d") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
