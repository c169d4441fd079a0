"""Who calls: the holder of an API key, whom a trusted proxy names, or, where keys are off, anybody on this machine."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.config.settings import loopback
from services.gateway.edge.errors import InvalidApiKey, MisdirectedRequest, PermissionDenied, response_of
from services.gateway.edge.identity import ProxyIdentities
from shared.errors import DarwinError
from shared.store.api_keys import ApiKey, ApiKeys

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:\d{1,5})?")
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Caller:
    """Whose call it is; `key` is None where this deployment needs none."""

    key: ApiKey | None = None

    @property
    def tenant(self) -> str:
        """The tenant that the call's evolutions will belong to; "" without a key."""
        return self.key.tenant if self.key else ""

    @property
    def readable_tenant(self) -> str | None:
        """The tenant whose evolutions the caller may read; None for every tenant's."""
        return None if self.key is None or self.key.all_tenants else self.key.tenant

    @property
    def is_operator(self) -> bool:
        """Whether the caller may read everything of every tenant's evolutions, errors in full among it."""
        return self.readable_tenant is None

    def may_use(self, model: str, method: str | None) -> bool:
        """Whether the caller may use a model by this known name, which stands for this method, or embeds (None)."""
        return self.key is None or self.key.may_use(model, method)

    def check_manages_keys(self) -> None:
        """Raises `PermissionDenied` where the caller may not manage API keys."""
        if self.key is None:
            raise PermissionDenied("this deployment asks for no keys: set DARWIN_GATEWAY_KEYS=required to manage any")
        if not self.key.manages_keys:
            raise PermissionDenied("this needs an operator's key, made by `darwin keys add … --manages-keys`")

    @property
    def managed_profiles(self) -> Literal["all", "own", "none"]:
        """Which reward profiles the caller may see and change: all, its tenant's own, or none."""
        if self.key is None or self.key.manages_profiles:
            return "all"
        return "own" if self.key.own_profiles else "none"

    def check_manages_profiles(self) -> None:
        """Raises `PermissionDenied` where the caller may manage no reward profiles at all."""
        if self.managed_profiles == "none":
            raise PermissionDenied(
                "this needs an operator's key, made by `darwin keys add … --manages-profiles`, or one with "
                "--own-profiles for a tenant's own"
            )

    def may_manage_profiles(self, owner: str) -> bool:
        """Whether the caller may see and change reward profiles of this owner: a tenant, or empty for those that all
        may use."""
        managed = self.managed_profiles
        return managed == "all" or (managed == "own" and owner == self.tenant)


def caller_of(request: Request) -> Caller:
    """The caller that `AccessMiddleware` identified."""
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


class AccessMiddleware:
    """Identifies the caller, and refuses strangers before their body is read.

    Without `keys` everybody on this machine may call, except the web pages of other sites: a browser lets a page call
    this machine under the page's own host name, once that name resolves here. So `Host` must name this machine.
    """

    def __init__(self, app: ASGIApp, keys: ApiKeys | None, identities: ProxyIdentities | None = None) -> None:
        self._app = app
        self._keys = keys
        self._identities = identities

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._identify(scope)
        except DarwinError as error:
            await response_of(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    async def _identify(self, scope: Scope) -> Caller:
        headers = Headers(scope=scope)
        if self._keys is None:
            _check_hosts(headers.getlist("host"))
            return Caller()
        if not scope["path"].startswith("/v1/"):
            return Caller()
        if self._identities and (identified := await self._identities.key_of(scope)):
            return Caller(identified)
        credentials = headers.getlist("authorization")
        match = _BEARER.fullmatch(credentials[0].strip()) if len(credentials) == 1 else None
        if match is None:
            raise InvalidApiKey("an API key is needed: send the header authorization: Bearer dk_…")
        key = await self._keys.find(match.group(1))
        if key is None:
            raise InvalidApiKey("this API key is unknown or revoked")
        if key.expires_at is not None and key.expired:
            raise InvalidApiKey(f"this API key has expired, at {_date(key.expires_at)}")
        return Caller(key)


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_hosts(hosts: list[str]) -> None:
    for host in hosts or [""]:
        match = _HOST.fullmatch(host.strip())
        if match is None or not loopback(match.group(1).strip("[]").rstrip(".").lower()):
            raise MisdirectedRequest(
                "without API keys this gateway answers only to localhost and loopback addresses: call it as "
                "http://127.0.0.1, or set DARWIN_GATEWAY_KEYS=required"
            )
