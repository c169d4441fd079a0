"""Drives batches: one gateway at a time drives a batch, and whoever takes over goes on where it stands.

A batch's lines become evolutions of its tenant while nothing waits in the queue of rounds, a few at a time, under the
terms of the API key that made the batch. Where a limit of the key or of the deployment is full, a budget is spent, or a
stage is away, lines wait until the batch expires; they do not fail for it.
"""

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass

from pydantic import ValidationError

from services.gateway.batches.lines import LineError, answered, evolution_of, not_executed, read_line, refused
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from services.gateway.edge.errors import InvalidApiKey
from services.gateway.edge.identity import PREFIX, ProxyIdentities
from services.gateway.evolutions.acceptance import Acceptance
from services.gateway.evolutions.service import EvolutionService
from shared.errors import DarwinError, NotFound, Overloaded, Unavailable
from shared.records.evolution import TERMINAL, Record
from shared.store.api_keys import ApiKeys
from shared.store.batches import Batch, Batches
from shared.store.files import File, Files
from shared.telemetry.metrics import METER

log = logging.getLogger(__name__)

_LEASE_S = 30.0
_POLL_S = 0.5
_SWEEP_S = 60.0
_PAGE = 100
_MOST_ERRORS = 20
# A search that was asked to end and has not by then counts as not executed.
_MOST_WIND_DOWN_S = 600.0

_LINES = METER.create_counter("darwin.batch.lines", "{line}", "Lines of batches that have ended, by outcome.")
_RUNNING = METER.create_gauge(
    "darwin.batch.lines.running", "{line}", "Lines that are searched for, of the batches that this gateway drives."
)


@dataclass(frozen=True)
class BatchLimits:
    """Lines of a batch, lines of all batches that run at once, and the bytes of a tenant's files and of all files."""

    lines: int = 50_000
    running: int = 8
    tenant_bytes: int = 128 * 1024 * 1024
    total_bytes: int = 512 * 1024 * 1024
    ttl_s: int = 30 * 86_400


class BatchDriver:
    """Takes batches forward, a step at a time."""

    def __init__(
        self,
        batches: Batches,
        files: Files,
        keys: ApiKeys,
        evolutions: EvolutionService,
        acceptance: Acceptance,
        settings: GatewaySettings,
        limits: BatchLimits = BatchLimits(),
    ) -> None:
        self._batches = batches
        self._files = files
        self._keys = keys
        self._evolutions = evolutions
        self._acceptance = acceptance
        self._identities = ProxyIdentities(keys, settings)
        self._settings = settings
        self._limits = limits
        self._holder = uuid.uuid4().hex
        self._held: set[str] = set()

    async def run(self) -> None:
        """Drives until it is cancelled; another driver may then go on at once."""
        swept_at = 0.0
        try:
            while True:
                try:
                    await self.step()
                    if time.monotonic() > swept_at + _SWEEP_S:
                        swept_at = time.monotonic()
                        await self._files.sweep()
                except Unavailable as error:
                    log.warning("batches wait: %s", error)
                except Exception:
                    log.exception("a step of the batches failed")
                await asyncio.sleep(_POLL_S)
        finally:
            await self.release()

    async def release(self) -> None:
        """Gives up the leases that this driver holds."""
        try:
            for batch_id in self._held:
                await self._batches.release(batch_id, self._holder)
        except Unavailable as error:
            log.warning("leases of batches run out by themselves: %s", error)
        self._held.clear()

    async def step(self) -> None:
        """One step of every batch that nobody else drives."""
        ids = await self._batches.open()
        self._held &= set(ids)
        running = 0
        for batch_id in ids:
            if not await self._batches.hold(batch_id, self._holder, _LEASE_S):
                self._held.discard(batch_id)
                continue
            self._held.add(batch_id)
            batch = await self._batches.load(batch_id, None)
            if batch.status in ("validating", "in_progress") and time.time() >= batch.expires_at:
                await self._batches.end(batch_id, "expired")
            elif batch.status == "validating":
                await self._validate(batch)
            elif batch.status == "in_progress":
                running += await self._advance(batch, max(1, self._limits.running // len(ids)))
            else:
                await self._wind_down(batch)
        _RUNNING.set(running)

    async def _validate(self, batch: Batch) -> None:
        errors: list[dict[str, object]] = []
        custom_ids: set[str] = set()
        number = position = 0
        ended = False
        while page := await self._files.lines(batch.input_file_id, position, _PAGE):
            position += len(page)
            for text in page:
                if ended or not text.strip():
                    # Only the end of the last line may follow.
                    if ended or text.strip("\r"):
                        errors.append(_error("invalid_json_line", "This line is blank.", number + 1))
                    ended = True
                    continue
                number += 1
                try:
                    line = read_line(text, batch.endpoint)
                    if line.custom_id in custom_ids:
                        raise LineError(
                            "duplicate_custom_id", "This custom_id was used by an earlier line.", "custom_id"
                        )
                    custom_ids.add(line.custom_id)
                except LineError as error:
                    errors.append(_error(error.code, error.message, number, error.param))
            if len(errors) >= _MOST_ERRORS or number > self._limits.lines:
                break
            await self._batches.hold(batch.id, self._holder, _LEASE_S)
        if number > self._limits.lines:
            errors.append(_error("too_many_tasks", f"A batch has at most {self._limits.lines} lines here.", None))
        elif not number and not errors:
            errors.append(_error("empty_file", "The input file is empty, or was deleted.", None))
        if errors:
            await self._batches.end(batch.id, "failed", errors[:_MOST_ERRORS])
        else:
            await self._batches.move(batch, "validating", "in_progress", total=number)

    async def _advance(self, batch: Batch, most: int) -> int:
        """Begins lines where there is room, and writes what has ended; how many lines run."""
        try:
            caller = await self._caller(batch)
        except InvalidApiKey as refusal:
            await self._batches.end(batch.id, "failed", [_error("invalid_api_key", refusal.message, None)])
            return 0
        room = await self._has_room(batch, caller)
        running = await self._batches.begin(batch.id, self._holder, most if room else 0, self._limits.running)
        for number in running:
            record = await self._record(batch, number)
            if record is None and room:
                room = await self._submit(batch, caller, number)
            elif record is not None and record.status in TERMINAL:
                await self._write(batch, number, record)
        if not running and batch.next >= batch.total:
            await self._batches.end(batch.id, "completed")
        return len(running)

    async def _has_room(self, batch: Batch, caller: Caller) -> bool:
        own, total = await self._files.held_bytes(batch.tenant)
        if own >= self._limits.tenant_bytes or total >= self._limits.total_bytes or await self._evolutions.waiting():
            return False
        return await self._acceptance.has_room(caller)

    async def _submit(self, batch: Batch, caller: Caller, number: int) -> bool:
        """Starts the search of a line, or writes why it is refused; False where lines must wait."""
        texts = await self._files.lines(batch.input_file_id, number, 1)
        if not texts:
            await self._batches.end(batch.id, "failed", [_error("missing_file", "The input file was deleted.", None)])
            return False
        line = read_line(texts[0], batch.endpoint)
        try:
            evolution = await evolution_of(line, batch.endpoint, caller, self._settings, self._evolutions)
            await self._acceptance.accept(caller, evolution, batch.evolution_id(number), {}, trace=batch.trace)
        except (Overloaded, Unavailable):
            return False
        except (ValidationError, DarwinError) as error:
            await self._finish(batch, number, refused(batch, number, line.custom_id, error), completed=False)
        return True

    async def _wind_down(self, batch: Batch) -> None:
        since = batch.at.get(batch.status, 0)
        for number in await self._batches.begin(batch.id, self._holder, 0, 0):
            record = await self._record(batch, number)
            if record is not None and record.status not in TERMINAL and time.time() < since + _MOST_WIND_DOWN_S:
                await self._evolutions.cancel(record.id, batch.tenant, batch.tenant)
                return
            await self._write(batch, number, record)
        if batch.next < batch.total:
            numbers = range(batch.next, min(batch.next + _PAGE, batch.total))
            ids = [await self._custom_id(batch, number) for number in numbers]
            texts = [not_executed(batch, number, name) for number, name in zip(numbers, ids, strict=True)]
            if await self._batches.skip(batch, texts):
                _LINES.add(len(texts), {"outcome": "failed"})
            return
        ready: dict[str, int] = {}
        for name, file_id in (("output", batch.output_file_id), ("error", batch.error_file_id)):
            ready[f"{name}_ready"] = int(await self._publish(batch, f"{batch.id}_{name}.jsonl", file_id))
        await self._batches.move(batch, batch.status, batch.ending, **ready)
        await self._batches.expire(batch, self._limits.ttl_s)

    async def _publish(self, batch: Batch, filename: str, file_id: str) -> bool:
        now = time.time()
        lasts_s = batch.output_ttl_s or self._limits.ttl_s
        try:
            await self._files.complete(File(file_id, batch.tenant, filename, "batch_output", now, now + lasts_s))
        except NotFound:
            return False
        return True

    async def _write(self, batch: Batch, number: int, record: Record | None) -> None:
        custom_id = await self._custom_id(batch, number)
        if record is None or record.status == "cancelled" or record.status not in TERMINAL:
            text, completed = not_executed(batch, number, custom_id), False
        else:
            text, completed = answered(batch, number, custom_id, record, self._settings)
        await self._finish(batch, number, text, completed=completed)

    async def _finish(self, batch: Batch, number: int, text: str, *, completed: bool) -> None:
        if await self._batches.finish(batch, number, text, completed=completed):
            _LINES.add(1, {"outcome": "completed" if completed else "failed"})

    async def _custom_id(self, batch: Batch, number: int) -> str:
        texts = await self._files.lines(batch.input_file_id, number, 1)
        return read_line(texts[0], batch.endpoint).custom_id if texts else ""

    async def _record(self, batch: Batch, number: int) -> Record | None:
        try:
            return await self._evolutions.load(batch.evolution_id(number), batch.tenant)
        except NotFound:
            return None

    async def _caller(self, batch: Batch) -> Caller:
        """Whose batch it is, under the terms that hold now.

        Raises:
            InvalidApiKey: its API key was revoked or has expired, or the proxy that named its caller is gone.
        """
        if not batch.key_id:
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


def _error(code: str, message: str, line: int | None, param: str | None = None) -> dict[str, object]:
    return {"code": code, "message": message, "param": param, "line": line}
