"""The endpoint's failures, each one of ours, and what is sent to it."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from services.generation.endpoint import client as module
from services.generation.endpoint.client import Endpoint
from services.generation.endpoint.errors import EndpointFull, error_of_failure
from services.generation.endpoint.responses import CompletionResponse, ListedModels
from services.generation.engine import ContextFull
from shared.errors import DarwinError, DeadlineExceeded, Internal, InvalidRequest, Overloaded, Unavailable, Unsupported
from shared.records.evolution import TraceContext
from shared.telemetry.tracing import use_context
from tests.integration.processes import until
from tests.openai_endpoint import FakeEndpoint, running

KEY = "sk-very-secret"
ASKED = {"model": "served", "prompt": "A tale of a walled town", "max_tokens": 3}


@pytest.fixture
def fake() -> FakeEndpoint:
    return FakeEndpoint()


@pytest.fixture
def url(fake: FakeEndpoint) -> Iterator[str]:
    with running(fake) as url:
        yield url


@asynccontextmanager
async def client(url: str, connections: int = 4) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(url, KEY, connections)
    try:
        yield endpoint
    finally:
        await endpoint.close()


async def ask(url: str) -> CompletionResponse:
    async with client(url) as endpoint:
        return await endpoint.post("completions", CompletionResponse, ASKED)


@pytest.mark.parametrize(
    ("status", "kind", "names"),
    [
        (400, InvalidRequest, "refuses what the call asks"),
        (401, Unsupported, "DARWIN_GENERATION_ENDPOINT_KEY"),
        (402, Unsupported, "no credit left"),
        (403, Unsupported, "DARWIN_GENERATION_ENDPOINT_KEY"),
        (404, Unsupported, "DARWIN_GENERATION_ENDPOINT_MODEL"),
        (429, Overloaded, "come back later"),
        (503, Unavailable, "come back later"),
    ],
)
async def test_a_refusal_says_what_to_change_and_repeats_nothing(
    fake: FakeEndpoint, url: str, status: int, kind: type[DarwinError], names: str
) -> None:
    said = f"{KEY}: {ASKED['prompt']}"
    fake.answers = [JSONResponse({"error": {"message": said, "type": said, "param": said}}, status)]
    with pytest.raises(kind, match=names) as refused:
        await ask(url)
    assert KEY not in refused.value.message
    assert str(ASKED["prompt"]) not in refused.value.message


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ({"error": {"code": 502, "message": KEY}}, Unavailable),
        ({"error": {"code": "429", "message": KEY}}, Overloaded),
        ({"error": {"code": 400, "message": KEY, "type": "exceed_context_size_error"}}, ContextFull),
        ({"error": KEY, "choices": [{"text": "half"}]}, Unavailable),
        ({"message": KEY, "code": 503}, Unavailable),
    ],
)
async def test_an_error_in_an_answer_that_says_200(fake: FakeEndpoint, url: str, says: Any, kind: type[Any]) -> None:
    fake.answers = [JSONResponse(says)]
    with pytest.raises(kind) as raised:
        await ask(url)
    assert KEY not in raised.value.message


async def test_when_an_endpoint_that_is_full_wants_to_be_asked_again(fake: FakeEndpoint, url: str) -> None:
    for header, expected in (("7", 7.0), ("0.5", 0.5), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None)):
        fake.answers = [Response(status_code=429, headers={"retry-after": header})]
        with pytest.raises(EndpointFull) as raised:
            await ask(url)
        assert raised.value.retry_after_s == expected


def subclasses(kind: type[httpx.HTTPError]) -> Iterator[type[httpx.HTTPError]]:
    for found in kind.__subclasses__():
        yield from (found, *subclasses(found))


@pytest.mark.parametrize("kind", [k for k in subclasses(httpx.HTTPError) if k is not httpx.HTTPStatusError])
def test_every_failure_of_the_client_is_one_of_our_errors(kind: type[httpx.HTTPError]) -> None:
    error = error_of_failure(kind(f"Bearer {KEY}"))
    assert type(error) in (Unavailable, DeadlineExceeded, Internal)
    assert KEY not in error.message


async def test_nobody_listens() -> None:
    with pytest.raises(Unavailable, match="ConnectError"):
        await ask("http://127.0.0.1:1/v1")


@pytest.mark.parametrize("says", [b"", b"<html>", b"[]", b'{"choices": []}', b'{"choices": [1]}', b"\xff"])
async def test_an_answer_that_is_none_is_told_as_such(fake: FakeEndpoint, url: str, says: bytes) -> None:
    fake.answers = [Response(says)]
    with pytest.raises(Internal, match="not what an OpenAI-compatible one gives"):
        await ask(url)


async def test_an_answer_without_end_is_not_read_to_its_end(
    fake: FakeEndpoint, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_RESPONSE_BYTES", 1000)
    fake.answers = [Response(b" " * 1001)]
    with pytest.raises(Internal, match="larger than 1000 bytes"):
        await ask(url)
    fake.answers = [Response(b'{"choices": [{"text": "a"}]}'.ljust(1000))]
    assert (await ask(url)).choices[0].text == "a"


async def test_a_connection_that_breaks_in_the_middle_of_an_answer() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        with pytest.raises(Unavailable, match="broke off"):
            await ask(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(fake: FakeEndpoint, url: str, status: int) -> None:
    fake.answers = [Response(status_code=status, headers={"location": url.replace("/v1", "/stolen")})]
    with pytest.raises(Unsupported, match="set DARWIN_GENERATION_ENDPOINT to where it leads"):
        await ask(url)
    assert fake.paths == ["/v1/completions"]


async def test_the_deadline_of_the_call_is_the_endpoints(
    fake: FakeEndpoint, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "time_left", lambda: 0.2)
    fake.delay_s = 60
    with pytest.raises(DeadlineExceeded, match="did not answer in time"):
        await asyncio.wait_for(ask(url), 20)


async def test_cancelling_closes_the_request_and_leaves_the_pool_whole(fake: FakeEndpoint, url: str) -> None:
    fake.delay_s = 60
    async with client(url, connections=2) as endpoint:
        for _ in range(5):
            calls = [asyncio.ensure_future(endpoint.post("completions", CompletionResponse, ASKED)) for _ in range(2)]
            await asyncio.sleep(0.1)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: fake.disconnected == 10, 20)
        fake.delay_s = 0
        answers = await asyncio.gather(*(endpoint.post("completions", CompletionResponse, ASKED) for _ in range(6)))
        assert len(answers) == 6


async def test_a_refusal_names_the_field_that_the_endpoint_names(fake: FakeEndpoint, url: str) -> None:
    said = {"message": KEY, "type": "BadRequestError", "param": "max_tokens"}
    fake.answers = [
        JSONResponse({"error": said}, 400),
        JSONResponse({"error": said | {"param": "a b"}}, 400),
        Response("[" * 8000, 400),
        Response(b" " * 10_000, 400),
    ]
    for about in ("asks for (BadRequestError, max_tokens)", "asks for (BadRequestError)", "asks for", "asks for"):
        with pytest.raises(InvalidRequest) as refused:
            await ask(url)
        assert refused.value.message.endswith(about)


async def test_a_machine_that_vanishes_is_noticed(url: str) -> None:
    seen: list[int] = []

    async def look(response: httpx.Response) -> None:
        connection = response.extensions["network_stream"].get_extra_info("socket")
        seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
        seen.append(connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    async with client(url) as endpoint:
        endpoint._client.event_hooks["response"] = [look]
        await endpoint.post("completions", CompletionResponse, ASKED)
    assert seen == [25_000, 1]


async def test_connections_are_kept(fake: FakeEndpoint, url: str) -> None:
    opened: list[object] = []
    async with client(url) as endpoint:
        endpoint._client.event_hooks["response"] = [keep(opened)]
        for _ in range(3):
            await endpoint.post("completions", CompletionResponse, ASKED)
    assert len(opened) == 3
    assert len(set(opened)) == 1


def keep(opened: list[object]) -> Callable[[httpx.Response], Awaitable[None]]:
    async def hook(response: httpx.Response) -> None:
        opened.append(response.extensions["network_stream"].get_extra_info("client_addr"))

    return hook


async def test_what_is_sent_along(fake: FakeEndpoint, url: str) -> None:
    trace = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
    with use_context(trace, "evo_1"):
        await ask(url)
    (headers,) = fake.headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["traceparent"] == f"00-{trace.trace_id}-{trace.span_id}-01"
    assert "evo_1" not in str(headers), "whose endpoint it is, is not known"
    assert fake.asked == ASKED


async def test_neither_key_nor_prompt_is_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert (await ask(url)).choices
    async with client(url) as endpoint:
        await endpoint.get("models", ListedModels)
    assert KEY not in caplog.text
    assert "HTTP Request" not in caplog.text, "a line for each call"
