"""`darwin check`: how a model, a reward model or an endpoint will be served, or in one sentence why not."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import CommandError, reported
from shared.errors import DarwinError
from shared.process.settings import SettingsError, reasons
from shared.text.embedded_models import resolve


class ModelKind(StrEnum):
    """What the checked model is to be used as."""

    GENERATOR = "generator"
    REWARD = "reward"
    ENDPOINT = "endpoint"


def check(
    model: Annotated[
        str, typer.Argument(help="A folder, a Hugging Face id, an endpoint's URL, or a reward profile (.yaml).")
    ],
    kind: Annotated[
        ModelKind | None, typer.Option("--as", help="What it is to be; found out where it is left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as one JSON document.")] = False,
) -> None:
    """Say how Darwin will serve a model, or what to change so that it can; services check the same when they start."""
    console = Console(stderr=as_json)
    with reported(console):
        try:
            kind = kind or kind_of(model)
            with console.status(f"checking {model} as {kind}"):
                found = _CHECKS[kind](model)
        except (DarwinError, SettingsError, ValidationError) as error:
            why = "; ".join(reasons(error)) if isinstance(error, ValidationError) else str(error)
            if as_json:
                print(json.dumps({"error": why}, ensure_ascii=False))
            raise CommandError(why) from error
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        console.print(f"{model} as {kind}: can be served", highlight=False, markup=False, soft_wrap=True)
        console.print(_table(found))


def kind_of(model: str) -> ModelKind:
    """By the form of its name, else by what the configuration says it holds."""
    if model.startswith(("http://", "https://")):
        return ModelKind.ENDPOINT
    if Path(model).suffix in (".yaml", ".yml"):
        return ModelKind.REWARD
    from shared.text.config import load_config

    holds = load_config(resolve(model)).architectures
    return ModelKind.REWARD if any("Classification" in name for name in holds) else ModelKind.GENERATOR


def _generator(model: str) -> Any:
    from services.generation.inspection import inspect_generator

    return plain(inspect_generator(model))


def _reward(model: str) -> Any:
    from services.reward.checking import check_reward

    return plain(asyncio.run(check_reward(model)))


def _endpoint(url: str) -> Any:
    from services.generation.inspection import inspect_endpoint
    from services.generation.settings import GenerationSettings

    return plain(asyncio.run(inspect_endpoint(GenerationSettings(engine="openai", endpoint=url, endpoints=""))))


_CHECKS: Mapping[ModelKind, Callable[[str], Any]] = {
    ModelKind.GENERATOR: _generator,
    ModelKind.REWARD: _reward,
    ModelKind.ENDPOINT: _endpoint,
}


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries of their shown fields, sets and tuples as lists: what JSON can hold."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.repr}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value))
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _table(found: Mapping[str, Any]) -> Table:
    table = Table(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(found):
        table.add_row(name, Text(value))
    return table


def _rows(found: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        label = f"{under}{name}".replace("_", " ")
        if isinstance(value, dict):
            yield from _rows(value, f"{label}: ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for index, each in enumerate(value, start=1):
                yield from _rows(each, f"{label} {index}: ")
        else:
            yield label, _shown(value)


def _shown(value: Any) -> str:
    match value:
        case None:
            return "–"
        case True:
            return "yes"
        case False:
            return "no"
        case list():
            return ", ".join(map(_shown, value)) or "none"
        case _:
            return str(value)
