"""How evolutions lie in Redis: the names of keys, and values as JSON.

Keys, all under `darwin:`
  evo:{id}                hash: version, body, summary, trace, saved_at, claims, claimants, of_key, of_idempotency;
                          beside it :events and :attempts (streams), :lease
  list, list:{tenant}     sorted sets of ids by when they were accepted: all, and a tenant's
  active                  sorted set of unfinished ids by when the sweep may look at them again
  cancelled               set of those that are to end
  key:{key}:active        set of an API key's unfinished ids; key:{key}:used:{day} counts its tokens
  idempotency:{digest}    hash: id, fingerprint; lives as long as its record
"""

import time
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from shared.errors import Internal
from shared.records.attempts import Attempt, LostAttempt, Summary
from shared.records.evolution import Event, Record, TraceContext

RECORD: TypeAdapter[Record] = TypeAdapter(Record)
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
ATTEMPT: TypeAdapter[Attempt] = TypeAdapter(Attempt)
SUMMARY: TypeAdapter[Summary] = TypeAdapter(Summary)
TRACE: TypeAdapter[TraceContext | None] = TypeAdapter(TraceContext | None)

ACTIVE = "darwin:active"
CANCELLED = "darwin:cancelled"
PREFIX = "darwin:evo:"
_DAY_S = 86_400

T = TypeVar("T")


def key(evolution_id: str, part: str = "") -> str:
    """Of an evolution's hash, or of what lies beside it."""
    return f"{PREFIX}{{{evolution_id}}}" + (f":{part}" if part else "")


def list_key(tenant: str | None) -> str:
    """Of a tenant's list; None: of everybody's."""
    return "darwin:list" if tenant is None else f"darwin:list:{tenant}"


def used_key(key_id: str) -> str:
    """Of what an API key was charged today (UTC)."""
    return f"darwin:key:{key_id}:used:{int(time.time() // _DAY_S)}"


def record_keys(record: Record) -> list[str]:
    """As the script SAVE wants them; CREATE takes the first seven."""
    key_id, idempotency = record.key_id, record.idempotency
    return [
        key(record.id),
        key(record.id, "events"),
        ACTIVE,
        f"darwin:key:{key_id}:active",
        f"darwin:idempotency:{idempotency.key if idempotency else ''}",
        list_key(None),
        list_key(record.request.tenant),
        used_key(key_id),
        key(record.id, "lease"),
        CANCELLED,
        key(record.id, "attempts"),
    ]


def dumped(adapter: TypeAdapter[T], value: T, *, sparse: bool = False) -> str:
    """The value as JSON; `sparse` leaves out what is at its default."""
    return adapter.dump_json(value, exclude_defaults=sparse).decode()


def parsed(adapter: TypeAdapter[T], text: str | None, what: str) -> T:
    """The value of this JSON; raises `Internal`, naming `what` it should be, where it is none."""
    try:
        return adapter.validate_json(text or "")
    except ValidationError as error:
        raise Internal(f"{what} cannot be read") from error


def lost_attempts(claimants: str) -> tuple[LostAttempt, ...]:
    """From the lines that the script CLAIM keeps."""
    pairs = (line.rpartition("@") for line in claimants.splitlines())
    return tuple(LostAttempt(holder, float(since)) for holder, _, since in pairs)
