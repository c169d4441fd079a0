"""Drives batches: one gateway at a time drives a batch, and whoever takes over goes on where it stands.

A batch's lines become evolutions of its tenant while nothing waits in the queue of rounds, a few at a time, under the
terms of the API key that made the batch. Where a limit of the key or of the deployment is full, a budget is spent, or a
stage is away, lines wait until the batch expires; they do not fail for it.
"""

import asyncio
import logging
import time
import uuid
from dataclasses import replace

from pydantic import ValidationError

from services.gateway.batches.embeddings import EMBEDDINGS, EmbeddingLines
from services.gateway.batches.limits import USUAL_LIMITS, BatchLimits
from services.gateway.batches.line_budgets import LineBudgets
from services.gateway.batches.lines import (
    answered,
    custom_id_of,
    evolution_of,
    not_executed,
    read_line,
    refused,
)
from services.gateway.batches.owners import Owners
from services.gateway.batches.validation import batch_error, validated
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from services.gateway.edge.errors import InvalidApiKey
from services.gateway.evolutions.acceptance import Acceptance
from services.gateway.evolutions.embedding_calls import EmbeddingCalls
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
# Lines of a batch that are begun in one step, those that are refused at once included.
_MOST_BEGUN = 100
# A search that was asked to end and has not by then counts as not executed.
_MOST_WIND_DOWN_S = 600.0

_LINES = METER.create_counter("darwin.batch.lines", "{line}", "Lines of batches that have ended, by outcome.")
_RUNNING = METER.create_gauge(
    "darwin.batch.lines.running", "{line}", "Lines that are searched for, of the batches that this gateway drives."
)


class BatchDriver:
    """Takes batches forward, a step at a time."""

    def __init__(
        self,
        batches: Batches,
        files: Files,
        keys: ApiKeys,
        evolutions: EvolutionService,
        acceptance: Acceptance,
        embedding: EmbeddingCalls,
        settings: GatewaySettings,
        limits: BatchLimits = USUAL_LIMITS,
    ) -> None:
        self._batches = batches
        self._files = files
        self._evolutions = evolutions
        self._acceptance = acceptance
        self._owners = Owners(keys, settings)
        self._embeddings = EmbeddingLines(embedding, settings)
        self._budgets = LineBudgets(batches, evolutions, settings)
        self._settings = settings
        self._limits = limits
        self._holder = uuid.uuid4().hex
        self._held: set[str] = set()
        self._cancelled: set[str] = set()

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
            try:
                running += await self._step_of(batch_id, max(1, self._limits.running // len(ids)))
            except Unavailable:
                raise
            except Exception:
                # The other batches go on.
                log.exception("a step of %s failed", batch_id)
        _RUNNING.set(running)

    async def _step_of(self, batch_id: str, most: int) -> int:
        """One step of a batch of which at most `most` lines run; how many do."""
        batch = await self._batches.load(batch_id, None)
        if batch.status in ("validating", "in_progress") and time.time() >= batch.expires_at:
            await self._batches.end(batch_id, "expired")
        elif batch.status == "validating":
            await self._validate(batch)
        elif batch.status == "in_progress":
            return await self._advance(batch, most)
        else:
            await self._wind_down(batch)
        return 0

    async def _validate(self, batch: Batch) -> None:
        async def renew() -> None:
            await self._batches.hold(batch.id, self._holder, _LEASE_S)

        total, errors = await validated(batch, self._files, self._limits.lines, renew)
        if errors:
            await self._batches.end(batch.id, "failed", errors)
        else:
            await self._batches.move(batch, "validating", "in_progress", total=total)

    async def _advance(self, batch: Batch, most: int) -> int:
        """Writes what has ended, and begins lines where there is room; how many lines run."""
        try:
            caller = await self._owners.caller_of(batch)
        except InvalidApiKey as refusal:
            await self._batches.end(batch.id, "failed", [batch_error("invalid_api_key", refusal.message, None)])
            return 0
        room = await self._has_room(batch, caller)
        running = await self._begin(batch, 0)
        for number in running:
            record = await self._record(batch, number)
            if record is None and room:
                room = await self._submit(batch, caller, number)
            elif record is not None and record.status in TERMINAL:
                await self._write(batch, number, record)
        if not running and batch.next >= batch.total:
            await self._batches.end(batch.id, "completed")
            return 0
        running = await self._begin(batch, 0)
        for _ in range(_MOST_BEGUN if room else 0):
            if len(running) >= most:
                break
            begun = await self._begin(batch, len(running) + 1)
            for number in set(begun) - set(running):
                room = await self._submit(batch, caller, number)
            if not room or len(begun) == len(running):
                break
            running = await self._begin(batch, 0)
        return len(running)

    async def _begin(self, batch: Batch, most: int) -> list[int]:
        return await self._batches.begin(batch.id, self._holder, most, self._limits.running)

    async def _has_room(self, batch: Batch, caller: Caller) -> bool:
        own, total = await self._files.held_bytes(batch.tenant)
        if (
            own >= self._limits.tenant_bytes
            or total >= self._limits.total_bytes
            or await self._evolutions.waiting(batch.tenant)
        ):
            return False
        return await self._acceptance.has_room(caller)

    async def _submit(self, batch: Batch, caller: Caller, number: int) -> bool:
        """Starts the search of a line, or writes why it is refused; False where lines must wait."""
        texts = await self._files.lines(batch.input_file_id, number, 1)
        if not texts:
            await self._batches.end(
                batch.id, "failed", [batch_error("missing_file", "The input file was deleted.", None)]
            )
            return False
        try:
            line = read_line(texts[0], batch.endpoint)
            if batch.endpoint == EMBEDDINGS:
                text = await self._embeddings.answered(batch, number, line, caller)
                await self._finish(batch, number, text, completed=True)
                return True
            evolution = await evolution_of(line, batch.endpoint, caller, self._settings, self._evolutions)
            named = (line.body.get("darwin") or {}).keys()
            evolution = await self._budgets.bounded(batch, number, self._holder, evolution, named)
            await self._acceptance.accept(caller, evolution, batch.evolution_id(number), {}, trace=batch.trace)
        except (Overloaded, Unavailable):
            # A line that waits takes no room from those of other batches.
            await self._batches.give_back(batch.id, self._holder, number)
            return False
        except Exception as error:
            if not isinstance(error, ValidationError | DarwinError):
                log.exception("line %d of %s could not be started", number, batch.id)
            text = refused(batch, number, custom_id_of(texts[0], batch.endpoint), error)
            await self._finish(batch, number, text, completed=False)
        return True

    async def _wind_down(self, batch: Batch) -> None:
        since, waits = batch.at.get(batch.status, 0), False
        for number in await self._begin(batch, 0):
            record = await self._record(batch, number)
            if record is not None and record.status not in TERMINAL and time.time() < since + _MOST_WIND_DOWN_S:
                waits = True
                if record.id not in self._cancelled:
                    await self._evolutions.cancel(record.id, batch.tenant, batch.tenant)
                    self._cancelled.add(record.id)
            else:
                await self._write(batch, number, record)
                self._cancelled.discard(batch.evolution_id(number))
        if waits or not await self._skip(batch):
            return
        ready: dict[str, int] = {}
        for name, file_id in (("output", batch.output_file_id), ("error", batch.error_file_id)):
            ready[f"{name}_ready"] = int(await self._publish(batch, f"{batch.id}_{name}.jsonl", file_id))
        await self._batches.move(batch, batch.status, batch.ending, **ready)
        await self._batches.expire(batch, self._limits.ttl_s)
        self._budgets.forget(batch)

    async def _skip(self, batch: Batch) -> bool:
        """Writes that the lines which were never begun were not executed; False where somebody else does, too."""
        while batch.next < batch.total:
            count = min(_PAGE, batch.total - batch.next)
            # Where the input file is gone, so are the names of its lines.
            lines = await self._files.lines(batch.input_file_id, batch.next, count) or [""] * count
            texts = [
                not_executed(batch, number, custom_id_of(line, batch.endpoint))
                for number, line in enumerate(lines, batch.next)
            ]
            if not await self._batches.skip(batch, texts):
                return False
            _LINES.add(len(texts), {"outcome": "failed"})
            batch = replace(batch, next=batch.next + len(texts))
            await self._batches.hold(batch.id, self._holder, _LEASE_S)
        return True

    async def _publish(self, batch: Batch, filename: str, file_id: str) -> bool:
        now = time.time()
        lasts_s = batch.output_ttl_s or self._limits.ttl_s
        try:
            await self._files.complete(File(file_id, batch.tenant, filename, "batch_output", now, now + lasts_s))
        except NotFound:
            return False
        return True

    async def _write(self, batch: Batch, number: int, record: Record | None) -> None:
        texts = await self._files.lines(batch.input_file_id, number, 1)
        custom_id = custom_id_of(texts[0], batch.endpoint) if texts else ""
        if record is None or record.status == "cancelled" or record.status not in TERMINAL:
            text, completed = not_executed(batch, number, custom_id), False
        else:
            text, completed = answered(batch, number, custom_id, record, self._settings)
        generated = await self._budgets.settled(batch, record)
        await self._finish(batch, number, text, completed=completed, generated=generated)

    async def _finish(self, batch: Batch, number: int, text: str, *, completed: bool, generated: int = 0) -> None:
        if await self._batches.finish(batch, number, text, completed=completed, generated=generated):
            _LINES.add(1, {"outcome": "completed" if completed else "failed"})

    async def _record(self, batch: Batch, number: int) -> Record | None:
        try:
            return await self._evolutions.load(batch.evolution_id(number), batch.tenant)
        except NotFound:
            return None
