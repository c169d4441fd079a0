"""`/v1/keys`: operators make, read, change, rotate and revoke API keys, as `darwin keys` does."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from services.gateway.api.key_bodies import (
    Key,
    KeyCreate,
    KeyList,
    KeyQuery,
    KeyRevoked,
    KeyRotate,
    KeyUpdate,
    KeyWithSecret,
)
from services.gateway.api.model_names import known_models
from services.gateway.api.openapi import failures, header
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.identity import PREFIX, ProxyIdentities
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from shared.errors import InvalidRequest, NotFound
from shared.store.api_keys import ApiKey, ApiKeys, new_key
from shared.store.evolutions import Store
from shared.store.key_view import shown_key

KeyId = Annotated[
    str,
    Path(
        description="As `GET /v1/keys` lists it; what stands between the first two underscores behind `dk`. Where a "
        f"trusted proxy names callers, `{PREFIX}` and the name of one can be read, too."
    ),
]


class KeyRoutes:
    """The routes of the keys API; every one needs an operator's key."""

    def __init__(self, keys: ApiKeys, store: Store, settings: GatewaySettings) -> None:
        self._keys = keys
        self._store = store
        self._settings = settings
        self._identities = ProxyIdentities(keys, settings)
        self.router = APIRouter(tags=["keys"], route_class=StrictJsonRoute)
        one = "/v1/keys/{key_id}"
        json = (400, 408, 413, 415)
        self._add("POST", "/v1/keys", self.create, "Make a key", *json, status=201)
        self._add("GET", "/v1/keys", self.list_keys, "List the keys", 400)
        self._add("GET", one, self.read, "Read a key", 404)
        self._add("PATCH", one, self.update, "Change a key's terms", *json, 404, 409)
        self._add("POST", f"{one}/rotate", self.rotate, "Give a key a new secret", *json, 404, 409)
        self._add("DELETE", one, self.revoke, "Revoke a key", 404)

    def _add(
        self, method: str, path: str, route: Callable[..., Any], summary: str, *statuses: int, status: int = 200
    ) -> None:
        created: dict[int | str, dict[str, Any]] = {201: {"headers": {"location": header("Where to read the key.")}}}
        self.router.add_api_route(
            path,
            route,
            methods=[method],
            status_code=status,
            summary=summary,
            dependencies=[Depends(_require_operator), *([Depends(require_json)] if 415 in statuses else [])],
            responses=failures(401, 403, *statuses, 421, 429, 500, 503) | (created if status == 201 else {}),
        )

    async def create(self, request: Request, response: Response, body: KeyCreate) -> KeyWithSecret:
        """A new key; the answer holds its text, which cannot be had again."""
        terms = body.model_dump(exclude_unset=True)
        self._check(terms)
        text, key = new_key(**terms)
        await self._keys.add(key)
        response.headers["location"] = f"/v1/keys/{key.id}"
        return KeyWithSecret(**await self._shown(key), key=text)

    async def list_keys(self, query: Annotated[KeyQuery, Query()]) -> KeyList:
        """Every key, without its secret, with what it has spent."""
        found = [key for key in await self._keys.all() if query.tenant in (None, key.tenant)]
        return KeyList(data=[Key(**await self._shown(key)) for key in found])

    async def read(self, key_id: KeyId) -> Key:
        """A key, without its secret, with what it has spent."""
        if key_id.startswith(PREFIX) and self._settings.identity_header:
            key = await self._identities.key_named(key_id)
        else:
            key = await self._keys.get(key_id)
        return Key(**await self._shown(key))

    async def update(self, key_id: KeyId, body: KeyUpdate) -> Key:
        """Changes the terms that the body holds, from the next call on."""
        terms = body.model_dump(exclude_unset=True)
        self._check(terms)
        return Key(**await self._shown(await self._keys.update(key_id, **terms)))

    async def rotate(self, key_id: KeyId, body: KeyRotate) -> KeyWithSecret:
        """A new secret for the same key; the answer holds its text, which cannot be had again."""
        text, key = await self._keys.rotate(key_id, body.grace_s)
        return KeyWithSecret(**await self._shown(key), key=text)

    async def revoke(self, key_id: KeyId) -> KeyRevoked:
        """Takes a key back for good."""
        if not await self._keys.revoke(key_id):
            raise NotFound(f"there is no key {key_id}")
        return KeyRevoked(id=key_id)

    def _check(self, terms: dict[str, Any]) -> None:
        """Refuses terms that could not hold in this deployment."""
        known = [*known_models(self._settings), *self._settings.embedding_names]
        for name in terms.get("models") or ():
            if name not in known:
                raise InvalidRequest(f"{name!r} is no model here: choose among {', '.join(known)}", field="models")
        for name, value in terms.items():
            if name.startswith("money_per_") and value is not None and not self._settings.prices:
                raise InvalidRequest(
                    f"{name} cannot be counted: nothing has a price here; set DARWIN_GATEWAY_PRICE_…", field=name
                )

    async def _shown(self, key: ApiKey) -> dict[str, Any]:
        at = time.time()
        return shown_key(key, await self._store.spent(key.id, at), at)


def _require_operator(request: Request) -> None:
    caller_of(request).check_manages_keys()
