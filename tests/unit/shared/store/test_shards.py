"""Which shard something lies on: the same for every process, and as many on each."""

import uuid
from collections import Counter

import pytest

from shared.records.evolution import Idempotency
from shared.store.redis_keys import RedisKeys
from shared.store.shards import Shards, new_evolution_id


def shards(count: int) -> Shards:
    """They connect to nothing before they are used."""
    return Shards.connect("redis://127.0.0.1:1", count)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_evolutions_and_keys_are_spread_evenly(count: int) -> None:
    several = shards(count)
    places = Counter(several.of(new_evolution_id()).number for _ in range(4000))
    homes = Counter(several.home(uuid.uuid4().hex[:12]).number for _ in range(4000))
    for found in (places, homes):
        assert set(found) == set(range(count))
        assert min(found.values()) > 0.8 * 4000 / count


def test_what_an_idempotency_key_stands_for_lies_beside_it() -> None:
    several, key = shards(5), Idempotency(uuid.uuid4().hex * 2, "print")
    ids = {new_evolution_id(key) for _ in range(20)}
    assert len(ids) == 20
    assert len({several.of(evolution_id).number for evolution_id in ids}) == 1


def test_ids_that_were_never_given_lie_somewhere() -> None:
    assert {shards(5).of(each).number for each in ("", "evo_none", "evo_", "x" * 9000)} == {0}


def test_keys_of_one_shard_are_named_as_before_and_those_of_several_lie_in_one_hash_slot() -> None:
    assert [shard.keys.prefix for shard in shards(1)] == ["darwin:"]
    assert RedisKeys().queue == "darwin"
    for number, shard in enumerate(shards(3)):
        assert shard.keys.record("evo_1") == f"darwin:{{s{number}}}:evo:{{evo_1}}"
        names = (shard.keys.queue, shard.keys.active, shard.keys.listing("t"), shard.keys.active_of("k"))
        assert all(name.startswith(f"darwin:{{s{number}}}:") for name in names)
