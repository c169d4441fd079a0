import hashlib
import re

import pytest

from shared.errors import InvalidRequest
from shared.store.api_keys import ApiKeys, new_key


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
            new_key("acme", **limits)  # type: ignore[arg-type]


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
