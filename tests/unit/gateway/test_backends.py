"""How many connections to Redis a gateway may open, whatever it is asked."""

from services.gateway.config.settings import GatewaySettings
from services.gateway.evolutions.backends import Backends


async def test_connections_are_bounded() -> None:
    backends = Backends.of(GatewaySettings())
    stored = (backends.keys, backends.rates, backends.presence, backends.files, backends.batches, backends.webhooks)
    pools = {client._redis.connection_pool for client in (backends.store, *stored)}
    assert len(pools) == 2
    assert sum(pool.max_connections for pool in pools) == 148
    await backends.close()
