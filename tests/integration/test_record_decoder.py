"""Whatever stands in Redis as a record's body or as its request: it is read, or it is a known error."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import DarwinError
from shared.records.evolution import EvolutionRequest, Idempotency, Message, Record, Sampling
from shared.records.search import Search
from shared.store import layout
from shared.store.evolutions import Store
from tests.examples import examples

REQUEST = EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(9), Search(), 1, metadata={"a": "b"})
RECORD = Record("evo_x", 0, "queued", 1.5, REQUEST, key_id="k", idempotency=Idempotency("a", "b"))

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@pytest.fixture(scope="module")
def stored(redis_url: str) -> dict[str, str]:
    """The fields of a real record."""
    import asyncio

    async def created() -> None:
        store = Store(redis_url, ttl_s=60)
        await store.create(RECORD)
        await store.close()

    asyncio.run(created())
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        fields: dict[str, str] = client.hgetall("darwin:evo:{evo_x}")  # type: ignore[assignment]
    return fields


@pytest.fixture(scope="module")
def body() -> dict[str, Any]:
    """A record in one piece."""
    parsed: dict[str, Any] = json.loads(layout.dumped_body(replace(RECORD, whole=True)))
    return parsed


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The value with one of its parts replaced, removed or renamed."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        rest = {key: part for key, part in value.items() if key != name}
        match draw(st.integers(0, 3)):
            case 0:
                return rest
            case 1:
                return rest | {draw(st.text(max_size=8)): value[name]}
        return rest | {name: draw(mutated(value[name]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [draw(mutated(value[0])), *value[1:]]
    return draw(JSON)


async def check(store: Store, body: bytes | str, request: bytes = b"null") -> None:
    fields: Any = {"body": body, "request": request, "version": 0}
    await store._redis.hset("darwin:evo:{evo_fuzzed}", mapping=fields)
    with suppress(DarwinError):
        assert isinstance(await store.load("evo_fuzzed"), Record)


UNBOUNDED = settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@UNBOUNDED
@given(data=st.data())
async def test_mutated_records(store: Store, body: dict[str, Any], data: st.DataObject) -> None:
    await check(store, json.dumps(data.draw(mutated(body))).encode())


@settings(UNBOUNDED, max_examples=examples(50))
@given(data=st.data())
async def test_mutated_requests(store: Store, stored: dict[str, str], data: st.DataObject) -> None:
    request = data.draw(mutated(json.loads(stored["request"])))
    await check(store, stored["body"], json.dumps(request).encode())


@UNBOUNDED
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
async def test_arbitrary_bodies(store: Store, body: bytes) -> None:
    await check(store, body)


@UNBOUNDED
@given(data=st.data())
async def test_broken_off_and_flipped_records(store: Store, body: dict[str, Any], data: st.DataObject) -> None:
    raw = bytearray(json.dumps(body).encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    await check(store, bytes(raw[: data.draw(st.integers(0, len(raw)))]))
