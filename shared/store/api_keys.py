"""API keys in Redis: `darwin:keys`, a hash of API key id -> JSON.

An API key's text is `dk_{id}_{secret}`; only a digest of the secret is stored. The secret is 256 random bits, which
nobody can guess or enumerate, so a plain SHA-256 does what passwords need a slow hash for.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.errors import Conflict, Internal, InvalidRequest, NotFound
from shared.records.key_terms import KeyTerms, check_terms
from shared.store.lua import Script
from shared.store.shards import RedisClient

_NAME = "keys"
_TEXT = re.compile(r"dk_([0-9a-f]{12})_([0-9a-f]{64})")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Compared where there is no key, so that a refusal takes as long whether or not the id exists.
_NO_DIGEST = "0" * 64
MAX_GRACE_S = 30 * 86_400
_MAX_TRIES = 20

# Returns 1 where the key is replaced now or was by an earlier sending, 0 where it is another one by now, or gone.
_REPLACE = Script(
    """
local current = redis.call('HGET', keys, id)
if current == before then redis.call('HSET', keys, id, after) end
return (current == before or current == after) and 1 or 0
""",
    keys="keys",
    args="id before after",
)


@dataclass(frozen=True, kw_only=True)
class ApiKey(KeyTerms):
    """An API key without its secret.

    `digest` is the secret's SHA-256 in hex; `previous_digest` that of the secret before, which is taken until
    `previous_until`. Times are in Unix seconds. With `all_tenants` it reads every tenant's evolutions, and still
    changes its own only.
    """

    id: str
    tenant: str
    digest: str
    created_at: float
    previous_digest: str = ""
    previous_until: float = 0.0

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= time.time()


_API_KEY: TypeAdapter[ApiKey] = TypeAdapter(ApiKey)


def new_key(tenant: str, note: str = "", **terms: Any) -> tuple[str, ApiKey]:
    """A fresh key: its text, which cannot be had again, and what is kept of it. `terms` are fields of `KeyTerms`.

    Raises:
        InvalidRequest: the tenant's name or a term is not possible.
    """
    if not _TENANT.fullmatch(tenant):
        raise InvalidRequest("a tenant is 1 to 64 letters, digits, dots, dashes and underscores", field="tenant")
    check_terms(terms | {"note": note})
    api_key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    api_key = ApiKey(
        id=api_key_id, tenant=tenant, digest=_digest(secret), created_at=time.time(), note=note, **_storable(terms)
    )
    return _text(api_key_id, secret), api_key


class ApiKeys(RedisClient):
    """The API keys that gateways accept. A change holds from the next call on.

    Every method raises `Unavailable` where Redis is away.
    """

    async def add(self, api_key: ApiKey) -> None:
        async with self._translated:
            await self._redis.hset(self._key(_NAME), api_key.id, _dumped(api_key))

    async def revoke(self, api_key_id: str) -> bool:
        """Takes an API key back; returns whether there was one with this id."""
        async with self._translated:
            return bool(await self._redis.hdel(self._key(_NAME), api_key_id))

    async def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        async with self._translated:
            bodies = await self._redis.hgetall(self._key(_NAME))
        return sorted((_parsed(*item) for item in bodies.items()), key=lambda api_key: api_key.created_at)

    async def get(self, api_key_id: str) -> ApiKey:
        """The key with this id.

        Raises:
            NotFound: there is none.
        """
        return _parsed(api_key_id, await self._body(api_key_id))

    async def find(self, text: str) -> ApiKey | None:
        """The key with this text, which may have expired; None where it is malformed, unknown or revoked."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        api_key_id, secret = match.groups()
        async with self._translated:
            body = await self._redis.hget(self._key(_NAME), api_key_id)
        api_key, digest = _parsed(api_key_id, body) if body else None, _digest(secret)
        current = hmac.compare_digest(digest, api_key.digest if api_key else _NO_DIGEST)
        previous = hmac.compare_digest(digest, (api_key.previous_digest if api_key else "") or _NO_DIGEST)
        if api_key is None or not (current or (previous and time.time() < api_key.previous_until)):
            return None
        return api_key

    async def update(self, api_key_id: str, **terms: Any) -> ApiKey:
        """The key with these terms changed; None takes a limit away.

        Raises:
            InvalidRequest: a term is not possible.
            NotFound: there is no such key.
        """
        check_terms(terms)
        return await self._change(api_key_id, lambda api_key: replace(api_key, **_storable(terms)))

    async def rotate(self, api_key_id: str, grace_s: float = 0.0) -> tuple[str, ApiKey]:
        """Gives a key a new secret: its text, which cannot be had again, and the key. The secret before is taken for
        `grace_s` seconds more; one that was replaced earlier is not taken any longer.

        Raises:
            InvalidRequest: the grace is too long.
            NotFound: there is no such key.
        """
        if not 0 <= grace_s <= MAX_GRACE_S:
            raise InvalidRequest(f"a grace is 0 to {MAX_GRACE_S} seconds", field="grace_s")
        secret, now = secrets.token_hex(32), time.time()
        changed = await self._change(
            api_key_id,
            lambda api_key: replace(
                api_key,
                digest=_digest(secret),
                previous_digest=api_key.digest if grace_s else "",
                previous_until=now + grace_s if grace_s else 0.0,
            ),
        )
        return _text(api_key_id, secret), changed

    async def _change(self, api_key_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        """Replaces a key by what `change` makes of it; two who change it at once both have their way."""
        for _ in range(_MAX_TRIES):
            before = await self._body(api_key_id)
            changed = change(_parsed(api_key_id, before))
            async with self._translated:
                replaced = await _REPLACE(
                    self._redis, keys=self._key(_NAME), id=api_key_id, before=before, after=_dumped(changed)
                )
            if replaced:
                return changed
        raise Conflict(f"the key {api_key_id} changes all the time")

    async def _body(self, api_key_id: str) -> str:
        async with self._translated:
            body: str | None = await self._redis.hget(self._key(_NAME), api_key_id)
        if body is None:
            raise NotFound(f"there is no key {api_key_id}")
        return body


def _storable(terms: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in terms.items()}


def _text(api_key_id: str, secret: str) -> str:
    return f"dk_{api_key_id}_{secret}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _dumped(api_key: ApiKey) -> str:
    return _API_KEY.dump_json(api_key).decode()


def _parsed(api_key_id: str, body: str) -> ApiKey:
    try:
        return _API_KEY.validate_json(body)
    except ValidationError as error:
        raise Internal(f"the API key {api_key_id} cannot be read from Redis") from error
