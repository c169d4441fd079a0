"""What one gateway process holds: clients of Redis and of what embeds, and the processes that compile formats."""

from dataclasses import dataclass, field
from typing import Self

from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.rates import Rates
from services.gateway.embeddings.choice import embedder_of
from services.gateway.embeddings.embedder import Embedder
from services.gateway.evolutions.compiler import FormatCompiler
from services.gateway.evolutions.following import MOST_READS
from shared.store.api_keys import ApiKeys
from shared.store.batches import Batches
from shared.store.evolutions import Store
from shared.store.files import Files
from shared.store.presence import Presence
from shared.store.webhooks import Webhooks

# Of each client. A command that finds none free waits for one, and is a 503 where that takes too long.
_CONNECTIONS = 64


@dataclass(frozen=True)
class Backends:
    """Each client has connections of its own, which it opens when it needs them; processes start so, too."""

    store: Store
    keys: ApiKeys
    rates: Rates
    presence: Presence
    files: Files
    batches: Batches
    webhooks: Webhooks
    embedder: Embedder | None = None
    formats: FormatCompiler = field(default_factory=FormatCompiler)

    @classmethod
    def of(cls, settings: GatewaySettings) -> Self:
        """Raises `SettingsError` where an address cannot be used."""
        url, connections = settings.redis_url, _CONNECTIONS
        return cls(
            Store(url, settings.record_ttl_s, connections + MOST_READS),
            ApiKeys(url, connections),
            Rates(url, connections),
            Presence(url),
            Files(url, connections),
            Batches(url, connections),
            Webhooks(url, connections),
            embedder_of(settings),
        )

    async def close(self) -> None:
        stored = (self.files, self.batches, self.webhooks)
        for backend in (self.store, self.keys, self.rates, self.presence, self.formats, *stored):
            await backend.close()
        if self.embedder is not None:
            await self.embedder.close()
