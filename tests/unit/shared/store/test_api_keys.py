import hashlib
import re

import pytest

from shared.errors import InvalidRequest
from shared.records.spending import Budget
from shared.store.api_keys import ApiKeys, _parsed, new_key


def test_a_key_is_long_random_and_kept_as_a_digest() -> None:
    text, key = new_key("acme", "for tests", requests_per_minute=1, tokens_per_day=2, max_active=3)
    match = re.fullmatch(r"dk_([0-9a-f]{12})_([0-9a-f]{64})", text)
    assert match is not None
    assert match.group(1) == key.id
    assert key.digest == hashlib.sha256(match.group(2).encode()).hexdigest()
    assert match.group(2) not in repr(key)
    assert (key.tenant, key.note) == ("acme", "for tests")
    assert (key.requests_per_minute, key.tokens_per_day, key.max_active) == (1, 2, 3)
    assert len({new_key("acme")[0] for _ in range(100)}) == 100


@pytest.mark.parametrize("tenant", ["", " ", "-a", "a b", "a" * 65, "a\n", "ü", "a:b", "{a}"])
def test_tenants_have_plain_names(tenant: str) -> None:
    with pytest.raises(InvalidRequest, match="tenant"):
        new_key(tenant)


@pytest.mark.parametrize("limit", [0, -1])
def test_limits_are_positive(limit: int) -> None:
    for limits in ({"requests_per_minute": limit}, {"tokens_per_day": limit}, {"max_active": limit}):
        with pytest.raises(InvalidRequest, match="at least 1"):
            new_key("acme", **limits)


@pytest.mark.parametrize("deadline_ms", [0, 99, 86_400_001])
def test_a_deadline_is_one_that_a_search_may_have(deadline_ms: int) -> None:
    with pytest.raises(InvalidRequest, match="100 to 86400000 milliseconds"):
        new_key("acme", deadline_ms=deadline_ms)
    assert new_key("acme", deadline_ms=100)[1].deadline_ms == 100
    assert new_key("acme")[1].deadline_ms is None


@pytest.mark.parametrize("note", ["x" * 201, "two\nlines", "\x1b[31m"])
def test_notes_are_one_printable_line(note: str) -> None:
    with pytest.raises(InvalidRequest, match="note"):
        new_key("acme", note)


@pytest.mark.parametrize("text", ["", "dk_", "sk-1", "dk_" + "0" * 12, "dk_" + "0" * 12 + "_" + "0" * 63, "\0"])
async def test_malformed_texts_are_refused_without_redis(text: str) -> None:
    keys = ApiKeys("redis://127.0.0.1:1/0")
    assert await keys.find(text) is None
    await keys.close()


def test_keys_of_before_load_unchanged() -> None:
    """Without expiry, allowances, further budgets and rotation."""
    body = (
        '{"id": "0123456789ab", "tenant": "acme", "digest": "d", "created_at": 1.5, "note": "n", '
        '"requests_per_minute": 1, "tokens_per_day": 2, "max_active": 3, "all_tenants": true, "deadline_ms": 100}'
    )
    key = _parsed("0123456789ab", body)
    assert (key.id, key.tenant, key.note, key.all_tenants, key.deadline_ms) == ("0123456789ab", "acme", "n", True, 100)
    assert key.budgets == (Budget("tokens", "day", 2),)
    assert (key.expired, key.manages_keys, key.previous_until) == (False, False, 0.0)
    assert key.may_use("any", "darwin")


def test_budgets_are_those_of_the_longest_periods_first() -> None:
    _, key = new_key("acme", tokens_per_hour=5, money_per_hour=0.25, tokens_per_month=7, money_per_week=1.0)
    assert key.budgets == (
        Budget("tokens", "month", 7),
        Budget("money", "week", 10**9),
        Budget("tokens", "hour", 5),
        Budget("money", "hour", 250_000_000),
    )


@pytest.mark.parametrize(
    ("models", "methods"), [(("a",), None), (None, ("sample",)), (("a", "b"), ("sample", "darwin"))]
)
def test_a_model_needs_its_name_and_its_method(models: tuple[str, ...] | None, methods: tuple[str, ...] | None) -> None:
    _, key = new_key("acme", models=models, methods=methods)
    assert key.may_use("a", "sample")
    assert not key.may_use("c", "best-of-n")
    assert key.may_use("c", "sample") == (models is None)
    assert key.may_use("a", "best-of-n") == (methods is None)
