"""`darwin keys`: the API keys that gateways accept; `python -m cli.keys` where only the gateway is installed."""

import json
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.key_options import with_term_options
from cli.stores import on_store
from shared.process.settings import StoreSettings
from shared.records.key_terms import TERMS
from shared.store.api_keys import ApiKey, ApiKeys, new_key
from shared.store.evolutions import Store
from shared.store.key_view import shown_key

app = typer.Typer(
    help="API keys of gateways that run with DARWIN_GATEWAY_KEYS=required. They are kept in the Redis at "
    "DARWIN_REDIS_URL, which stands in the environment only: arguments can be read by everybody on the machine.",
    no_args_is_help=True,
)

T = TypeVar("T")
KeyId = Annotated[str, typer.Argument(help="The id, as `darwin keys list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
@with_term_options
def add(
    tenant: Annotated[str, typer.Argument(help="Who may see the evolutions: all keys of a tenant share them.")],
    terms: dict[str, Any],
) -> None:
    """Make a key, and print it: it cannot be shown again."""

    async def adding(keys: ApiKeys) -> tuple[str, ApiKey]:
        text, key = new_key(tenant, **terms)
        await keys.add(key)
        return text, key

    text, key = _run(adding)
    print(text)
    _say(f"key {key.id} of tenant {key.tenant}; it is not kept, so it is shown only now")


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Show every key, without its secret."""
    rows = _run(lambda keys: keys.all(), _views)
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        Console().print(_table(rows))


@app.command()
def show(key_id: KeyId, as_json: AsJson = False) -> None:
    """Show a key's terms, and what it has spent of its budgets."""

    async def getting(keys: ApiKeys) -> list[ApiKey]:
        return [await keys.get(key_id)]

    [row] = _run(getting, _views)
    if as_json:
        print(json.dumps(row, ensure_ascii=False, indent=2))
        return
    table = Table("", "", show_header=False)
    for name, value in row.items():
        if name not in ("use", "tokens_today") and value not in (None, False, ""):
            table.add_row(name.replace("_", " "), escape(_said(name, value)))
    use = Table("budget", "limit", "spent", "reserved", "ends")
    for each in row["use"]:
        amounts = [_number(each[column]) for column in ("limit", "used", "reserved")]
        use.add_row(f"{each['unit']} per {each['period']}", *amounts, _date(each["ends_at"]))
    Console().print(table, use)


@app.command()
@with_term_options
def update(
    key_id: KeyId,
    terms: dict[str, Any],
    clear: Annotated[
        list[str] | None, typer.Option(help="A term to take away, such as tokens-per-day; may be given several times.")
    ] = None,
) -> None:
    """Change a key's terms from the next call on; what is not named stays as it is."""
    cleared = {name.replace("-", "_"): None for name in clear or ()}
    for name in cleared:
        if name not in TERMS or TERMS[name].default is not None:
            limits = [term.replace("_", "-") for term, each in TERMS.items() if each.default is None]
            _fail(f"{name} cannot be taken away: choose among {', '.join(limits)}")
    if both := [name for name in cleared if name in terms]:
        _fail(f"{both[0]} is both given and taken away")
    _run(lambda keys: keys.update(key_id, **terms, **cleared))
    _say(f"key {key_id} is changed")


@app.command()
def rotate(
    key_id: KeyId,
    grace_s: Annotated[float, typer.Option(help="Seconds for which its secret of now is still taken.")] = 0.0,
) -> None:
    """Give a key a new secret, and print it: it cannot be shown again. Terms and budgets stay."""
    text, _ = _run(lambda keys: keys.rotate(key_id, grace_s))
    print(text)
    _say(f"key {key_id} has a new secret; it is not kept, so it is shown only now")


@app.command()
def revoke(key_id: KeyId) -> None:
    """Make a key useless from the next call on; what it started goes on."""
    if not _run(lambda keys: keys.revoke(key_id)):
        _fail(f"there is no key {key_id}")
    _say(f"key {key_id} is revoked")


async def _views(found: list[ApiKey]) -> list[dict[str, Any]]:
    settings, at = StoreSettings(), time.time()
    store = Store(settings.redis_url, settings.record_ttl_s, shards=settings.redis_shards)
    try:
        spent = [await store.spent(key.id, at) for key in found]
        return [
            shown_key(key, each, at) | {"tokens_today": each["tokens", "day"].used}
            for key, each in zip(found, spent, strict=True)
        ]
    finally:
        await store.close()


def _run(work: Callable[[ApiKeys], Coroutine[Any, Any, Any]], then: Callable[[Any], Any] | None = None) -> Any:
    """What `work`, and `then` upon it, return; an expected failure becomes one message and exit code 1."""

    async def working(keys: ApiKeys) -> Any:
        found = await work(keys)
        return await then(found) if then else found

    return on_store("darwin keys", lambda settings: ApiKeys(settings.redis_url, shards=settings.redis_shards), working)


def _table(rows: list[dict[str, Any]]) -> Table:
    heads = ("id", "tenant", "for", "note", "created", "expires", "requests/min", "active", "budgets, spent of limit")
    table = Table(*heads)
    table.columns[0].no_wrap = True
    for row in rows:
        operator = [said for name, said in (("all_tenants", "all tenants"), ("manages_keys", "keys")) if row[name]]
        expires = "–" if row["expires_at"] is None else _date(row["expires_at"]) + (" (over)" * row["expired"])
        budgets = [
            f"{_number(each['used'])} of {_number(each['limit'])} {each['unit']}/{each['period']}"
            for each in row["use"]
            if each["limit"] is not None
        ]
        numbers = (_number(row["requests_per_minute"]), _number(row["max_active"]))
        table.add_row(
            row["id"],
            row["tenant"],
            ", ".join(operator) or "its own",
            escape(row["note"]),
            _date(row["created_at"]),
            expires,
            *numbers,
            "\n".join(budgets) or "–",
        )
    return table


def _said(name: str, value: Any) -> str:
    if name in ("created_at", "expires_at", "previous_until"):
        return _date(value)
    return ", ".join(value) if isinstance(value, list) else str(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.10g}"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _say(message: str) -> None:
    Console(stderr=True).print(message, highlight=False)


def _fail(message: str) -> None:
    Console(stderr=True).print(f"[red]error:[/] {escape(message)}", highlight=False)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
