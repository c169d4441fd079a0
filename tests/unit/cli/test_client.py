import httpx
import pytest

from cli.client import ApiError, Client

FIRST = 'id: 1-0\nevent: cycle.started\ndata: {"type": "cycle.started"}\n\n'
KEEP_ALIVE = ": ping\n\n"
LAST = 'id: 2-0\nevent: evolution.ended\ndata: {"type": "evolution.ended"}\n\n'


def client(*bodies: str) -> tuple[Client, list[httpx.Request]]:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=bodies[len(requests) - 1])

    return Client("http://gateway", httpx.MockTransport(answer)), requests


def test_keep_alive_comments_are_no_events() -> None:
    events, _ = client(FIRST + KEEP_ALIVE + LAST)
    assert [event["type"] for event in events.events("evo_1")] == ["cycle.started", "evolution.ended"]


def test_a_stream_that_breaks_off_is_resumed_after_its_last_event() -> None:
    events, requests = client(FIRST, LAST)
    assert [event["type"] for event in events.events("evo_1")] == ["cycle.started", "evolution.ended"]
    assert [request.headers.get("last-event-id") for request in requests] == [None, "1-0"]


def test_a_refusal_carries_the_gateways_message() -> None:
    refusing = httpx.MockTransport(lambda _: httpx.Response(400, json={"error": {"message": "n must be at least 1"}}))
    with pytest.raises(ApiError, match=r"n must be at least 1 \(HTTP 400\)"):
        Client("http://gateway", refusing).start({})
