"""What a caller's `Idempotency-Key` stands for."""

import hashlib
import json

from pydantic import BaseModel

from shared.records.evolution import Idempotency

REPLAYED_HEADER = "idempotent-replayed"


def idempotency(tenant: str, key: str | None, path: str, body: BaseModel) -> Idempotency | None:
    """A tenant's key, and what was asked under it: the route and the body, defaults filled in, before any draw."""
    if key is None:
        return None
    asked = json.dumps([path, body.model_dump(mode="json")], sort_keys=True)
    return Idempotency(key=_digest(json.dumps([tenant, key])), fingerprint=_digest(asked))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
