"""Which clients' programs work against Darwin with nothing but the base URL changed, and which against plain vLLM.

usage: python -m tests.clients [--only CLIENT[,CLIENT]] [--engine ENGINE] [--no-plain] [--write docs/clients.md]

Each client has an environment of its own under `.clients/`, made at the first run. A plain vLLM server with the same
model stands beside Darwin, and knows the model by the name that the programs use.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cli.stack import Stack, StackSettings
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from tests.clients.environments import clients, python_of, version_of
from tests.clients.runner import Outcome, Program, programs, run
from tests.vllm_server import running

MODEL = "gpt-4o-mini"


@contextmanager
def plain_vllm() -> Iterator[str]:
    """The base URL of a vLLM server with the embedded model, which takes tools and structured output as it can."""
    arguments = ("--model", resolve(EMBEDDED_LLM), "--served-model-name", MODEL, "--max-model-len", "8192")
    more = ("--kv-cache-memory-bytes", str(2**30), "--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), *arguments, *more, env={}) as url:
        yield f"{url}/v1"


@contextmanager
def darwin(engine: str) -> Iterator[str]:
    with Stack(StackSettings(engine=engine)) as stack:
        yield f"{stack.url}/v1"


def outcomes(chosen: list[Program], base_url: str, title: str, console: Console) -> dict[str, Outcome]:
    """Runs the programs one after another, and prints each as it ends."""
    found = {}
    for program in chosen:
        outcome = found[program.name] = run(program, base_url, MODEL)
        mark = "[green]works[/]" if outcome.reason is None else f"[red]fails[/] {outcome.reason}"
        console.print(f"{title} {program.name} ({outcome.seconds:.0f} s): {mark}", soft_wrap=True, highlight=False)
    return found


def page(chosen: list[Program], ours: dict[str, Outcome], plain: dict[str, Outcome], versions: dict[str, str]) -> str:
    """docs/clients.md."""
    mine = sum(ours[program.name].reason is None for program in chosen)
    theirs = sum(outcome.reason is None for outcome in plain.values())
    lines = [
        "# Clients",
        "",
        "Which programs of other people's libraries work against Darwin, and against a plain vLLM server with the same",
        "model beside it. Only the base URL (and a key, which is not asked for) is set; the model's name is",
        f"`{MODEL}`. `make clients` makes this page: {mine} of {len(chosen)} work with Darwin"
        + (f", {theirs} with vLLM." if plain else "."),
        "",
        "| program | what it does | Darwin | vLLM |",
        "| --- | --- | --- | --- |",
    ]
    for program in chosen:
        cells = [_cell(ours.get(program.name)), _cell(plain.get(program.name))]
        lines.append(f"| {program.name} | {program.purpose} | {cells[0]} | {cells[1]} |")
    lines += ["", "Releases: " + ", ".join(versions[client] for client in versions) + ".", ""]
    return "\n".join(lines)


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    return "works" if outcome.reason is None else outcome.reason.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(clients()), help="clients, separated by commas")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--no-plain", action="store_true", help="without vLLM beside it")
    parser.add_argument("--write", type=Path, help="where the table is written as Markdown")
    arguments = parser.parse_args()
    console, names = Console(), arguments.only.split(",")
    for name in names:
        console.print(f"environment of {name}: {python_of(name).parent.parent}", highlight=False)
    chosen = programs(names)
    with darwin(arguments.engine) as base_url:
        ours = outcomes(chosen, base_url, "darwin", console)
    plain = {}
    if not arguments.no_plain:
        with plain_vllm() as base_url:
            plain = outcomes(chosen, base_url, "vllm", console)
    table = Table("program", "darwin", "vllm")
    for program in chosen:
        table.add_row(program.name, _cell(ours[program.name]), _cell(plain.get(program.name)))
    console.print(table)
    if arguments.write:
        arguments.write.write_text(page(chosen, ours, plain, {name: version_of(name) for name in names}))
    sys.exit(0)


if __name__ == "__main__":
    main()
