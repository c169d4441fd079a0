"""`darwin keys`: the API keys that gateways accept; `python -m cli.keys` where only the gateway is installed."""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.process.settings import StoreSettings, refusing
from shared.store.api_keys import ApiKey, ApiKeys, new_key
from shared.store.evolutions import Store

app = typer.Typer(
    help="API keys of gateways that run with DARWIN_GATEWAY_KEYS=required. They are kept in the Redis at "
    "DARWIN_REDIS_URL, which stands in the environment only: arguments can be read by everybody on the machine.",
    no_args_is_help=True,
)

T = TypeVar("T")


@app.command()
def add(
    tenant: Annotated[str, typer.Argument(help="Who may see the evolutions: all keys of a tenant share them.")],
    note: Annotated[str, typer.Option(help="What the key is for.")] = "",
    requests_per_minute: Annotated[int | None, typer.Option(help="Searches started within any minute.")] = None,
    tokens_per_day: Annotated[int | None, typer.Option(help="Tokens that searches sample per UTC day.")] = None,
    max_active: Annotated[int | None, typer.Option(help="Searches queued or running at a time.")] = None,
    deadline_ms: Annotated[
        int | None, typer.Option(help="Milliseconds after which a search that names no deadline ends.")
    ] = None,
    all_tenants: Annotated[
        bool, typer.Option("--all-tenants", help="For operators: it may read every tenant's evolutions.")
    ] = False,
) -> None:
    """Make a key, and print it: it cannot be shown again."""
    text, key = _run(
        _add(tenant, note, requests_per_minute, tokens_per_day, max_active, deadline_ms, all_tenants=all_tenants)
    )
    print(text)
    Console(stderr=True).print(f"key {key.id} of tenant {key.tenant}; it is not kept, so it is shown only now")


@app.command("list")
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show every key, without its secret."""
    rows = _run(_all())
    if as_json:
        print(json.dumps([_as_json(key, used) for key, used in rows], ensure_ascii=False, indent=2))
    else:
        Console().print(_table(rows))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id, as `darwin keys list` shows it.")]) -> None:
    """Make a key useless from the next call on; what it started goes on."""
    if not _run(_revoke(key_id)):
        Console(stderr=True).print(f"[red]error:[/] there is no key {key_id}", highlight=False)
        raise typer.Exit(1)
    Console(stderr=True).print(f"key {key_id} is revoked")


async def _add(tenant: str, note: str, *limits: int | None, all_tenants: bool) -> tuple[str, ApiKey]:
    text, key = new_key(tenant, note, *limits, all_tenants=all_tenants)
    keys = _keys()
    try:
        await keys.add(key)
    finally:
        await keys.close()
    return text, key


async def _all() -> list[tuple[ApiKey, int]]:
    settings, keys = StoreSettings(), _keys()
    store = Store(settings.redis_url, settings.record_ttl_s)
    try:
        return [(key, await store.tokens_today(key.id)) for key in await keys.all()]
    finally:
        await keys.close()
        await store.close()


async def _revoke(key_id: str) -> bool:
    keys = _keys()
    try:
        return await keys.revoke(key_id)
    finally:
        await keys.close()


def _keys() -> ApiKeys:
    return ApiKeys(StoreSettings().redis_url)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """The result; an expected failure becomes one message and exit code 1."""
    with refusing("darwin keys"):
        return asyncio.run(work)


def _as_json(key: ApiKey, used: int) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "digest"} | {"tokens_today": used}


def _table(rows: list[tuple[ApiKey, int]]) -> Table:
    heads = ("id", "tenant", "reads", "note", "created", "requests/min", "tokens/day", "active", "deadline ms")
    table = Table(*heads, "tokens today")
    for key, used in rows:
        created = datetime.fromtimestamp(key.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        limits = (key.requests_per_minute, key.tokens_per_day, key.max_active, key.deadline_ms)
        table.add_row(
            key.id,
            key.tenant,
            "all tenants" if key.all_tenants else "its own",
            escape(key.note),
            created,
            *("–" if n is None else str(n) for n in limits),
            str(used),
        )
    return table


if __name__ == "__main__":
    app()
