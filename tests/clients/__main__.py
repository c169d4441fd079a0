"""Which clients' programs work against Darwin with nothing but the base URL changed, and which against plain vLLM.

usage: python -m tests.clients [--only CLIENT[,CLIENT]] [--engine ENGINE] [--no-plain] [--log FILE]
                               [--write docs/clients.md]

Each client has an environment of its own under `.clients/`, made at the first run. A plain vLLM server with the same
model stands beside Darwin, and knows the model by the name that the programs use.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.stack import Stack, StackSettings
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from tests.clients.environments import NotInstalled, clients, install, version_of
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
    """The base URL of a stack in which any name of a model means Darwin's, as under `make up`, and which sends webhooks
    to receivers on this machine.
    """
    env = {
        "DARWIN_GATEWAY_DEFAULT_MODEL": "darwin",
        "DARWIN_GATEWAY_WEBHOOK_HTTP": "true",
        "DARWIN_GATEWAY_WEBHOOK_NETWORKS": "127.0.0.1",
    }
    simulated = engine == "simulated"
    with Stack(StackSettings.simulated(env) if simulated else StackSettings(engine=engine, env=env)) as stack:
        yield f"{stack.url}/v1"


def outcomes(chosen: list[Program], base_url: str, title: str, console: Console) -> dict[str, Outcome]:
    """Runs the programs one after another, and prints each as it ends."""
    found = {}
    for program in chosen:
        outcome = found[program.name] = run(program, base_url, MODEL)
        mark = "[green]works[/]" if outcome.reason is None else f"[red]fails[/] {escape(outcome.reason)}"
        console.print(f"{title} {program.name} ({outcome.seconds:.0f} s): {mark}", soft_wrap=True, highlight=False)
    return found


def page(chosen: list[Program], ours: dict[str, Outcome], plain: dict[str, Outcome], versions: list[str]) -> str:
    """docs/clients.md."""
    first = [program for program in chosen if program.path.stem.startswith("hello")]
    lines = [
        "# Clients",
        "",
        "Which programs of other people's libraries work against Darwin, and against a plain vLLM server with the same",
        "model (SmolLM2-135M) beside it. Only the base URL is set, and a key, which neither asks for; the model's name",
        f"is `{MODEL}`. They assert what a server must do, not what so small a model can know. Where a program",
        "fails, it says so in its own words; a dash is a program that was not run. `make clients` makes this page.",
        "",
        "| | programs | Darwin | vLLM |",
        "| --- | --- | --- | --- |",
        f"| a client's first example (`hello`) | {len(first)} | {_count(first, ours)} | {_count(first, plain)} |",
        f"| all | {len(chosen)} | {_count(chosen, ours)} | {_count(chosen, plain)} |",
        "",
        "| program | what it does | Darwin | vLLM |",
        "| --- | --- | --- | --- |",
    ]
    for program in chosen:
        cells = [_cell(ours.get(program.name)), _cell(plain.get(program.name))]
        lines.append(f"| {program.name} | {program.purpose} | {cells[0]} | {cells[1]} |")
    lines += ["", "Releases: " + ", ".join(versions) + ".", ""]
    return "\n".join(lines)


def _count(chosen: list[Program], found: dict[str, Outcome]) -> str:
    """How many of these programs work, of those that were run."""
    ran = [found[program.name] for program in chosen if program.name in found]
    return f"{sum(outcome.reason is None for outcome in ran)} of {len(ran)}"


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    return "works" if outcome.reason is None else outcome.reason.replace("|", "\\|").replace("<", "&lt;")


def _versions(names: list[str]) -> list[str]:
    """Installs every client, and says which release each is."""
    found = []
    for name in names:
        try:
            install(name)
            found.append(version_of(name))
        except NotInstalled as error:
            found.append(f"{name} (not installed: {error})")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(clients()), help="clients, separated by commas")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--no-plain", action="store_true", help="without vLLM beside it")
    parser.add_argument("--log", type=Path, help="a file for all that failing programs wrote")
    parser.add_argument("--write", type=Path, help="where the table is written as Markdown")
    arguments = parser.parse_args()
    console, names = Console(), arguments.only.split(",")
    versions = _versions(names)
    console.print(", ".join(versions), highlight=False)
    chosen = programs(names)
    with darwin(arguments.engine) as base_url:
        ours = outcomes(chosen, base_url, "darwin", console)
    plain: dict[str, Outcome] = {}
    if not arguments.no_plain:
        with plain_vllm() as base_url:
            plain = outcomes(chosen, base_url, "vllm", console)
    table = Table("program", "darwin", "vllm")
    for program in chosen:
        table.add_row(program.name, escape(_cell(ours[program.name])), escape(_cell(plain.get(program.name))))
    console.print(table)
    if arguments.log:
        failed = [
            f"===== {server} {name}\n{outcome.log}"
            for server, found in (("darwin", ours), ("vllm", plain))
            for name, outcome in found.items()
            if outcome.reason is not None
        ]
        arguments.log.write_text("\n".join(failed))
    if arguments.write:
        arguments.write.write_text(page(chosen, ours, plain, versions))


if __name__ == "__main__":
    main()
