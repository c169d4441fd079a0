"""How evolutions lie in Redis: what its keys hold (`redis_keys` names them), and values as JSON.

Redis keys, all under `darwin:`, or where there are several shards under `darwin:{s…}:` with the number of theirs
  evo:{id}                hash: version, body, progress, request, result, trace, saved_at, claims, claimants, of_key,
                          of_idempotency, summary where the record is long, and a{version}, the attempt that made a
                          version; body and progress are the record without what stands in fields of its own, and
                          request, progress and result leave out what is at its default; sent_at, when its message was
                          sent after it was saved; refused_at and not_before, since when no worker has known its
                          schema, and until when none tries; tenant, weight, most (tokens that it may sample), class
                          and used, as `fair_queue` needs them; beside it :lease; :events, a stream, where what was
                          saved together is one entry, with the position of its last event; :state, a hash until the
                          end: head, and by version what it added; and of a record in one piece :attempts, a stream
  list, list:{tenant}     sorted sets of ids by when they were accepted: all, and a tenant's
  active                  sorted set of unfinished ids by when the sweep may return them (see the script STALLED)
  deadlines               sorted set of unfinished ids that have a deadline, by it
  cancelled               set of unfinished ids for which a cancel was asked
  waiting                 sorted set of unfinished ids that no worker has taken, by since when; beside it what decides
                          who is served next (see `fair_queue`)
  key:{api key}:active    set of an API key's unfinished ids
  key:{api key}:spent:{period}:{its label}
                          hash: tokens, money (in billionths), and the same reserved for searches under way
  reserved                hash of unfinished ids: tokens and money reserved, and the keys of the hashes that hold them
  accounts, accounts-unchecked, outbox
                          what evolutions spend of API keys of other shards (see `account_scripts`)
  shards                  which shard this is, and of how many
  credit…                 what mutations have earned (see `credit`)
  call:{id}               "tokens money" set aside for a call that is no search
  idempotency:{digest}    hash: id, fingerprint; lives as long as its record
  webhook-notices         list of what has ended and webhooks may tell: "batch {id}" or "response {evolution id}"
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from shared.errors import Internal
from shared.records.attempts import Attempt, LostAttempt
from shared.records.events import Event
from shared.records.evolution import EvolutionRequest, Record, SavedState, Seconds, TraceContext
from shared.records.schema import UnknownSchema, of_another_version
from shared.records.summary import Summary
from shared.records.telling import Told
from shared.store import columns, kept_results

RECORD: TypeAdapter[Record] = TypeAdapter(Record)
REQUEST: TypeAdapter[EvolutionRequest] = TypeAdapter(EvolutionRequest)
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
ATTEMPT: TypeAdapter[Attempt] = TypeAdapter(Attempt)
SUMMARY: TypeAdapter[Summary] = TypeAdapter(Summary)
TRACE: TypeAdapter[TraceContext | None] = TypeAdapter(TraceContext | None)

# How a body begins that is not a whole record. Versions that know whole records only do not know the first field, so
# that their workers leave such an evolution to others, and lack none that they demand.
_IN_PARTS = '{"layout":2,"request":null,"id":"","version":0,"status":"queued",'
# What of a record in parts stands in its body, which never changes, and in its progress, which each save replaces.
_LASTING = {"created_at", "key_id", "idempotency", "prices"}
_CHANGING = {"status", "seconds", "attempts", "finished_at", "error", "unfinished", "retry_after_s"}

T = TypeVar("T")


def dumped(adapter: TypeAdapter[T], value: T, *, sparse: bool = False) -> str:
    """The value as JSON; `sparse` leaves out what is at its default."""
    return adapter.dump_json(value, exclude_defaults=sparse).decode()


def parsed(adapter: TypeAdapter[T], text: str | None, what: str) -> T:
    """The value that `text` holds as JSON; `what` names it in errors.

    Raises:
        Internal: there is no text, or it is not such a value.
    """
    try:
        return adapter.validate_json(text or "")
    except ValidationError as error:
        raise Internal(f"{what} cannot be read") from error


def parsed_to_change(adapter: TypeAdapter[T], text: str, what: str) -> T:
    """As `parsed`, for who will write the value back: a field that this version does not know is not dropped.

    Raises:
        UnknownSchema: another version of this program wrote it.
        Internal: it is not such a value.
    """
    try:
        return adapter.validate_json(text, extra="forbid")
    except ValidationError as error:
        if of_another_version(error):
            raise UnknownSchema(f"another version of Darwin wrote {what}") from error
        raise Internal(f"{what} cannot be read") from error


class StoredRecord(NamedTuple):
    """The fields of a record's hash of which the record is made."""

    version: str | None
    body: str | None
    progress: str | None
    trace: str | None
    request: str | None
    result: str | None = None


def dumped_body(record: Record) -> str:
    """The field "body" of a record."""
    if record.whole:
        return RECORD.dump_json(record, exclude={"whole", "retry_after_s"}).decode()
    return _IN_PARTS + RECORD.dump_json(record, include=_LASTING, exclude_defaults=True).decode().removeprefix("{")


def dumped_progress(record: Record) -> str:
    """The field "progress" of a record in parts. A result has the seconds, too."""
    beside = {"seconds"} if record.result and record.result.seconds == record.seconds else set[str]()
    return RECORD.dump_json(record, include=_CHANGING - beside, exclude_defaults=True).decode()


def parsed_record(evolution_id: str, stored: StoredRecord, *, to_change: bool = False) -> Record:
    """The record, without its state where that stands apart.

    Raises as `parsed` does, or as `parsed_to_change`.
    """
    body, what = stored.body or "", f"the record of evolution {evolution_id}"
    parse = parsed_to_change if to_change else parsed
    if not body.startswith(_IN_PARTS):
        return replace(parse(RECORD, body, what), whole=True)
    progress = (stored.progress or '{"status":"queued"}').removeprefix("{")
    identity = f'{{"id":{to_json(evolution_id).decode()},"version":{stored.version},'
    beside = f'"request":{stored.request},"trace":{stored.trace or "null"},'
    lasting = body.removeprefix(_IN_PARTS).removesuffix("}")
    record = parse(RECORD, f"{identity}{beside}{lasting},{progress}", what)
    if stored.result is None:
        return record
    try:
        result = kept_results.unpacked(stored.result, record.request)
    except ValueError as error:
        raise Internal(f"{what} cannot be read") from error
    return replace(record, result=result, seconds=record.seconds if record.seconds != Seconds() else result.seconds)


def dumped_events(events: Sequence[Event], told: Told | None, *, together: bool) -> tuple[list[str], list[int]]:
    """Texts of events as they are kept, and how many events each holds: what is new in them against what was `told`
    before; whole ones without that. Several that are saved `together` are one text, in columns.
    """
    rows = told.shortened(events) if told else [EVENT.dump_python(event, mode="json") for event in events]
    if together and len(rows) > 1:
        return [to_json(list(columns.groups(rows))).decode()], [len(rows)]
    return [to_json(row).decode() for row in rows], [1] * len(rows)


def parsed_events(text: str | None, several: bool, told: Told, what: str) -> list[Event]:
    """The events of a text of `dumped_events`, which come next after what was `told`, whole; `what` names them in
    errors.

    Raises:
        Internal: they cannot be read.
    """
    try:
        value = from_json(text or "")
        rows = [row for group in value for row in columns.rows(group)] if several else [value]
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise Internal(f"{what} cannot be read") from error
    try:
        return [told.whole(row) for row in rows]
    except ValueError as error:
        raise Internal(f"{what} cannot be read") from error


def saved_state(fields: Mapping[str, str]) -> SavedState | None:
    """The orchestrator's state as the hash `state_key` holds it; None where it holds none."""
    if "head" not in fields:
        return None
    versions = sorted(int(name) for name in fields if name.isdecimal())
    return SavedState(fields["head"], tuple(fields[str(version)] for version in versions))


def lost_attempts(claimants: str) -> tuple[LostAttempt, ...]:
    """The attempts in a record's field "claimants": lines of holder@time, which the script CLAIM writes."""
    pairs = (line.rpartition("@") for line in claimants.splitlines())
    return tuple(LostAttempt(holder, float(since)) for holder, _, since in pairs)
