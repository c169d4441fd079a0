"""What drives batches, without a gateway's process."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

from services.gateway.batches.driver import BatchDriver
from services.gateway.batches.limits import BatchLimits
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.rates import Rates
from services.gateway.edge.search_times import SearchTimes
from services.gateway.embeddings.embedder import Embedder
from services.gateway.evolutions.acceptance import Acceptance
from services.gateway.evolutions.admission import Admission, StageCheck
from services.gateway.evolutions.compiler import FormatCompiler
from services.gateway.evolutions.embedding_calls import EmbeddingCalls
from services.gateway.evolutions.service import EvolutionService
from services.gateway.profiles.managed import ManagedProfiles
from shared.store.api_keys import ApiKeys
from shared.store.batches import Batch, Batches
from shared.store.evolutions import Store
from shared.store.files import File, FileLimits, Files
from shared.store.presence import Presence
from shared.store.rollouts import Rollouts

CHAT = "/v1/chat/completions"
FINAL = ("completed", "failed", "cancelled", "expired")


def line(custom_id: str, **body: Any) -> str:
    return line_of(CHAT, custom_id, {"model": "sample", "messages": [{"role": "user", "content": "Why?"}]} | body)


def line_of(url: str, custom_id: str, body: dict[str, Any]) -> str:
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body})


class Driving:
    """The parts of a gateway that batches need."""

    def __init__(self, url: str, store: Store) -> None:
        self.url, self.store = url, store
        self.files, self.batches, self.keys = Files(url), Batches(url), ApiKeys(url)
        self.rates, self.presence = Rates(url), Presence(url)

    def driver(
        self, settings: GatewaySettings | None = None, embedder: Embedder | None = None, **limits: int
    ) -> BatchDriver:
        settings = settings or GatewaySettings()
        admission = Admission(self.store, self.rates, StageCheck(self.presence), settings)
        service = EvolutionService(self.store, SearchTimes())
        acceptance = Acceptance(service, admission, FormatCompiler(), ManagedProfiles(Rollouts(self.url), None))
        embedding = EmbeddingCalls(embedder, admission, self.store, SearchTimes())
        return BatchDriver(
            self.batches, self.files, self.keys, service, acceptance, embedding, settings, BatchLimits(**limits)
        )

    async def batch(
        self,
        lines: list[str],
        lasts_s: float = 600,
        key_id: str = "",
        url: str = CHAT,
        budget: int | None = None,
        cycles: int = 1,
    ) -> Batch:
        now, tenant = time.time(), "acme" if key_id else ""
        name = f"{time.time_ns():x}"
        file = File(f"file-{name}", tenant, "in.jsonl", "batch", now, now + 600)
        if lines:
            await self.files.append(file, 0, lines, 1, FileLimits(10**9, 10**9, 10**6))
        made = Batch(f"batch_{name}", tenant, key_id, url, file.id, now, now + lasts_s)
        made = replace(made, max_generated_tokens=budget, cycles=cycles)
        await self.batches.create(made, 100)
        return made

    async def until(self, driver: BatchDriver, batch: Batch, *statuses: str) -> Batch:
        for _ in range(300):
            await driver.step()
            now = await self.batches.load(batch.id, batch.tenant)
            if now.status in (statuses or FINAL):
                return now
            await asyncio.sleep(0.03)
        raise AssertionError(f"still {now.status}")

    async def until_waits(self, driver: BatchDriver, batch: Batch, completed: int) -> Batch:
        """The batch once so many lines are completed, and after steps enough for some more."""
        for _ in range(300):
            await driver.step()
            if (await self.batches.load(batch.id, batch.tenant)).completed >= completed:
                break
            await asyncio.sleep(0.03)
        for _ in range(20):
            await driver.step()
            await asyncio.sleep(0.02)
        return await self.batches.load(batch.id, batch.tenant)

    async def read(self, file_id: str) -> list[dict[str, Any]]:
        return [json.loads(text) for text in await self.files.lines(file_id, 0, 1000)]

    async def close(self) -> None:
        for each in (self.files, self.batches, self.keys, self.rates, self.presence):
            await each.close()
