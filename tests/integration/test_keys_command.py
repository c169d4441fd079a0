"""`darwin keys` over a real Redis, and a gateway's view of what it did.

The command runs in this process, which has imported it already; as a process it runs in gateway/test_access.py.
"""

import io
import json
import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest

from cli.main import app
from shared.store.api_keys import ApiKeys


@pytest.fixture
def url(redis_url: str) -> str:
    """A database that nobody else keeps keys in."""
    return redis_url.removesuffix("/0") + "/6"


def keys(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # On a thread, since it runs a loop of its own.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_keys, url, arguments).result(60)


def _keys(url: str, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    out, err = io.StringIO(), io.StringIO()
    env = {"DARWIN_REDIS_URL": url, "COLUMNS": "200"}
    with patch.dict(os.environ, env), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        app(["keys", *arguments])
    code = end.value.code
    if isinstance(code, str):  # as Python ends with it
        print(code, file=err)
        code = 1
    return subprocess.CompletedProcess(arguments, int(code or 0), out.getvalue(), err.getvalue())


def add(url: str, tenant: str, *options: str) -> tuple[str, str]:
    """The text and the id of a new key."""
    added = keys(url, "add", tenant, *options)
    assert added.returncode == 0, added.stderr
    match = re.fullmatch(r"(dk_([0-9a-f]{12})_([0-9a-f]{64}))\n", added.stdout)
    assert match is not None
    text, key_id, secret = match.groups()
    assert f"key {key_id} of tenant {tenant}" in added.stderr
    assert secret not in added.stderr
    return text, key_id


async def accepted(url: str, text: str) -> bool:
    """Whether a gateway takes the key."""
    store = ApiKeys(url)
    try:
        return await store.find(text) is not None
    finally:
        await store.close()


async def test_a_key_is_printed_once_listed_without_its_secret_and_revoked(url: str) -> None:
    text, key_id = add(
        url,
        "acme",
        "--note",
        "for [tests]",
        "--requests-per-minute",
        "60",
        "--max-active",
        "3",
        "--deadline-ms",
        "5000",
    )
    secret = text.rpartition("_")[2]
    assert await accepted(url, text)
    table, listed = keys(url, "list"), keys(url, "list", "--json")
    assert (table.returncode, listed.returncode) == (0, 0)
    for told in (key_id, "acme", "for [tests]", "60"):
        assert told in table.stdout
    found = next(key for key in json.loads(listed.stdout) if key["id"] == key_id)
    assert (found["tenant"], found["requests_per_minute"], found["tokens_per_day"], found["max_active"]) == (
        "acme",
        60,
        None,
        3,
    )
    assert (found["tokens_today"], found["deadline_ms"]) == (0, 5000)
    assert "digest" not in found
    for printed in (table, listed):
        assert secret not in printed.stdout + printed.stderr
    revoked = keys(url, "revoke", key_id)
    assert (revoked.returncode, revoked.stdout, f"key {key_id} is revoked" in revoked.stderr) == (0, "", True)
    assert not await accepted(url, text)
    assert key_id not in keys(url, "list").stdout


def test_an_unknown_key_is_not_revoked(url: str) -> None:
    refused = keys(url, "revoke", "0123456789ab")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "there is no key 0123456789ab" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(["no tenant"], "a tenant is"), (["acme", "--tokens-per-day", "0"], "a limit is at least 1")],
)
def test_a_key_that_cannot_be_is_refused(url: str, arguments: list[str], reason: str) -> None:
    refused = keys(url, "add", *arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert reason in refused.stderr


@pytest.mark.parametrize("arguments", [["add", "acme"], ["list"], ["list", "--json"], ["revoke", "0123456789ab"]])
def test_without_redis_the_reason_is_told(arguments: list[str]) -> None:
    refused = keys("redis://:hunter2@127.0.0.1:1/0", *arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.fullmatch(r"darwin keys: .*Redis.*\n", refused.stderr)
    assert "hunter2" not in refused.stderr


def test_a_key_for_all_tenants_is_told_apart(url: str) -> None:
    _, own = add(url, "acme")
    _, operators = add(url, "acme", "--all-tenants")
    found = {key["id"]: key["all_tenants"] for key in json.loads(keys(url, "list", "--json").stdout)}
    assert (found[own], found[operators]) == (False, True)
    lines = {
        key_id: line for line in keys(url, "list").stdout.splitlines() for key_id in (own, operators) if key_id in line
    }
    assert ("all tenants" in lines[own], "all tenants" in lines[operators]) == (False, True)


def shown(url: str, key_id: str) -> dict[str, Any]:
    answer = keys(url, "show", key_id, "--json")
    assert answer.returncode == 0, answer.stderr
    key: dict[str, Any] = json.loads(answer.stdout)
    return key


async def test_terms_are_set_shown_changed_and_taken_away(url: str) -> None:
    options = ["--models", "darwin, sample", "--methods", "darwin", "--profiles", "kind", "--expires", "90d"]
    budgets = ["--tokens-per-month", "5000000", "--money-per-day", "2.5"]
    text, key_id = add(url, "acme", *options, *budgets)
    key = shown(url, key_id)
    assert (key["models"], key["methods"], key["profiles"]) == (["darwin", "sample"], ["darwin"], ["kind"])
    assert key["expires_at"] == pytest.approx(time.time() + 90 * 86_400, abs=60)
    use = {f"{each['unit']} per {each['period']}": each["limit"] for each in key["use"] if each["limit"] is not None}
    assert use == {"tokens per month": 5_000_000, "money per day": 2.5}
    table = keys(url, "show", key_id).stdout
    for told in ("tokens per month", "5000000", "2.5", "darwin, sample"):
        assert told in table
    for told in ("0 of 5000000 tokens/month", "0 of 2.5 money/day"):
        assert told in keys(url, "list").stdout
    changed = keys(
        url, "update", key_id, "--expires", "2099-01-31T12:00", "--clear", "models", "--clear", "money-per-day"
    )
    assert (changed.returncode, f"key {key_id} is changed" in changed.stderr) == (0, True)
    key = shown(url, key_id)
    assert (key["models"], key["money_per_day"], key["methods"]) == (None, None, ["darwin"])
    assert key["expires_at"] == datetime(2099, 1, 31, 12, tzinfo=UTC).timestamp()
    assert "2099-01-31 12:00" in keys(url, "list").stdout
    assert await accepted(url, text)


async def test_a_rotated_key_has_a_new_secret(url: str) -> None:
    text, key_id = add(url, "acme", "--note", "kept")
    rotated = keys(url, "rotate", key_id, "--grace-s", "60")
    new = rotated.stdout.strip()
    assert rotated.returncode == 0
    assert new.startswith(f"dk_{key_id}_")
    assert new.rpartition("_")[2] not in rotated.stderr
    assert await accepted(url, text)
    assert await accepted(url, new)
    last = keys(url, "rotate", key_id).stdout.strip()
    assert [await accepted(url, each) for each in (text, new, last)] == [False, False, True]
    assert shown(url, key_id)["note"] == "kept"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["update", "0123456789ab", "--note", "x"], "there is no key 0123456789ab"),
        (["rotate", "0123456789ab"], "there is no key 0123456789ab"),
        (["show", "0123456789ab"], "there is no key 0123456789ab"),
        (["update", "KEY", "--clear", "tenant"], "tenant cannot be taken away"),
        (["update", "KEY", "--clear", "note"], "note cannot be taken away"),
        (["update", "KEY", "--clear", "models", "--models", "darwin"], "both given and taken away"),
        (["update", "KEY", "--models", ","], "models holds 1 to 100 names"),
        (["update", "KEY", "--methods", "none"], "'none' is no method"),
        (["update", "KEY", "--money-per-day", "0"], "above 0"),
        (["update", "KEY", "--money-per-day", "nan"], "above 0"),
        (["update", "KEY", "--expires", "2001-01-01"], "expires_at has passed"),
        (["rotate", "KEY", "--grace-s", "99999999"], "a grace is 0 to"),
    ],
)
def test_changes_that_cannot_be_are_refused(url: str, arguments: list[str], reason: str) -> None:
    _, key_id = add(url, "acme")
    before = shown(url, key_id)
    refused = keys(url, *(key_id if word == "KEY" else word for word in arguments))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert reason in refused.stderr
    assert shown(url, key_id) == before


def test_a_time_that_is_none_is_refused(url: str) -> None:
    refused = keys(url, "add", "acme", "--expires", "tomorrow")
    assert refused.returncode == 2
    assert "is no time" in refused.stderr
