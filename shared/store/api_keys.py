"""API keys in Redis: `darwin:keys`, a hash of API key id -> JSON.

An API key's text is `dk_{id}_{secret}`; only a digest of the secret is stored. The secret is 256 random bits, which
nobody can guess or enumerate, so a plain SHA-256 does what passwords need a slow hash for.
"""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from shared.errors import Internal, InvalidRequest
from shared.records.search import LEAST_DEADLINE_MS, MOST_DEADLINE_MS
from shared.store.connection import RedisClient

_REDIS_KEY = "darwin:keys"
_TEXT = re.compile(r"dk_([0-9a-f]{12})_([0-9a-f]{64})")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_NOTE = 200
# Compared where there is no key, so that a refusal takes as long whether or not the id exists.
_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class ApiKey:
    """An API key without its secret.

    `digest` is the secret's SHA-256 in hex; `created_at` is in Unix seconds. Limits that are None are those of the
    deployment, or none: requests that start a search per minute, tokens that searches sample per UTC day, searches
    queued or running at a time, and milliseconds of a search whose request names no deadline. With `all_tenants` it
    reads every tenant's evolutions, and still changes its own only.
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
    deadline_ms: int | None = None


_API_KEY: TypeAdapter[ApiKey] = TypeAdapter(ApiKey)


def new_key(
    tenant: str,
    note: str = "",
    requests_per_minute: int | None = None,
    tokens_per_day: int | None = None,
    max_active: int | None = None,
    deadline_ms: int | None = None,
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
    if deadline_ms is not None and not LEAST_DEADLINE_MS <= deadline_ms <= MOST_DEADLINE_MS:
        raise InvalidRequest(
            f"a deadline is {LEAST_DEADLINE_MS} to {MOST_DEADLINE_MS} milliseconds; leave it out for none",
            field="limits",
        )
    api_key_id, secret = secrets.token_hex(6), secrets.token_hex(32)
    api_key = ApiKey(
        api_key_id,
        tenant,
        _digest(secret),
        time.time(),
        note,
        requests_per_minute,
        tokens_per_day,
        max_active,
        all_tenants,
        deadline_ms,
    )
    return f"dk_{api_key_id}_{secret}", api_key


class ApiKeys(RedisClient):
    """The API keys that gateways accept. A change holds from the next call on.

    Every method raises `Unavailable` where Redis is away.
    """

    async def add(self, api_key: ApiKey) -> None:
        async with self._translated:
            await self._redis.hset(_REDIS_KEY, api_key.id, _API_KEY.dump_json(api_key).decode())

    async def revoke(self, api_key_id: str) -> bool:
        """Takes an API key back; returns whether there was one with this id."""
        async with self._translated:
            return bool(await self._redis.hdel(_REDIS_KEY, api_key_id))

    async def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        async with self._translated:
            bodies = await self._redis.hgetall(_REDIS_KEY)
        return sorted((_parsed(*item) for item in bodies.items()), key=lambda api_key: api_key.created_at)

    async def find(self, text: str) -> ApiKey | None:
        """The key with this text; None where it is malformed, unknown or revoked."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        api_key_id, secret = match.groups()
        async with self._translated:
            body = await self._redis.hget(_REDIS_KEY, api_key_id)
        api_key = _parsed(api_key_id, body) if body else None
        same = hmac.compare_digest(_digest(secret), api_key.digest if api_key else _NO_DIGEST)
        return api_key if same else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _parsed(api_key_id: str, body: str) -> ApiKey:
    try:
        return _API_KEY.validate_json(body)
    except ValidationError as error:
        raise Internal(f"the API key {api_key_id} cannot be read from Redis") from error
