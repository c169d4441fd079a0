"""`darwin credit`: what ways to rewrite instructions have earned in a tenant's searches with `credit`."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.stores import on_store
from services.orchestrator.settings import OrchestratorSettings
from shared.records.credit import Credit, Observation
from shared.store.credit import CreditLog

app = typer.Typer(
    help="What ways to rewrite instructions have earned in searches with `credit`, in the Redis at DARWIN_REDIS_URL.",
    no_args_is_help=True,
)

T = TypeVar("T")
Tenant = Annotated[
    str | None,
    typer.Argument(help="Whose; without it what all tenants share, where DARWIN_ORCHESTRATOR_CREDIT_SHARED is set."),
]


@app.command()
def show(tenant: Tenant = None) -> None:
    """Show what each line and operator has earned at equal length, by profile, the best first."""
    table = Table("profile", "line or operator", "gain over the parent", "± error", "mutants, older ones less")
    for profile, credit in sorted(_by_profile(_run(lambda log: _all(log, tenant))).items()):
        for name, earned in sorted(credit.earned.items(), key=lambda item: -item[1].mean):
            error = credit.noise / earned.weight**0.5
            cells = (f"{earned.mean:+.3f}", f"{error:.3f}", f"{earned.weight:.1f}")
            table.add_row(escape(profile), name, *cells)
    Console().print(table)


@app.command()
def export(tenant: Tenant = None) -> None:
    """Print what is kept as JSON lines: the gains of each cycle's mutants, the oldest first."""
    for observation in _run(lambda log: _all(log, tenant)):
        print(to_json(asdict(observation)).decode())


@app.command()
def reset(tenant: Tenant = None) -> None:
    """Delete what is kept; searches draw all lines alike then."""
    count = _run(lambda log: log.reset(tenant))
    Console(stderr=True).print(f"{count} observations are deleted")


def _by_profile(observations: list[Observation]) -> dict[str, Credit]:
    from services.orchestrator.credit.statistics import credit_of

    of: dict[str, list[Observation]] = defaultdict(list)
    for observation in observations:
        owner = f" ({observation.profile_owner})" if observation.profile_owner else ""
        of[f"{observation.profile or 'default'}{owner}"].append(observation)
    half_life = OrchestratorSettings().credit_half_life
    found = {profile: credit_of(each, half_life) for profile, each in of.items()}
    return {profile: credit for profile, credit in found.items() if credit}


async def _all(log: CreditLog, tenant: str | None) -> list[Observation]:
    return await log.load(tenant, await log.ids(tenant))


def _run(work: Callable[[CreditLog], Awaitable[T]]) -> T:
    return on_store("darwin credit", lambda settings: CreditLog(settings.redis_url, shards=settings.redis_shards), work)
