"""Which clients' programs work against Darwin with nothing but the base URL changed, and which against plain vLLM.

usage: python -m tests.clients [--only CLIENT[/PROGRAM][,…]] [--engine ENGINE] [--servers darwin,vllm]
                               [--kept FILE] [--log FILE] [--write docs/clients.md]

Each client has an environment of its own under `.clients/`, made at the first run. A plain vLLM server with the same
model stands beside Darwin, and knows the model by the name that the programs use. The model is the embedded one with a
chat template that knows tools: its own knows none, so that Darwin refuses them, and a plain server drops them. With
`--kept`, outcomes are kept in a file as they come: a later run of some programs takes the place of their outcomes only,
and the table is of all of them.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.stack import Stack, StackSettings
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from tests.checkpoints.templates import real_templates
from tests.clients.environments import NotInstalled, clients, install, version_of
from tests.clients.runner import Outcome, Program, programs, reasons, run
from tests.vllm_server import running

MODEL = "gpt-4o-mini"
COMPLETIONS_MODEL = "gpt-3.5-turbo-instruct"
"""For a program whose client takes no chat model's name for the older completions API."""


def with_tools(folder: Path) -> Path:
    """The embedded model in a folder, with the template of Qwen 2.5 (from trl's wheel): turns are marked as its own
    template marks them, and calls are written in the form of Hermes.
    """
    folder.mkdir()
    for file in Path(resolve(EMBEDDED_LLM)).iterdir():
        (folder / file.name).symlink_to(file)
    template = folder / "chat_template.jinja"
    template.unlink()
    template.write_text(real_templates()["trl/qwen2_5"])
    return folder


@contextmanager
def plain_vllm(model: Path) -> Iterator[str]:
    """The base URL of a vLLM server, which takes tools and structured output as it can."""
    names = ("--served-model-name", MODEL, COMPLETIONS_MODEL)
    arguments = ("--model", str(model), *names, "--max-model-len", "8192")
    more = ("--kv-cache-memory-bytes", str(2**30), "--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), *arguments, *more, env={}) as url:
        yield f"{url}/v1"


@contextmanager
def darwin(engine: str, model: Path | None = None) -> Iterator[str]:
    """The base URL of a stack in which any name of a model means Darwin's, as under `make up`, and which sends webhooks
    to receivers on this machine. It generates with the embedded model unless the folder of another is given.
    """
    env = {
        "DARWIN_GATEWAY_DEFAULT_MODEL": "darwin",
        "DARWIN_GATEWAY_WEBHOOK_HTTP": "true",
        "DARWIN_GATEWAY_WEBHOOK_NETWORKS": "127.0.0.1",
    }
    simulated = engine == "simulated"
    if model is not None and not simulated:
        env["DARWIN_GENERATION_MODEL"] = str(model)
    with Stack(StackSettings.simulated(env) if simulated else StackSettings(engine=engine, env=env)) as stack:
        yield f"{stack.url}/v1"


class Outcomes:
    """The outcome of each program on each server, in a file if one is given."""

    def __init__(self, kept: Path | None) -> None:
        self._kept = kept
        saved = json.loads(kept.read_text()) if kept and kept.exists() else {}
        self._found = {
            server: {name: Outcome(**outcome) for name, outcome in found.items()} for server, found in saved.items()
        }

    def of(self, server: str) -> dict[str, Outcome]:
        """The outcomes on a server by the program's name."""
        return self._found.setdefault(server, {})

    def add(self, server: str, program: str, outcome: Outcome) -> None:
        """Takes the place of an earlier outcome of the same program."""
        self.of(server)[program] = outcome
        if self._kept:
            saved = {name: {p: asdict(o) for p, o in found.items()} for name, found in self._found.items()}
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            self._kept.write_text(json.dumps(saved, indent=1))

    def failed(self) -> str:
        """All that the failing programs wrote."""
        return "\n".join(
            f"===== {server} {name}\n{outcome.log}"
            for server, found in self._found.items()
            for name, outcome in found.items()
            if outcome.reason is not None
        )


def run_all(chosen: list[Program], base_url: str, server: str, outcomes: Outcomes, console: Console) -> None:
    """Runs the programs one after another, and prints each as it ends."""
    for number, program in enumerate(chosen, start=1):
        outcome = run(program, base_url, MODEL)
        outcomes.add(server, program.name, outcome)
        mark = "[green]works[/]" if outcome.reason is None else f"[red]fails[/] {escape(outcome.reason)}"
        line = f"{number}/{len(chosen)} {server} {program.name} ({outcome.seconds:.0f} s): {mark}"
        console.print(line, soft_wrap=True, highlight=False)


def page(chosen: list[Program], ours: dict[str, Outcome], plain: dict[str, Outcome], versions: list[str]) -> str:
    """docs/clients.md."""
    first = [program for program in chosen if program.path.stem.startswith("hello")]
    lines = [
        "# Clients",
        "",
        "Which programs of other people's libraries work against Darwin, and against a plain vLLM server with the same",
        "model beside it. Only the base URL is set, and a key, which neither asks for; the model's name is",
        f"`{MODEL}`. The model is the embedded one, SmolLM2-135M, with a chat template that knows tools, that of",
        "Qwen 2.5: by its own, Darwin refuses calls with `tools`, and plain vLLM drops them. Programs assert what a",
        "server must do, not what so small a model can know. Where one fails, it says so in its own words; a dash is a",
        "program that was not run. `make clients` makes this page.",
        "",
        "Some programs ask for what a plain vLLM server does not claim to have: files, batches, webhooks, responses",
        "that are kept, embeddings beside a model that generates. It also lets an answer for which no length is set",
        "fill the context, which so small a model may do for longer than the two minutes that a program has here.",
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
    failed = [program.name for program in chosen if program.name in ours and ours[program.name].reason is not None]
    if failed:
        told = reasons()
        lines += ["", "## Why programs fail against Darwin", ""]
        lines += [f"- `{name}`: {told.get(name, 'nobody has looked yet')}." for name in failed]
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
    parser.add_argument("--only", default=",".join(clients()), help="clients or client/program, separated by commas")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--servers", default="darwin,vllm", help="one of them, both, or an empty text for none")
    parser.add_argument("--kept", type=Path, help="a file in which outcomes are kept from run to run")
    parser.add_argument("--log", type=Path, help="a file for all that failing programs wrote")
    parser.add_argument("--write", type=Path, help="where the table is written as Markdown")
    arguments = parser.parse_args()
    console, names = Console(), arguments.only.split(",")
    chosen = programs(names)
    if not chosen:
        parser.error(f"there are no such programs: {arguments.only}")
    servers: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
        "darwin": lambda model: darwin(arguments.engine, model),
        "vllm": plain_vllm,
    }
    _versions(list(dict.fromkeys(program.client for program in chosen)))
    outcomes = Outcomes(arguments.kept)
    with tempfile.TemporaryDirectory() as folder:
        model = with_tools(Path(folder) / "model")
        for server in filter(None, arguments.servers.split(",")):
            with servers[server](model) as base_url:
                run_all(chosen, base_url, server, outcomes, console)
    ours, plain = outcomes.of("darwin"), outcomes.of("vllm")
    shown = [program for program in programs(list(clients())) if program.name in ours | plain]
    table = Table("program", "darwin", "vllm")
    for program in shown:
        table.add_row(program.name, escape(_cell(ours.get(program.name))), escape(_cell(plain.get(program.name))))
    console.print(table)
    versions = _versions(list(dict.fromkeys(program.client for program in shown)))
    console.print(", ".join(versions), highlight=False)
    if arguments.log:
        arguments.log.write_text(outcomes.failed())
    if arguments.write:
        arguments.write.write_text(page(shown, ours, plain, versions))


if __name__ == "__main__":
    main()
