"""A simulated stack with keys, and evolutions of every kind and end on it."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from cli.stack import Stack, StackSettings
from shared.methods import METHODS
from shared.store.api_keys import ApiKeys, new_key
from tests.e2e.test_logs import TOO_LONG

PROMPT = "Describe the xylophonist Quibblethwaite."
SETTINGS = StackSettings.simulated(
    {
        "DARWIN_GATEWAY_KEYS": "required",
        "DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "2000",
        "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0",
    }
)


@dataclass
class Workload:
    """What is asked of a running stack; `keys` by tenant, `texts` of every answer."""

    stack: Stack
    keys: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def add_tenants(self, *tenants: str) -> None:
        for tenant in tenants:
            self.keys[tenant], key = new_key(tenant)
            asyncio.run(_add(self.stack.redis_url, key))

    def run(self) -> None:
        """Every method for every tenant; one that fails, one that is cancelled, calls that are refused."""
        for tenant in self.keys:
            for method in METHODS:
                assert self._end(tenant, {"model": method, "darwin": {"mutation": "model"}}) == "succeeded"
        tenant = next(iter(self.keys))
        assert self._end(tenant, {"model": "sample", "messages": TOO_LONG}) == "failed"
        # Of sixteen seconds, or of one that is cancelled before.
        long = {"model": "darwin", "max_tokens": 4000, "darwin": {"cycles": 8}}
        assert self._end(tenant, long, cancel=True) == "cancelled"
        with self._client(tenant) as http:
            http.get("/v1/no-such-route")

    def _end(self, tenant: str, body: dict[str, Any], cancel: bool = False) -> str:
        message = {"role": "user", "content": PROMPT}
        with self._client(tenant) as http:
            started = http.post("/v1/evolutions", json={"messages": [message], "max_tokens": 60, **body})
            path = f"/v1/evolutions/{started.raise_for_status().json()['id']}"
            give_up = time.monotonic() + 60
            while (evolution := http.get(path).json())["status"] in ("queued", "running"):
                assert time.monotonic() < give_up
                if cancel:
                    time.sleep(0.3)
                    http.delete(path)
                time.sleep(0.02)
        self.texts += [choice["text"] for choice in (evolution["result"] or {}).get("choices", ())]
        return str(evolution["status"])

    def _client(self, tenant: str) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.keys[tenant]}"}
        return httpx.Client(base_url=self.stack.url, headers=headers, timeout=20)


async def _add(redis_url: str, key: Any) -> None:
    keys = ApiKeys(redis_url)
    await keys.add(key)
    await keys.close()
