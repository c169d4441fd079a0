"""What one gateway process holds: clients of Redis and of what embeds, and the processes that compile formats."""

from dataclasses import dataclass, field
from typing import Self

from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.rates import Rates
from services.gateway.embeddings.choice import embedder_of
from services.gateway.embeddings.embedder import Embedder
from services.gateway.evolutions.compiler import FormatCompiler
from services.gateway.evolutions.following import MOST_READS
from services.gateway.profiles.choice import reward_of
from services.gateway.profiles.managed import ManagedProfiles
from shared.store.api_keys import ApiKeys
from shared.store.batches import Batches
from shared.store.credit import CreditLog
from shared.store.evolutions import Store
from shared.store.files import Files
from shared.store.presence import Presence
from shared.store.rollouts import Rollouts
from shared.store.shards import Shards
from shared.store.webhooks import Webhooks

# For what the store of evolutions is asked besides following, and for everything else. Nobody blocks one: whoever finds
# none free waits for milliseconds, and is told 503 where that takes too long.
_CONNECTIONS = 64


@dataclass(frozen=True)
class Backends:
    """The store has connections of its own, for those who follow events block them; all other clients of Redis share
    `connections`. They are opened when they are needed, at most `DARWIN_GATEWAY_MAX_CONCURRENT` + 128 in all; processes
    start so, too.
    """

    store: Store
    keys: ApiKeys
    rates: Rates
    presence: Presence
    files: Files
    batches: Batches
    webhooks: Webhooks
    credit: CreditLog
    profiles: ManagedProfiles
    embedder: Embedder | None = None
    formats: FormatCompiler = field(default_factory=FormatCompiler)
    connections: Shards | None = None

    @classmethod
    def of(cls, settings: GatewaySettings) -> Self:
        """Raises `SettingsError` where an address cannot be used."""
        connections = Shards.connect(settings.redis_url, settings.redis_shards, _CONNECTIONS)
        return cls(
            Store(settings.redis_url, settings.record_ttl_s, _CONNECTIONS + MOST_READS, settings.redis_shards),
            ApiKeys(connections),
            Rates(connections),
            Presence(connections),
            Files(connections),
            Batches(connections),
            Webhooks(connections),
            CreditLog(connections),
            ManagedProfiles(Rollouts(connections), reward_of(settings)),
            embedder_of(settings),
            connections=connections,
        )

    async def close(self) -> None:
        stored = (self.files, self.batches, self.webhooks, self.credit, self.profiles)
        for backend in (self.store, self.keys, self.rates, self.presence, self.formats, *stored):
            await backend.close()
        if self.connections is not None:
            await self.connections.close()
        if self.embedder is not None:
            await self.embedder.close()
