"""Whose batch it is, under the terms that hold while it is driven."""

from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from services.gateway.edge.errors import InvalidApiKey
from services.gateway.edge.identity import PREFIX, ProxyIdentities
from shared.errors import NotFound
from shared.store.api_keys import ApiKeys
from shared.store.batches import Batch


class Owners:
    """Finds the callers who made batches."""

    def __init__(self, keys: ApiKeys, settings: GatewaySettings) -> None:
        self._keys = keys
        self._settings = settings
        self._identities = ProxyIdentities(keys, settings)

    async def caller_of(self, batch: Batch) -> Caller:
        """The caller, with the API key as it stands now.

        Raises:
            InvalidApiKey: the key was revoked or has expired, the proxy that named the caller is gone, or the batch was
                made without a key where one is needed by now.
        """
        if not batch.key_id:
            if self._settings.keys == "required":
                raise InvalidApiKey("This batch was made without an API key, and one is needed by now.")
            return Caller()
        if batch.key_id.startswith(PREFIX):
            if not self._settings.identity_header:
                raise InvalidApiKey("No proxy names callers here any more.")
            return Caller(await self._identities.key_named(batch.key_id))
        try:
            key = await self._keys.get(batch.key_id)
        except NotFound:
            raise InvalidApiKey("The API key that made this batch was revoked.") from None
        if key.expired:
            raise InvalidApiKey("The API key that made this batch has expired.")
        return Caller(key)
