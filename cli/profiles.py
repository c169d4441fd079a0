"""`darwin profiles`: reward profiles of a running gateway, in versions that are pushed, promoted and rolled back."""

import difflib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from cli.client import Client
from cli.console import CommandError, reported
from cli.profile_trial import trial_notes, trial_table
from cli.rollouts import beside
from shared.records.profiles import MAX_CONTENT, split_reference

app = typer.Typer(
    help="Reward profiles of a running gateway. Needs the key of an operator, or of a tenant that may have its own, in "
    "DARWIN_API_KEY where the gateway asks for keys.",
    no_args_is_help=True,
)

# As long as models may take to load.
LOADING_S = 600.0

Name = Annotated[str, typer.Argument(help="The profile's name.")]
Reference = Annotated[str, typer.Argument(help="A name, which means its promoted version, or name@version.")]
Url = Annotated[str, typer.Option(help="The gateway.")]
Tenant = Annotated[
    str | None, typer.Option(help="Whose own; left out, those that all may use, or those of the key's tenant.")
]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why, for the profile's history.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
URL = "http://127.0.0.1:8080"


@app.command("list")
def list_profiles(url: Url = URL, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Show the profiles, and the version that each name means."""
    with gateway(url) as client:
        found = client.call("GET", "/v1/profiles", tenant=tenant)["data"]
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    table = Table("name", "promoted", "latest", "")
    for each in found:
        notes = "default" if each["default"] else ""
        table.add_row(each["name"], f"{each['name']}@{each['promoted']}", str(each["latest"]), notes)
    Console().print(table)


@app.command()
def show(reference: Reference, url: Url = URL, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Print a version as YAML; of a name, its history too, on the standard error."""
    with gateway(url) as client:
        profile, version = _read(client, reference, tenant)
    if as_json:
        print(json.dumps(profile | {"version": version}, ensure_ascii=False, indent=2))
        return
    print(version["content"], end="" if version["content"].endswith("\n") else "\n")
    for line in beside(profile):
        Console(stderr=True).print(line, highlight=False)
    table = Table("when (UTC)", "what", "by", "why")
    for each in profile["history"]:
        what = f"{each['kind'].replace('_', ' ')}: {profile['name']}@{each['version']}"
        table.add_row(_date(each["at"]), what, each["by"], escape(each["reason"]))
    Console(stderr=True).print(table)


@app.command()
def draft(
    preference: Annotated[str, typer.Argument(help="What you prefer, in words, wishes separated by commas.")],
) -> None:
    """Write a profile of what you prefer: rules check what they can, a language model judges the rest."""
    from cli.preference import preferred  # few commands need what it reads profiles with

    with reported(Console(stderr=True)):
        print(preferred(preference).content, end="")


@app.command()
def push(
    file: Annotated[Path, typer.Argument(help="The profile, as `darwin check` takes it.", exists=True, dir_okay=False)],
    name: Annotated[str | None, typer.Option(help="Its name; left out, the file's without its ending.")] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Have the name mean this version from now on.")] = False,
    reason: Reason = "",
    url: Url = URL,
    tenant: Tenant = None,
) -> None:
    """Add a version, which the gateway checks before: a new name means it at once, others with --promote."""
    with gateway(url) as client:
        body = {"content": _content(file), "reason": reason, "promote": promote}
        pushed = client.call("PUT", path(name or file.stem), body, LOADING_S, tenant=tenant)
    _say(pushed)


@app.command()
def diff(
    old: Reference,
    new: Annotated[
        str | None, typer.Argument(help="Another version, or a file (.yaml); left out, the latest of the name.")
    ] = None,
    url: Url = URL,
    tenant: Tenant = None,
) -> None:
    """Show what differs between two versions, or between a version and a file."""
    with gateway(url) as client:
        profile, before = _read(client, old, tenant)
        if new is not None and _is_file(new):
            after = {"reference": new, "content": _content(Path(new))}
        else:
            after = _read(client, new or f"{profile['name']}@{profile['latest']}", tenant)[1]
    texts = (before["content"].splitlines(), after["content"].splitlines())
    lines = difflib.unified_diff(*texts, before["reference"], after["reference"], lineterm="")
    Console().print(Syntax("\n".join(lines), "diff", theme="ansi_dark", background_color="default"))


@app.command("try")
def attempt(
    what: Annotated[
        str, typer.Argument(help="A name, which means its promoted version, name@version, or a file (.yaml).")
    ],
    last: Annotated[
        int | None, typer.Option(min=1, max=50, help="So many evolutions that last succeeded; 10 if none are named.")
    ] = None,
    evolution: Annotated[list[str] | None, typer.Option(help="The id of an evolution; may be given again.")] = None,
    name: Annotated[str | None, typer.Option(help="A file's name as a profile; left out, without its ending.")] = None,
    url: Url = URL,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Judge the final responses of recorded evolutions again: who would have been the answer. Nothing is decoded."""
    with gateway(url) as client:
        is_file = _is_file(what)
        body = {
            "content": _content(Path(what)) if is_file else None,
            "version": None if is_file else _split(what)[1],
            "evolutions": evolution or None,
            "last": last,
        }
        route = path(name or Path(what).stem) if is_file else path(what)
        trial = client.call("POST", f"{route}/try", body, LOADING_S, tenant=tenant)
    if as_json:
        print(json.dumps(trial, ensure_ascii=False, indent=2))
        return
    Console().print(trial_table(trial))
    for note in trial_notes(trial):
        Console(stderr=True).print(escape(note), highlight=False)


@app.command()
def promote(
    reference: Annotated[str, typer.Argument(help="name@version.")],
    reason: Reason = "",
    url: Url = URL,
    tenant: Tenant = None,
) -> None:
    """Have a name mean a version from the next request on, once its models are loaded."""
    with gateway(url) as client:
        name, version = _split(reference)
        if version is None:
            raise CommandError(f"write the version to promote: {name}@3")
        body = {"version": version, "reason": reason}
        promoted = client.call("POST", f"{path(name)}/promote", body, LOADING_S, tenant=tenant)
    _say(promoted)


@app.command()
def rollback(name: Name, reason: Reason = "", url: Url = URL, tenant: Tenant = None) -> None:
    """Have a name mean what it meant before its last promotion."""
    with gateway(url) as client:
        promoted = client.call("GET", path(name), tenant=tenant)["promoted"]
        body = {"version": promoted, "reason": reason}
        rolled = client.call("POST", f"{path(name)}/rollback", body, LOADING_S, tenant=tenant)
    _say(rolled)


@app.command()
def delete(name: Name, reason: Reason = "", url: Url = URL, tenant: Tenant = None) -> None:
    """Have nobody find a profile any more; searches that use it go on with it."""
    with gateway(url) as client:
        client.call("DELETE", path(name), tenant=tenant, reason=reason)
    Console(stderr=True).print(f"{name} is deleted", highlight=False)


def _read(client: Client, reference: str, tenant: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A profile and one of its versions."""
    name, number = _split(reference)
    profile = client.call("GET", path(name), tenant=tenant)
    before = (number or profile["promoted"]) + 1
    versions = client.call("GET", f"{path(name)}/versions", tenant=tenant, before=before, limit=1)["data"]
    if not versions or versions[0]["version"] != before - 1:
        raise CommandError(f"there is no reward profile '{reference}': the latest is {name}@{profile['latest']}")
    return profile, versions[0]


def _split(reference: str) -> tuple[str, int | None]:
    split = split_reference(reference)
    if split is None:
        raise CommandError(f"'{reference}' is no reward profile: write name, or name@version")
    return split


def path(name: str) -> str:
    return f"/v1/profiles/{_split(name)[0]}"


def _is_file(reference: str) -> bool:
    return reference.endswith((".yaml", ".yml"))


def _content(file: Path) -> str:
    try:
        content = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None
    if not 0 < len(content) <= MAX_CONTENT:
        raise CommandError(f"{file} must have 1 to {MAX_CONTENT} characters")
    return content


@contextmanager
def gateway(url: str) -> Iterator[Client]:
    with reported(Console(stderr=True)), Client(url) as client:
        yield client


def _say(profile: dict[str, Any]) -> None:
    said = f"{profile['name']} means {profile['name']}@{profile['promoted']}; the latest is @{profile['latest']}"
    Console(stderr=True).print(said, highlight=False)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
