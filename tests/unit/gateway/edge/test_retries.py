"""A call that ends without its answer, as OpenAI's SDK sees it: no second search runs beside the first."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
import openai
import pytest

from services.gateway.evolutions import following
from shared.errors import Unavailable
from shared.records.evolution import Record
from shared.store.evolutions import Store
from shared.store.kept_events import RawEvents
from tests.unit.gateway.apps import BODY, URL, app_with

RETRIES = 1


class Away(Store):
    """Redis as it is once an evolution was accepted: events are not told; cancels are asked for, or are not."""

    def __init__(self, cancels: bool, creates: bool = True) -> None:
        super().__init__(URL, ttl_s=60)
        self.created: list[str] = []
        self.cancelled: list[str] = []
        self._cancels, self._creates = cancels, creates

    async def create(self, record: Record, *_: object) -> Record:
        self.created.append(record.id)
        if not self._creates:
            raise Unavailable("Redis cannot be reached")
        return record

    async def read_events(
        self, positions: Mapping[str, str], count: int, block_s: float = 0.0
    ) -> dict[str, list[RawEvents]]:
        raise Unavailable("Redis cannot be reached")

    async def active_among(self, evolution_ids: object) -> set[str]:
        raise Unavailable("Redis cannot be reached")

    async def request_cancel(self, evolution_id: str) -> None:
        if not self._cancels:
            raise Unavailable("Redis cannot be reached")
        self.cancelled.append(evolution_id)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_FOR_S", -following.BLOCK_S)
    monkeypatch.setattr(following, "RETRY_EVERY_S", 0.01)


async def ask(store: Store, path: str = "chat", **named: Any) -> openai.APIStatusError:
    transport = httpx.ASGITransport(app_with(store))
    async with (
        httpx.AsyncClient(transport=transport) as http,
        openai.AsyncOpenAI(
            base_url="http://localhost/v1", api_key="none", http_client=http, max_retries=RETRIES
        ) as client,
    ):
        calls = {
            "chat": partial(client.chat.completions.create, **BODY),
            "responses": partial(client.responses.create, model="darwin", input="Why?"),
            "completions": partial(client.completions.create, model="best-of-n", prompt=["a", "b"]),
        }
        with pytest.raises(openai.APIStatusError) as caught:
            await calls[path](**named)
    return caught.value


@pytest.mark.parametrize(("path", "searches"), [("chat", 1), ("responses", 1), ("completions", 2)])
@pytest.mark.parametrize("creates", [True, False])
async def test_what_cannot_be_cancelled_is_not_sent_again(path: str, searches: int, creates: bool) -> None:
    store = Away(cancels=False, creates=creates)
    refused = await ask(store, path)
    assert len(store.created) == (searches if creates else 1)
    assert (refused.status_code, refused.response.headers["x-should-retry"]) == (503, "false")
    assert refused.code == "unavailable"
    assert f"GET /v1/evolutions/{store.created[0]}" in refused.message


@pytest.mark.parametrize(("path", "searches"), [("chat", 1), ("responses", 1), ("completions", 2)])
@pytest.mark.parametrize("creates", [True, False])
async def test_what_is_sent_again_was_cancelled_before(path: str, searches: int, creates: bool) -> None:
    store = Away(cancels=True, creates=creates)
    refused = await ask(store, path)
    assert len(store.created) == (1 + RETRIES) * (searches if creates else 1)
    assert store.cancelled == store.created
    assert (refused.status_code, refused.response.headers["x-should-retry"]) == (503, "true")


async def test_with_an_idempotency_key_the_evolution_goes_on() -> None:
    store = Away(cancels=True)
    refused = await ask(store, extra_headers={"idempotency-key": "mine"})
    assert (len(store.created), store.cancelled) == (1 + RETRIES, [])
    assert refused.response.headers["x-should-retry"] == "true"
