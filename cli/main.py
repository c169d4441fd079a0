"""The `darwin` command."""

import contextlib
import importlib.metadata
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax

from cli import credit, keys, profiles, reward, rollout_commands, view
from cli.certs import certs
from cli.check import check
from cli.client import Client
from cli.console import CommandError, reported
from cli.evaluation.commands import app as evaluation
from cli.export import export
from cli.history.replay_command import replay
from cli.history.show_command import show as show_lineage
from cli.search_options import with_search_options
from cli.session import EngineOption, started
from cli.stack import StackSettings
from shared.methods import METHODS

if TYPE_CHECKING:
    from cli.preference import Preferred

app = typer.Typer(
    help="Decoding-time alignment: better answers under your own reward models, without fine-tuning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(credit.app, name="credit")
app.add_typer(keys.app, name="keys")
profiles.app.command()(rollout_commands.shadow)
profiles.app.command()(rollout_commands.canary)
app.add_typer(profiles.app, name="profiles")
app.add_typer(evaluation, name="eval")
app.add_typer(reward.app, name="reward")

_DEFAULT_MODEL = "DARWIN_GATEWAY_DEFAULT_MODEL"
_AUTO_SHARE = "DARWIN_MUTATION_AUTO_SHARE"
_LOADING_S = 600.0  # as long as a profile's models may take to load
_EXAMPLE = {"model": "darwin", "messages": [{"role": "user", "content": "How do I learn to swim?"}], "max_tokens": 120}


@app.command()
@with_search_options
def align(
    prompt: Annotated[str, typer.Argument(help="The instruction.")],
    url: Annotated[
        str | None, typer.Option(help="A running gateway; without it a stack is started and stopped.")
    ] = None,
    method: Annotated[str, typer.Option(help=f"{', '.join(METHODS)}: see GET /v1/models.")] = "darwin",
    system: Annotated[str | None, typer.Option(help="A system prompt.")] = None,
    preset: Annotated[str | None, typer.Option(help="default or paper: where settings left out come from.")] = None,
    profile: Annotated[str | None, typer.Option(help="Reward profile.")] = None,
    prefer: Annotated[
        str | None,
        typer.Option(help="What you prefer, in words, wishes separated by commas: a reward profile is made of it."),
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of a response.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Nucleus sampling.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Makes draws, and sampling as far as engines allow, repeatable.")
    ] = None,
    n: Annotated[int | None, typer.Option(help="How many of the best distinct responses to return.")] = None,
    engine: EngineOption = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the recording as one JSON document: result, events, attempts.")
    ] = False,
    *,
    search: dict[str, Any],
) -> None:
    """Align one instruction and show how."""
    settings = {"max_tokens": max_tokens, "temperature": temperature, "top_p": top_p, "seed": seed, "n": n}
    body: dict[str, Any] = {
        "model": method,
        "messages": [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": prompt}],
        **_given(settings),
        "darwin": search | _given({"preset": preset, "profile": profile}),
    }
    console = Console(stderr=as_json)
    with reported(console), contextlib.ExitStack() as stack:
        preferred = _preferred(prefer, profile, url)
        if url is None:
            url = stack.enter_context(started(StackSettings(engine=engine, env=_unmeasured()), console)).url
        client = stack.enter_context(Client(url, patience_s=15))
        if preferred:
            body["darwin"]["profile"] = _pushed(client, preferred, console)
        document = _follow(client, body, console, show=not as_json)
        if preferred and document["result"]:
            console.print(view.wishes(document["result"], preferred.wishes))
    if as_json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    if document["status"] != "succeeded":
        raise typer.Exit(1)


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of the gateway; a free one is taken where it is busy.")] = 8080,
    engine: EngineOption = "auto",
) -> None:
    """Keep a stack running in the foreground; Ctrl-C stops it."""
    console = Console()
    default_model = os.environ.get(_DEFAULT_MODEL, "darwin")
    settings = StackSettings(engine=engine, port=port, env={_DEFAULT_MODEL: default_model})
    with reported(console), started(settings, console) as stack:
        if port and not stack.url.endswith(f":{port}"):
            console.print(f"[yellow]port {port} is busy[/], so the gateway took a free one")
        console.print(f"\n[bold green]{stack.url}[/] answers the OpenAI API. Try:\n", highlight=False)
        print(f"  curl -s {stack.url}/v1/chat/completions \\\n    -H 'content-type: application/json' \\")
        print(f"    -d '{json.dumps(_EXAMPLE)}'\n")
        console.print(f"OpenAI SDK base_url: {stack.url}/v1\nAPI reference: {stack.url}/openapi.json")
        if default_model:
            console.print(f"gpt-4o-mini and any other model name are answered by {default_model}", highlight=False)
        console.print(f"Inspector: {stack.url}/")
        console.print(f"API keys: DARWIN_REDIS_URL={stack.redis_url} darwin keys add TENANT", soft_wrap=True)
        console.print(f"Metrics, for Prometheus to discover: {stack.write_targets()}", soft_wrap=True)
        for name, address in stack.metrics.items():
            console.print(f"  {name}: http://{address}/metrics", highlight=False)
        console.print(f"Logs: {stack.folder}")
        console.print("Ctrl-C stops it.")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                stack.check()
                time.sleep(0.5)
        console.print("stopping…")


@app.command()
def models() -> None:
    """Prepare the embedded models; needed once per machine."""
    from services.generation.embedded import prepare

    prepare(lambda line: print(line, flush=True))


app.command()(certs)
app.command()(check)
app.command()(export)
app.command()(replay)
app.command("show")(show_lineage)


@app.command()
def version() -> None:
    """Print the version."""
    print(importlib.metadata.version("darwin-align"))


def _preferred(prefer: str | None, profile: str | None, url: str | None) -> "Preferred | None":
    if prefer is None:
        return None
    if profile is not None:
        raise CommandError("--prefer makes a reward profile, and --profile names one: leave one of them out")
    if url is not None:
        raise CommandError(
            "--prefer is for a stack of its own: write the profile by `darwin profiles draft`, push it to the gateway, "
            "and name it by --profile"
        )
    from cli.preference import preferred  # few commands need what it reads profiles with

    return preferred(prefer)


def _pushed(client: Client, made: "Preferred", console: Console) -> str:
    console.print("the reward profile made of what you prefer:")
    console.print(Syntax(made.content, "yaml", theme="ansi_dark", background_color="default", word_wrap=True))
    body = {"content": made.content, "promote": True, "reason": "darwin align --prefer"}
    pushed = client.call("PUT", "/v1/profiles/preference", body, _LOADING_S)
    return f"{pushed['name']}@{pushed['promoted']}"


def _unmeasured() -> dict[str, str]:
    """One request is over before it is known whether the language model writes mutants well, which would only take
    its time: templates write them, unless the environment says otherwise."""
    return {_AUTO_SHARE: os.environ.get(_AUTO_SHARE, "1")}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _follow(client: Client, body: dict[str, Any], console: Console, *, show: bool) -> dict[str, Any]:
    started = client.start(body)
    shown = view.EvolutionView(console)
    try:
        for event in client.events(started["id"]):
            if show:
                shown.show(event)
    except KeyboardInterrupt:
        client.cancel(started["id"])
        raise
    evolution = client.recording(started["id"])
    if evolution["status"] == "failed":
        console.print(f"[red]failed:[/] {evolution['error']['message']}")
    elif show and evolution["result"]["choices"]:
        console.print(view.outcome(evolution))
    rounds = [event for event in evolution["events"] if event["type"] == "round.finished"]
    return {**evolution, "usage": _usage(evolution["result"]), "rounds": rounds}


def _usage(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """Prompt and completion tokens as OpenAI counts them, and tokens and seconds by stage."""
    if result is None:
        return None
    completion_tokens = sum(choice["completion_tokens"] for choice in result["choices"])
    return {
        "prompt_tokens": result["prompt_tokens"],
        "completion_tokens": completion_tokens,
        "total_tokens": result["prompt_tokens"] + completion_tokens,
        "tokens": result["tokens"],
        "seconds": result["seconds"],
    }


if __name__ == "__main__":
    sys.exit(app())
