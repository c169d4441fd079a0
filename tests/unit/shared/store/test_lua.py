"""Scripts whose keys and arguments have names."""

import pytest

from shared.store import scripts
from shared.store.connection import connect_redis
from shared.store.lua import Script

SCRIPT = Script("return 1\n", keys="record *leases", args="ttl_ms body *versions *holders")
VALUES = {
    "record": "r",
    "leases": ["l1", "l2", "l3"],
    "ttl_ms": 5,
    "body": "{}",
    "versions": [7, 8],
    "holders": ["a", "b"],
}
ALL = [script for script in vars(scripts).values() if isinstance(script, Script)]


def test_values_come_in_the_order_that_the_text_reads_them_in() -> None:
    assert SCRIPT.parameters(**VALUES) == (["r", "l1", "l2", "l3"], [5, "{}", 7, "a", 8, "b"])
    assert SCRIPT.text.splitlines() == [
        "local record = KEYS[1]",
        "local leases = {}",
        "for i = 2, #KEYS, 1 do leases[#leases + 1] = KEYS[i] end",
        "local ttl_ms, body = ARGV[1], ARGV[2]",
        "local versions, holders = {}, {}",
        "for i = 3, #ARGV, 2 do versions[#versions + 1] = ARGV[i] holders[#holders + 1] = ARGV[i + 1] end",
        "return 1",
    ]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_is_missing_is_an_error(name: str) -> None:
    with pytest.raises(TypeError, match=rf"lacks \['{name}'\]"):
        SCRIPT.parameters(**{key: value for key, value in VALUES.items() if key != name})


def test_a_value_without_a_name_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"does not know \['lease'\]"):
        SCRIPT.parameters(**VALUES, lease="l")


def test_lists_have_one_length_and_come_last() -> None:
    with pytest.raises(ValueError, match="shorter"):
        SCRIPT.parameters(**(VALUES | {"holders": ["a"]}))
    with pytest.raises(ValueError, match="lists come last"):
        Script("", keys="*leases record", args="")


@pytest.mark.parametrize("script", ALL)
def test_the_stores_scripts_use_names_only(script: Script) -> None:
    written = [line for line in script.text.splitlines() if not line.startswith(("local ", "for i = "))]
    assert not any(table in line for line in written for table in ("KEYS", "ARGV"))


async def test_the_text_is_sent_where_the_server_has_not_seen_it(redis_url: str) -> None:
    redis, script = connect_redis(redis_url), Script("return {one, more[1], #more}", keys="one", args="*more")
    await redis.script_flush()
    for _ in range(2):
        assert await script(redis, one="k", more=["a", "b"]) == ["k", "a", 2]
    await redis.aclose()


async def test_arguments_arrive_as_they_are_given(redis_url: str) -> None:
    redis, script = connect_redis(redis_url), Script("return ARGV", keys="", args="*values")
    values = ["", "one two", 'zażółć 🙂 "\r\n', "x" * 100_000, 7, 0.1, "half \ud800 of a pair"]
    expected = [*map(str, values[:-1]), "half ? of a pair"]
    assert await script(redis, values=values) == expected
    await redis.aclose()
