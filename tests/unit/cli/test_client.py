from collections.abc import Callable

import httpx
import pytest

from cli import client as module
from cli.client import ApiError, Client

FIRST = 'id: 1-0\nevent: cycle.started\ndata: {"type": "cycle.started"}\n\n'
KEEP_ALIVE = ": ping\n\n"
HALF = 'id: 2-0\nevent: evolution.ended\ndata: {"type": "evol'
LAST = 'id: 2-0\nevent: evolution.ended\ndata: {"type": "evolution.ended"}\n\n'

Answer = str | Exception | httpx.Response
Pauses = list[float]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """Time that passes only in pauses; their lengths."""
    slept: Pauses = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    monkeypatch.setattr(module.time, "monotonic", lambda: sum(slept))
    return slept


def client(*answers: Answer) -> tuple[Client, list[httpx.Request]]:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        given = answers[min(len(requests), len(answers)) - 1]
        if isinstance(given, Exception):
            raise given
        if isinstance(given, httpx.Response):
            return given
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=given)

    return Client("http://gateway", httpx.MockTransport(answer)), requests


def refusal(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": "come back"}}, headers=headers)


def types(events: Client) -> list[str]:
    return [event["type"] for event in events.events("evo_1")]


def test_keep_alive_comments_are_no_events() -> None:
    events, _ = client(FIRST + KEEP_ALIVE + LAST)
    assert types(events) == ["cycle.started", "evolution.ended"]


@pytest.mark.parametrize(
    "gap",
    [
        [],
        [httpx.ConnectError("refused")] * 3,
        [httpx.ReadError(""), httpx.ConnectTimeout(""), refusal(503), httpx.RemoteProtocolError("")],
        [HALF, "", KEEP_ALIVE],
    ],
)
def test_a_stream_that_breaks_off_is_resumed_after_its_last_event(gap: list[Answer]) -> None:
    events, requests = client(FIRST, *gap, LAST)
    assert types(events) == ["cycle.started", "evolution.ended"]
    assert [request.headers.get("last-event-id") for request in requests] == [None] + ["1-0"] * (len(gap) + 1)


def test_a_gateway_that_does_not_come_back_is_given_up(pauses: Pauses) -> None:
    events, requests = client(FIRST, httpx.ConnectError("refused"))
    with pytest.raises(httpx.ConnectError):
        types(events)
    assert 60 <= sum(pauses) < 65
    assert pauses[0] < 0.11
    assert max(pauses) <= 3
    assert len(requests) < 60


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_refused_stream_is_not_tried_again(status: int) -> None:
    events, requests = client(refusal(status))
    with pytest.raises(ApiError) as caught:
        types(events)
    assert (caught.value.status, len(requests)) == (status, 1)


def test_start_is_sent_again_under_the_same_idempotency_key() -> None:
    started, requests = client(httpx.ReadError(""), refusal(503), httpx.Response(202, json={"id": "evo_1"}))
    assert started.start({}) == {"id": "evo_1"}
    assert len({request.headers["idempotency-key"] for request in requests}) == 1
    assert len(requests) == 3
    started.start({})
    assert requests[-1].headers["idempotency-key"] != requests[0].headers["idempotency-key"]


@pytest.mark.parametrize("call", [lambda c: c.get("evo_1"), lambda c: c.cancel("evo_1")])
def test_reading_and_cancelling_are_sent_again(call: Callable[[Client], object]) -> None:
    sender, requests = client(httpx.ConnectError(""), httpx.Response(200, json={"id": "evo_1"}))
    assert call(sender) == {"id": "evo_1"}
    assert len(requests) == 2


def test_a_refusal_carries_the_gateways_message() -> None:
    refusing, _ = client(httpx.Response(400, json={"error": {"message": "n must be at least 1"}}))
    with pytest.raises(ApiError, match=r"n must be at least 1 \(HTTP 400\)"):
        refusing.start({})


def test_a_gateway_that_says_when_to_come_back_is_not_asked_before(pauses: Pauses) -> None:
    hours, seconds = refusal(503, **{"retry-after": "7200"}), refusal(503, **{"retry-after": "5"})
    answers = (seconds, hours, refusal(503), hours, httpx.Response(200, json={"id": "evo_1"}))
    patient, requests = client(*answers)
    assert patient.get("evo_1") == {"id": "evo_1"}
    assert pauses[:2] == [5, 30]
    assert pauses[2] <= 0.4
    assert sum(pauses) == pytest.approx(60)
    assert len(requests) == len(answers)


def test_a_refusal_carries_when_to_come_back() -> None:
    refusing, _ = client(refusal(429, **{"retry-after": "17"}))
    with pytest.raises(ApiError) as caught:
        refusing.start({})
    assert (caught.value.status, caught.value.retry_after_s) == (429, 17.0)


def test_an_answer_that_is_not_the_gateways_is_told_as_it_is() -> None:
    refusing, _ = client(httpx.Response(502, text="<html>bad gateway"))
    with pytest.raises(ApiError, match=r"<html>bad gateway \(HTTP 502\)"):
        refusing.start({})


def test_sends_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DARWIN_API_KEY", raising=False)
    bare, requests = client(httpx.Response(200, json={}))
    bare.get("evo_1")
    assert "authorization" not in requests[0].headers
    monkeypatch.setenv("DARWIN_API_KEY", "dk_x_y")
    keyed, requests = client(httpx.Response(200, json={}))
    keyed.get("evo_1")
    assert requests[0].headers["authorization"] == "Bearer dk_x_y"


def test_as_many_streams_may_be_open_as_the_caller_likes() -> None:
    with Client("http://gateway") as real:
        pool = real._http._transport._pool  # type: ignore[attr-defined]
        assert pool._max_connections > 10_000


def test_a_gateway_on_this_machine_is_not_looked_for_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for url, proxied in (("http://127.0.0.1:8000", False), ("http://[::1]:1", False), ("http://gateway:8000", True)):
        with Client(url) as real:
            assert bool(real._http._mounts) == proxied, url
