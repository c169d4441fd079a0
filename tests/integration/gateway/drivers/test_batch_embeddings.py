"""Lines that ask for embeddings: answered as they begin, under the terms of the key."""

import struct
import time
from collections.abc import Sequence
from typing import Any

from services.gateway.config.settings import GatewaySettings
from services.gateway.embeddings.embedder import Embeddings, TokenIds
from shared.errors import ContextLengthExceeded, Overloaded, Unavailable
from shared.store.api_keys import new_key
from tests.integration.gateway.drivers.driving import Driving, line_of

URL = "/v1/embeddings"
SETTINGS = GatewaySettings(mutation="127.0.0.1:1")


class Lengths:
    """Embeds a text as its length, and is away at first."""

    def __init__(self) -> None:
        self.calls = 0

    async def embed(
        self, inputs: Sequence[str] | Sequence[TokenIds], dimensions: int | None, timeout_s: float
    ) -> Embeddings:
        self.calls += 1
        if self.calls == 1:
            raise Unavailable("away")
        if "too long" in inputs:
            raise ContextLengthExceeded.of(8, 9, "input.0")
        return Embeddings(tuple(struct.pack("<f", len(each)) for each in inputs), 10 * len(inputs))

    async def close(self) -> None:
        pass


def line(name: str, **body: Any) -> str:
    return line_of(URL, name, {"model": "all-minilm-l6-v2", "input": name} | body)


async def test_embeddings(driving: Driving) -> None:
    lines = [line("abc"), line("several", input=["a", "bb"]), line("too long"), line("chat", model="darwin")]
    embedder = Lengths()
    done = await driving.until(driving.driver(SETTINGS, embedder), await driving.batch(lines, url=URL))
    assert (done.status, done.completed, done.failed) == ("completed", 2, 2)
    bodies = {each["custom_id"]: each["response"]["body"] for each in await driving.read(done.output_file_id)}
    assert [each["embedding"] for each in bodies["abc"]["data"]] == [[3.0]]
    assert [each["embedding"] for each in bodies["several"]["data"]] == [[1.0], [2.0]]
    assert bodies["several"]["usage"]["prompt_tokens"] == 20
    errors = {each["custom_id"]: each["response"]["body"]["error"] for each in await driving.read(done.error_file_id)}
    assert (errors["too long"]["param"], errors["chat"]["param"]) == ("input.0", "model")
    assert embedder.calls == 4


class Full(Lengths):
    """Is full at first, and says for how long."""

    async def embed(
        self, inputs: Sequence[str] | Sequence[TokenIds], dimensions: int | None, timeout_s: float
    ) -> Embeddings:
        if self.calls == 0:
            self.calls, self.until = 1, time.monotonic() + 0.5
            full = Overloaded("full")
            full.retry_after_s = 0.5
            raise full
        assert time.monotonic() >= self.until
        return await super().embed(inputs, dimensions, timeout_s)


async def test_an_endpoint_that_is_full_is_asked_again_when_it_says(driving: Driving) -> None:
    made = await driving.batch([line("abc"), line("de")], url=URL)
    embedder = Full()
    driver = driving.driver(SETTINGS, embedder)
    for _ in range(3):
        await driver.step()
    assert embedder.calls == 1
    done = await driving.until(driver, made)
    assert (done.completed, done.failed, embedder.calls) == (2, 0, 3)


async def test_a_budget_makes_embeddings_wait(driving: Driving) -> None:
    _, key = new_key("acme", tokens_per_day=15)
    await driving.keys.add(key)
    made = await driving.batch([line(str(number)) for number in range(5)], url=URL, key_id=key.id)
    driver = driving.driver(SETTINGS, Lengths())
    for _ in range(6):
        await driver.step()
    now = await driving.batches.load(made.id, "acme")
    assert (now.status, now.completed, now.failed) == ("in_progress", 2, 0)
    await driving.batches.end(made.id, "cancelled")
    assert (await driving.until(driver, made)).failed == 3


async def test_nothing_embeds_here(driving: Driving) -> None:
    done = await driving.until(driving.driver(), await driving.batch([line("abc")], url=URL))
    (error,) = await driving.read(done.error_file_id)
    assert (done.status, error["response"]["status_code"]) == ("completed", 404)
