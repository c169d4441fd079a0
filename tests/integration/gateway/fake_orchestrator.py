"""Answers the gateway's messages without models: what to do stands in the request's `user`.

`""`: succeed at once. `n=3`: with that many choices. `fail=Unavailable`: fail with that error. `full`: fail of a full
context. `hang`: begin, and end only when cancelled. `text=…`: succeed with this text. `rounds=4`: that many rounds,
50 ms each. `replaced`: a round whose second state takes the response of the first. `settled=…`: two rounds that settle
the beginning of this text, which is the answer, after a thought; `unsettled=…`: the answer is another. `wait=1.5`:
succeed after that many seconds. `stop=deadline_ms`: succeed, stopped by that (`stop=error`: with that error in the
record). `calls=2`: succeed with so many calls of the first tool. `deaf`: never touch the record. `gain=0.5`: succeed
after a cycle with that outlook for 50 tokens more. `fallback=empty`: succeed with the base response, for that reason.
`withheld=brief`: succeed, with that wish withheld.
Every success charges 120 tokens.
"""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import redis.asyncio

from shared.errors import ContextLengthExceeded
from shared.records.events import BaseScored, CycleFinished, Ended, Event, Outlook, Replacement, RoundFinished
from shared.records.evolution import Choice, Failure, Record, Result, Seconds, Tokens
from shared.records.spending import NOTHING, Spending
from shared.records.tools import ToolCall
from shared.records.turns import instruction_of
from shared.store.evolutions import Store
from shared.store.presence import ORCHESTRATOR, STAGES, Presence
from shared.store.queue import ADVANCE, QUEUE

_POLL_S = 0.02
INSIDE = "ipv4:10.0.3.7:50051 (/srv/models/qwen)"
"""What an error that arose inside says."""


class FakeOrchestrator:
    """A worker on its own thread; use as a context manager."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work()), daemon=True)
        self.messages: list[tuple[str, int]] = []

    def __enter__(self) -> "FakeOrchestrator":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    async def _work(self) -> None:
        store = Store(self._url, ttl_s=600, max_connections=1000)
        broker, presence = redis.asyncio.Redis.from_url(self._url), Presence(self._url)
        running: dict[str, asyncio.Task[None]] = {}
        while not self._stop.is_set():
            await presence.report([ORCHESTRATOR, *STAGES])
            if not (popped := await broker.brpop([QUEUE], timeout=0.2)):
                continue
            evolution_id, version = _message(popped[1])
            self.messages.append((evolution_id, version))
            await store.dispatch()  # As a claim does: there is room in the queue.
            if evolution_id not in running:
                running[evolution_id] = asyncio.ensure_future(_evolve(store, evolution_id))
        for task in running.values():
            task.cancel()
        await broker.aclose()
        await presence.close()
        await store.close()


def _message(raw: bytes) -> tuple[str, int]:
    """What the store sent, in kombu's envelope."""
    envelope = json.loads(raw)
    assert envelope["headers"]["task"] == ADVANCE
    (evolution_id, version), _, _ = json.loads(envelope["body"])
    return evolution_id, version


async def _evolve(store: Store, evolution_id: str) -> None:
    record = await store.load(evolution_id)
    name, _, value = (record.request.user or "").partition("=")
    if name == "deaf":
        return
    record = await _save(store, record, [BaseScored("base", 0.25, 4)], status="running")
    if name == "wait":
        await asyncio.sleep(float(value))
    for number in range(int(value) if name == "rounds" else 0):
        await asyncio.sleep(0.05)
        event = RoundFinished(1, number, ("one", "two"), (0.5, 0.25), (0,), (), (False, False), 80)
        record = await _save(store, record, [event])
    if name == "replaced":
        event = RoundFinished(1, 1, ("good", "bad"), (0.5, -0.5), (0,), (Replacement(1, 0),), (True, True), 80)
        record = await _save(store, record, [event])
    for number in (1, 2) if name in ("settled", "unsettled") else ():
        texts, thoughts = ("bad", value[: 8 * number] + "cut"), ("", "Hm, well.")
        replaced = (Replacement(0, 1),)
        event = RoundFinished(
            1, number, texts, (0.5, 0.75), (1,), replaced, (False, False), 80, reasoning=thoughts, settled=8 * number
        )
        record = await _save(store, record, [event])
    if name == "gain":
        outlook = Outlook(float(value), 50.0, 0.0)
        record = await _save(store, record, [CycleFinished(1, (0.5,), (), (), 0.5, outlook)])
    while name == "hang":
        if await store.cancelled([evolution_id]):
            await _save(store, record, [Ended("cancelled", "cancelled")], status="cancelled", finished_at=time.time())
            return
        await asyncio.sleep(_POLL_S)
    if name in ("fail", "full"):
        failure = Failure(value, f"no luck: {value} at {INSIDE}")
        if name == "full":
            full = ContextLengthExceeded.of(8, 9, "prompt" if record.request.raw_prompt else "messages")
            failure = Failure(type(full).__name__, full.message, full.field)
        await _save(store, record, [Ended("failed", None, failure)], status="failed", error=failure)
        return
    texts = [value] if name in ("text", "settled") else [f"answer {i}" for i in range(int(value) if name == "n" else 1)]
    result = replace(_result(record, texts), stopped_by=value if name == "stop" else None)
    if name in ("settled", "unsettled"):
        result = replace(result, choices=(replace(result.choices[0], reasoning="Hm, well."),))
    result = replace(result, fallback=value if name == "fallback" else None)
    result = replace(result, wishes_withheld=(value,) if name == "withheld" else ())
    if value == "error":
        failure = Failure("Unavailable", f"no luck at {INSIDE}")
        ended = {"status": "succeeded", "finished_at": time.time(), "result": result, "error": failure}
        await _save(store, record, [Ended("succeeded", "error", failure)], **ended)
        return
    if name == "calls":
        tool = record.request.tool_use.offered[0].name
        calls = tuple(ToolCall(tool, json.dumps({"number": i})) for i in range(int(value)))
        result = replace(result, choices=(replace(result.choices[0], text="", tool_calls=calls),))
    await _save(store, record, [Ended("succeeded")], status="succeeded", finished_at=time.time(), result=result)


def _result(record: Record, texts: Sequence[str]) -> Result:
    instruction = instruction_of(record.request.messages)
    base = Choice("base", "stop", 4, 0.25, {"quality": 0.25}, instruction, 0, None)
    choices = tuple(
        Choice(text, "length" if i == 2 else "stop", 10 + i, 0.75 - i / 8, {"quality": 0.5}, f"mutant {i}", 1, i)
        for i, text in enumerate(texts)
    )
    tokens = Tokens(prompt=21, mutation=50, kept=40, discarded=30, reward=200, cached=15)
    return Result(choices, base, tokens, Seconds(0.1, 0.2, 0.3, 0.5), rounds=3)


async def _save(store: Store, record: Record, events: Sequence[Event], **changes: object) -> Record:
    record = replace(record, version=record.version + 1, **changes)  # type: ignore[arg-type]
    spent = Spending(prompt=21, mutation=50, generation=70, reward=200) if record.result else NOTHING
    await store.save(record, events, spent=spent)
    return record
