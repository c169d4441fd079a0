"""Callers whom an authenticating proxy in front of the gateway has identified, in a header that it sets."""

import re
from dataclasses import replace

from starlette.datastructures import Headers
from starlette.types import Scope

from services.gateway.config.networks import within
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import InvalidApiKey, UntrustedIdentity
from shared.errors import NotFound
from shared.store.api_keys import ApiKey, ApiKeys

PREFIX = "user:"
"""Begins the tenant and the key id of such a caller; no tenant of an API key can hold a colon."""

_IDENTITY = re.compile(r"[\x21-\x7e]{1,128}")


class ProxyIdentities:
    """Turns the header into an API key without a secret: of a tenant that is this caller's own, under the terms of the
    key that the settings name.
    """

    def __init__(self, keys: ApiKeys, settings: GatewaySettings) -> None:
        self._keys = keys
        self._header = settings.identity_header.lower()
        self._proxies = settings.trusted_proxies
        self._key_id = settings.identity_key

    async def key_of(self, scope: Scope) -> ApiKey | None:
        """The key that stands for the caller; None where the call names nobody.

        Raises:
            UntrustedIdentity: the call does not come from a trusted proxy, names its caller in a way that cannot be
                taken, or carries an API key as well.
            InvalidApiKey: the key that the settings name is revoked or has expired.
        """
        headers = Headers(scope=scope)
        given = headers.getlist(self._header) if self._header else []
        if not given:
            return None
        if not within((scope.get("client") or ("",))[0], self._proxies):
            raise UntrustedIdentity(
                f"the header {self._header} is taken only from this deployment's proxy: leave it out, and send an API "
                "key as authorization: Bearer dk_…"
            )
        if given == [""]:
            return None
        if len(given) > 1 or not _IDENTITY.fullmatch(given[0]):
            raise UntrustedIdentity(f"the header {self._header} must come once, with 1 to 128 visible ASCII characters")
        if any("dk_" in credentials for credentials in headers.getlist("authorization")):
            raise UntrustedIdentity(
                f"this call carries an API key and {self._header}: which of the two its caller is cannot be told"
            )
        return await self.key_named(f"{PREFIX}{given[0]}")

    async def key_named(self, name: str) -> ApiKey:
        """The key that stands for a caller, by the name of its tenant; raises as `key_of` does."""
        nobody = ApiKey(id=name, tenant=name, digest="", created_at=0.0)
        if not self._key_id:
            return nobody
        try:
            terms = await self._keys.get(self._key_id)
        except NotFound:
            raise InvalidApiKey(f"the API key {self._key_id} that DARWIN_GATEWAY_IDENTITY_KEY names is gone") from None
        if terms.expired:
            raise InvalidApiKey(f"the API key {self._key_id} that DARWIN_GATEWAY_IDENTITY_KEY names has expired")
        # Nobody becomes an operator by them.
        own = replace(terms, id=name, tenant=name, all_tenants=False, manages_keys=False, manages_profiles=False)
        return replace(own, digest="", previous_digest="", previous_until=0.0)
