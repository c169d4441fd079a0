"""What the load bench makes of a gateway's answers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from bench.load.calls import Call, Caller
from bench.load.workload import FLOOD, Ask

EVENTS = {"content-type": "text/event-stream", "x-darwin-evolution-id": "evo_1"}


def evolution(status: str = "succeeded", text: str = "Tides.", **more: Any) -> dict[str, Any]:
    result = {"choices": [{"text": text}], "tokens": {"generated": 42}} if status == "succeeded" else None
    error = {"code": "DeadlineExceeded"} if status == "failed" else None
    times = {"created_at": time.time(), "finished_at": time.time() + 1}
    return {"id": "evo_1", "status": status, "result": result, "error": error, **times, **more}


def chunk(content: str) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": content}}]})


def stream(*data: str, breaks: bool = False) -> httpx.Response:
    async def body() -> AsyncIterator[bytes]:
        yield b": alive\n\n"
        for each in data:
            yield f"data: {each}\n\n".encode()
        if breaks:
            raise httpx.ReadError("reset")

    return httpx.Response(200, headers=EVENTS, content=body())


async def called(
    answer: Callable[[httpx.Request], httpx.Response], streamed: bool = False, patience_s: float = 10.0
) -> Call:
    """The call once it is over, or `patience_s` are."""
    call = Call(FLOOD, time.time())
    async with Caller("http://gateway", {FLOOD: "dk"}, httpx.MockTransport(answer)) as caller:
        making = asyncio.ensure_future(caller.make(Ask(FLOOD, 0.0, {"model": "darwin"}, None, streamed), call))
        await asyncio.wait([making], timeout=patience_s)
        making.cancel()
    return call


def gateway(posted: httpx.Response, *read: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """Answers the first call with `posted` and those that read with each of `read`, the last for ever."""
    waiting = list(read)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer dk"
        if request.method == "POST":
            return posted
        assert request.url.path == "/v1/evolutions/evo_1"
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    return answer


def accepted() -> httpx.Response:
    return httpx.Response(202, json={"id": "evo_1", "status": "queued"})


async def test_an_evolution_is_read_until_it_has_ended() -> None:
    running = httpx.Response(200, json=evolution("running"))
    ended = evolution()
    call = await called(gateway(accepted(), running, httpx.Response(503), httpx.Response(200, json=ended)))
    assert (call.outcome, call.tokens, call.ended_at) == ("answered", 42, ended["finished_at"])


@pytest.mark.parametrize(("status", "outcome"), [(429, "refused"), (503, "rejected"), (400, "rejected")])
@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_not_accepted_is_never_a_failure(status: int, outcome: str, streamed: bool) -> None:
    call = await called(gateway(httpx.Response(status, json={})), streamed)
    assert (call.outcome, call.accepted, call.over) == (outcome, False, True)


async def test_no_answer_at_all_is_told_apart() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    call = await called(away)
    assert (call.outcome, call.reason, call.accepted) == ("unanswered", "ConnectError", False)


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (evolution("failed"), "DeadlineExceeded"),
        (evolution("cancelled"), "an empty answer"),
        (evolution(text=""), "an empty answer"),
    ],
)
async def test_an_end_without_an_answer_is_a_failure(ended: dict[str, Any], reason: str) -> None:
    call = await called(gateway(accepted(), httpx.Response(200, json=ended)))
    assert (call.outcome, call.reason) == ("failed", reason)


async def test_what_never_ends_or_is_forgotten_is_lost() -> None:
    waiting = await called(gateway(accepted(), httpx.Response(200, json=evolution("running"))), patience_s=0.5)
    assert (waiting.outcome, waiting.accepted, waiting.over) == ("lost", True, False)
    forgotten = await called(gateway(accepted(), httpx.Response(404)))
    assert (forgotten.outcome, forgotten.reason) == ("lost", "no evolution with its id")


async def test_a_stream_is_answered_by_its_text_and_its_end() -> None:
    ended = httpx.Response(200, json=evolution())
    call = await called(gateway(stream(chunk(""), chunk("Ti"), chunk("des."), "[DONE]"), ended), streamed=True)
    assert (call.outcome, call.tokens) == ("answered", 42)
    # When the caller had it, and not when the evolution says that it ended.
    assert call.ended_at is not None
    assert call.ended_at < time.time()


@pytest.mark.parametrize(
    ("streamed", "reason"),
    [
        (lambda: stream(chunk("Tides.")), "the stream broke off"),
        (lambda: stream(chunk("Tides."), breaks=True), "ReadError"),
        (lambda: stream(chunk(""), "[DONE]"), "an empty answer"),
        (lambda: stream(json.dumps({"error": {"code": None, "type": "server_error"}})), "server_error"),
    ],
)
async def test_a_stream_without_its_answer_fails_though_the_evolution_succeeded(
    streamed: Callable[[], httpx.Response], reason: str
) -> None:
    call = await called(gateway(streamed(), httpx.Response(200, json=evolution())), streamed=True)
    assert (call.outcome, call.reason) == ("failed", reason)
