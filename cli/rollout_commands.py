"""`darwin profiles shadow` and `canary`: versions that are tried beside the promoted one."""

from typing import Annotated, Any

import typer
from rich.console import Console

from cli.console import CommandError
from cli.profiles import LOADING_S, URL, Name, Reason, Tenant, Url, gateway, path
from cli.rollouts import beside

Version = Annotated[int | None, typer.Argument(help="The version that is tried.", min=1)]
Share = Annotated[float, typer.Option(help="Of the searches, or of the users, from 0 to 1.")]
Off = Annotated[bool, typer.Option("--off", help="End it.")]


def shadow(
    name: Name,
    version: Version = None,
    share: Share = 0.1,
    off: Off = False,
    reason: Reason = "",
    url: Url = URL,
    tenant: Tenant = None,
) -> None:
    """Have a version score what searches under the promoted one find, and count what it would decide otherwise."""
    _change(name, "shadow", {"share": share}, version, off, reason, url, tenant)


def canary(
    name: Name,
    version: Version = None,
    share: Share = 0.1,
    by: Annotated[str, typer.Option(help="What is drawn: user or evolution.")] = "user",
    metric: Annotated[
        str, typer.Option(help="What decides: feedback (POST /v1/evolutions/ID/feedback) or judge.")
    ] = "feedback",
    judge: Annotated[str, typer.Option(help="The reward profile that judges answers.")] = "",
    level: Annotated[float, typer.Option(help="How probable a false verdict may be, over all looks.")] = 0.05,
    automatic: Annotated[
        bool, typer.Option("--automatic", help="Promote what is found to be better, and end what is worse.")
    ] = False,
    off: Off = False,
    reason: Reason = "",
    url: Url = URL,
    tenant: Tenant = None,
) -> None:
    """Have a share of those who name the profile get a version, until a sequential test tells which is better."""
    terms = {"share": share, "by": by, "metric": metric, "judge": judge, "level": level, "automatic": automatic}
    _change(name, "canary", terms, version, off, reason, url, tenant)


def _change(
    name: str,
    what: str,
    terms: dict[str, Any],
    version: int | None,
    off: bool,
    reason: str,
    url: str,
    tenant: str | None,
) -> None:
    with gateway(url) as client:
        if off == (version is not None):
            raise CommandError(f"write the version, or --off: darwin profiles {what} {name} 3")
        route = f"{path(name)}/{what}"
        if off:
            changed = client.call("DELETE", route, tenant=tenant, reason=reason)
        else:
            body = terms | {"version": version, "reason": reason}
            changed = client.call("POST", route, body, LOADING_S, tenant=tenant)
    shown = beside(changed | dict.fromkeys({"shadow", "canary"} - {what}))
    for line in shown or [f"{name} means {name}@{changed['promoted']} for all"]:
        Console(stderr=True).print(line, highlight=False)
