"""API keys in Redis: `darwin:keys`, a hash of key id -> JSON.

A key's text is `dk_{id}_{secret}`; only a digest of the secret is stored. The secret is 256 random bits, which nobody
can guess or enumerate, so a plain SHA-256 does what passwords need a slow hash for.
"""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from shared.errors import Internal, InvalidRequest
from shared.store.connection import Translated, connect_redis

_KEYS = "darwin:keys"
_TEXT = re.compile(r"dk_([0-9a-f]{12})_([0-9a-f]{64})")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_NOTE = 200
# Compared where there is no key, so that a refusal takes as long whether or not the id exists.
_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class ApiKey:
    """An API key without its secret.

    `digest` is the secret's SHA-256 in hex; `created_at` is in Unix seconds. Limits that are None are those of the
    deployment, or none: requests that start a search per minute, tokens that searches sample per UTC day, and searches
    queued or running at a time. With `all_tenants` it reads every tenant's evolutions, and still changes its own only.
    """

    id: str
    tenant: str
    digest: str
    created_at: float
    note: str = ""
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    max_active: int | None = None
    all_tenants: bool = False


_KEY: TypeAdapter[ApiKey] = TypeAdapter(ApiKey)


def new_key(
    tenant: str,
    note: str = "",
    requests_per_minute: int | None = None,
    tokens_per_day: int | None = None,
    max_active: int | None = None,
    *,
    all_tenants: bool = False,
) -> tuple[str, ApiKey]:
    """A fresh key: its text, which cannot be had again, and what is kept of it.

    Raises:
        InvalidRequest: the tenant's name or a limit is not possible.
    """
    if not _TENANT.fullmatch(tenant):
        raise InvalidRequest("a tenant is 1 to 64 letters, digits, dots, dashes and underscores", field="tenant")
    if len(note) > _MAX_NOTE or not note.isprintable():
        raise InvalidRequest(f"a note is one line of at most {_MAX_NOTE} characters", field="note")
    if any(limit is not None and limit < 1 for limit in (requests_per_minute, tokens_per_day, max_active)):
        raise InvalidRequest("a limit is at least 1; leave it out for none", field="limits")
    key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    key = ApiKey(
        key_id,
        tenant,
        _digest(secret),
        time.time(),
        note,
        requests_per_minute,
        tokens_per_day,
        max_active,
        all_tenants,
    )
    return f"dk_{key_id}_{secret}", key


class ApiKeys:
    """The keys that gateways accept; a change holds from the next call on. Raises `Unavailable` where Redis is away."""

    def __init__(self, url: str, max_connections: int = 100) -> None:
        self._redis = connect_redis(url, max_connections)
        self._translated = Translated()

    async def close(self) -> None:
        await self._redis.aclose()

    async def add(self, key: ApiKey) -> None:
        async with self._translated:
            await self._redis.hset(_KEYS, key.id, _KEY.dump_json(key).decode())

    async def revoke(self, key_id: str) -> bool:
        """Whether there was such a key."""
        async with self._translated:
            return bool(await self._redis.hdel(_KEYS, key_id))

    async def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        async with self._translated:
            bodies = await self._redis.hgetall(_KEYS)
        return sorted((_parsed(*item) for item in bodies.items()), key=lambda key: key.created_at)

    async def find(self, text: str) -> ApiKey | None:
        """The key with this text; None where it is malformed, unknown or revoked."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        key_id, secret = match.groups()
        async with self._translated:
            body = await self._redis.hget(_KEYS, key_id)
        key = _parsed(key_id, body) if body else None
        same = hmac.compare_digest(_digest(secret), key.digest if key else _NO_DIGEST)
        return key if same else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _parsed(key_id: str, body: str) -> ApiKey:
    try:
        return _KEY.validate_json(body)
    except ValidationError as error:
        raise Internal(f"the API key {key_id} cannot be read from Redis") from error
